"""Reading metrics pages: real expositions in, counters out; everything else is a problem, never a success."""

import time

import httpx
import pytest
import yaml

from rollout.adapters.http import PAGE_MAX_BYTES, Pages
from rollout.adapters.metrics.queries import resolve, unreadable
from rollout.adapters.metrics.scrape import SERIES_MAX, ScrapeSource
from rollout.adapters.metrics.selector import parse
from rollout.engine.facts import Round
from rollout.errors import PageUnavailable
from rollout.model.api.kpi import Kpi
from rollout.model.documents import policy_spec
from tests.world import POLICY, policy

AGENT = """\
# HELP agent_tasks_started_total Tasks begun.
# TYPE agent_tasks_started_total counter
agent_tasks_started_total{{version="{v}",kind="a"}} {n}
agent_tasks_started_total{{version="{v}",kind="b"}} 1
# TYPE agent_tasks_failed_total counter
agent_tasks_failed_total{{version="{v}"}} 2
# TYPE turn_seconds histogram
turn_seconds_bucket{{le="0.5"}} 5
turn_seconds_bucket{{le="2.5"}} 8
turn_seconds_bucket{{le="+Inf"}} 9
turn_seconds_count 9
turn_seconds_sum 10
process_start_time_seconds 1700000000
"""
ENVOY = """\
# TYPE envoy_cluster_upstream_rq_completed counter
envoy_cluster_upstream_rq_completed{envoy_cluster_name="agent/v1"} 90
envoy_cluster_upstream_rq_completed{envoy_cluster_name="agent/v2"} 10
# TYPE envoy_cluster_upstream_rq_xx counter
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="agent/v2"} 3
# TYPE envoy_cluster_upstream_rq_time histogram
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="agent/v1",le="500"} 80
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="agent/v1",le="+Inf"} 90
envoy_cluster_upstream_rq_time_count{envoy_cluster_name="agent/v1"} 90
"""


def read(pages: dict[str, str | int], *kpis: Kpi, router: bool = True, spend: str | None = None, pinned=False) -> Round:
    def answer(request: httpx.Request) -> httpx.Response:
        found = pages.get(request.url.host, 404)
        if isinstance(found, int):
            if found == 0:
                raise httpx.ConnectError("refused")
            if found == 1:
                raise httpx.ReadTimeout("slow")
            return httpx.Response(found, stream=httpx.ByteStream(b""))
        return httpx.Response(200, stream=httpx.ByteStream(found.encode()))

    source = ScrapeSource(
        "agent",
        lambda version: (f"http://{version}/metrics",),
        lambda: "http://envoy/stats" if router else None,
        Pages(httpx.MockTransport(answer)),
        1.0,
        pinned=pinned,
    )
    found = source.read("v1", "v2", kpis, spend)
    source.close()
    return found


def kpi(name: str, counted: str, total: str, *, good: bool = False) -> Kpi:
    return Kpi.model_validate({"name": name, "good" if good else "bad": counted, "total": total})


def test_turns_without_their_pin_are_read_where_conversations_are_pinned():
    lost = '# TYPE agent_conversations_unpinned counter\nagent_conversations_unpinned_total{version="v1"} 7\n'
    pages = {**PAGES, "v1": PAGES["v1"] + lost}
    assert read(pages, TASKS).unpinned is None
    unpinned = read(pages, TASKS, pinned=True).unpinned
    assert list(unpinned.stable.total.values()) == [7] and unpinned.candidate.total == {}
    assert read(PAGES, TASKS, pinned=True).kpis["tasks"].problem == "", "nobody has to count them"


TASKS = kpi("tasks", 'agent_tasks_failed_total{version="$version"}', 'agent_tasks_started_total{version="$version"}')
PAGES = {"v1": AGENT.format(v="v1", n=40), "v2": AGENT.format(v="v2", n=4), "envoy": ENVOY}


def preset(name: str, **with_: str) -> Kpi:
    return Kpi.model_validate({"name": "k", "preset": name, "with": with_})


def test_both_versions_are_read_in_one_round_by_series():
    found = read(PAGES, TASKS)
    reading = found.kpis["tasks"]
    assert sum(reading.stable.total.values()) == 41 and sum(reading.candidate.total.values()) == 5
    assert len(reading.stable.total) == 2, "series are kept apart, so that each can be reset by itself"
    assert found.births == {"http://v1/metrics": 1.7e9, "http://v2/metrics": 1.7e9}


def test_the_router_tells_errors_slow_requests_and_the_split_by_version():
    found = read(PAGES, preset("envoy/errors"))
    errors = found.kpis["k"]
    assert (sum(errors.candidate.bad.values()), sum(errors.candidate.total.values())) == (3, 10)
    assert errors.stable.bad == {}, "no error yet is no series yet, and no problem"
    assert sum(found.requests.stable.total.values()) == 90
    slow = read(PAGES, preset("envoy/slow-requests", slowerThan="500ms")).kpis["k"]
    assert slow.good and sum(slow.stable.bad.values()) == 80 and sum(slow.stable.total.values()) == 90


def test_bucket_bounds_are_compared_as_numbers():
    query = kpi("k", 'turn_seconds_bucket{le="2.50"}', "turn_seconds_count", good=True)
    reading = read(PAGES, query).kpis["k"]
    assert not reading.problem and sum(reading.stable.bad.values()) == 8


@pytest.mark.parametrize(
    ("page", "word"),
    [
        (0, "cannot be reached"),
        (1, "did not answer within 1 s"),
        (500, "answered 500"),
        (302, "answered 302"),
        ("<html><body>Log in</body></html>", "not a metrics page"),
        ('{"status": "ok"}', "not a metrics page"),
        ("", "empty"),
        ("x" * (PAGE_MAX_BYTES + 1), "larger than"),
        (AGENT.format(v="v2", n="NaN"), "not a counter"),
        (AGENT.format(v="v2", n="-4"), "not a counter"),
        (AGENT.format(v="v2", n=4).replace("agent_tasks_started", "agent_task_started"), "did you mean"),
    ],
)
def test_a_page_that_cannot_be_used_is_a_problem_of_the_reading(page, word):
    reading = read({**PAGES, "v2": page}, TASKS).kpis["tasks"]
    assert word in reading.problem
    assert not reading.candidate.total, "nothing of a bad page is counted"


def test_a_kpi_needs_only_its_own_pages():
    found = read({**PAGES, "v2": 0}, TASKS, preset("envoy/errors"))
    assert found.kpis["tasks"].problem and not found.kpis["k"].problem


def test_a_page_labelled_with_the_other_version_is_told_before_anything_moves():
    problem = read({**PAGES, "v2": AGENT.format(v="v1", n=4)}, TASKS).kpis["tasks"].problem
    assert problem == 'http://v2/metrics has agent_tasks_started_total, but only with version="v1"'


def test_a_counter_without_any_series_yet_is_no_problem():
    text = "# TYPE agent_tasks_started_total counter\n# TYPE agent_tasks_failed_total counter\n"
    assert read({**PAGES, "v2": text}, TASKS).kpis["tasks"].problem == ""


@pytest.mark.parametrize("text", ["up 1\n", "# TYPE agent_tasks_started_total counter\nup 1\n"])
def test_a_series_that_is_not_there_yet_has_no_outcomes_yet(text):
    for pages in ({**PAGES, "v2": text}, {**PAGES, "v1": text, "v2": text}):
        reading = read(pages, TASKS).kpis["tasks"]
        assert reading.problem == "" and reading.candidate.total == {}


@pytest.mark.parametrize("written", ["NaN", "+Inf", "x"])
def test_a_start_time_that_is_no_time_is_not_kept(written):
    """It would be written into the status, where no reader could make a number of it."""
    text = AGENT.format(v="v2", n=4).replace(
        "process_start_time_seconds 1700000000", f"process_start_time_seconds {written}"
    )
    births = read({**PAGES, "v2": text}, TASKS).births
    assert list(births) == ["http://v1/metrics"]


PATHS = kpi("chat", 'n_total{version="$version",path="/chat",code="500"}', 'n_total{version="$version",path="/chat"}')


def test_a_path_that_nobody_has_asked_for_yet_is_no_problem_beside_one_that_somebody_has():
    text = 'n_total{{version="{v}",path="/healthz",code="200"}} 7\n'
    pages = {**PAGES, "v1": text.format(v="v1"), "v2": text.format(v="v2")}
    assert read(pages, PATHS).kpis["chat"].problem == ""
    wrong = read({**pages, "v2": text.format(v="v1")}, PATHS).kpis["chat"].problem
    assert wrong.startswith("http://v2/metrics has n_total, but only with") and 'version="v1"' in wrong


def test_more_good_outcomes_than_there_are_is_a_problem_and_no_perfect_score():
    text = 'd_bucket{version="v2",le="1"} 5\nd_bucket{version="v2",le="+Inf"} 10\nd_count{version="v2"} 10\n'
    pages = {**PAGES, "v1": text.replace('"v2"', '"v1"'), "v2": text}
    slow = kpi("slow", 'd_bucket{version="$version",le=~".+"}', 'd_count{version="$version"}', good=True)
    assert "counts 15 outcomes" in read(pages, slow).kpis["slow"].problem
    right = kpi("slow", 'd_bucket{version="$version",le="1"}', 'd_count{version="$version"}', good=True)
    assert read(pages, right).kpis["slow"].problem == ""


def test_a_bucket_without_its_bound_is_refused_when_the_policy_is_read():
    def faults(**selectors):
        made = {"name": "slow", "margin": {"absolute": "1%"}, **selectors}
        return policy_spec({"canary": {"steps": [{"weight": "10%"}]}, "kpis": [made]})[1]

    for key, text in (("good", "d_bucket"), ("good", 'd_bucket{version="$version"}'), ("bad", "d_bucket ")):
        (fault,) = faults(**{key: text, "total": "d_count"})
        assert fault.path == f"kpis[0].{key}" and 'le="2.5"' in fault.remedy
    assert [fault.path for fault in faults(good='d_bucket{le="1"}', total="d_bucket")] == ["kpis[0].total"]
    for text in ('d_bucket{le=~"1|2"}', 'd_bucket{a="b", le = "1"}', "d_bucket_total"):
        assert faults(good=text, total="d_count") == []


def test_metrics_that_are_nowhere_yet_are_told_with_those_that_are():
    source = ScrapeSource("agent", lambda version: (f"http://{version}/metrics",), lambda: None, Fixed("up 1\n"), 1.0)
    told = source.missing("v1", "v2", (TASKS,))
    source.close()
    assert [line.split()[4] for line in told] == ["agent_tasks_failed_total", "agent_tasks_started_total"]
    assert all(line.endswith("The pages have: up") for line in told)


class Fixed:
    """The same page everywhere."""

    def __init__(self, text):
        self.text = text

    def get(self, _url, _timeout_s):
        return self.text


def test_a_page_that_trickles_in_is_given_up_in_time():
    def drip():
        for _ in range(2000):
            time.sleep(0.05)
            yield b"# slow\n"

    pages = Pages(httpx.MockTransport(lambda _: httpx.Response(200, content=drip())))
    began = time.monotonic()
    with pytest.raises(PageUnavailable, match="did not finish"):
        pages.get("http://x/", 0.3)
    assert time.monotonic() - began < 50
    pages.close()


def test_versions_that_share_a_series_cannot_be_told_apart():
    query = kpi(
        "k",
        'envoy_none{version="$version"}',
        'envoy_cluster_upstream_rq_completed{envoy_cluster_name=~"agent/.*|$version"}',
    )
    assert "cannot be told apart" in read(PAGES, query).kpis["k"].problem


def test_a_bucket_that_is_not_there_is_told_with_those_that_are():
    query = kpi("k", 'turn_seconds_bucket{le="2"}', "turn_seconds_count", good=True)
    problem = read(PAGES, query).kpis["k"].problem
    assert "no bucket at 2" in problem and "0.5, 2.5, +Inf" in problem


def test_too_many_series_are_refused_and_not_summed_in_silence():
    many = "".join(f'agent_tasks_started_total{{version="v2",user="{n}"}} 1\n' for n in range(SERIES_MAX + 1))
    text = "# TYPE agent_tasks_started_total counter\n# TYPE agent_tasks_failed_total counter\n" + many
    problem = read({**PAGES, "v2": text}, TASKS).kpis["tasks"].problem
    assert f"more than {SERIES_MAX}" in problem


def test_without_a_router_its_metrics_are_a_problem():
    assert "no statistics page" in read(PAGES, preset("envoy/errors"), router=False).kpis["k"].problem


@pytest.mark.parametrize(
    ("text", "labels", "meant"),
    [
        ("a", {}, True),
        ('a{x="1"}', {"x": "1"}, True),
        ('a{x="1"}', {"x": "2"}, False),
        ('a{x!="1"}', {"x": "2"}, True),
        ('a{x=~"[12]", y="z",}', {"x": "2", "y": "z"}, True),
        ('a{x!~"2.*"}', {"x": "25"}, False),
        ('a{x="quote\\"d"}', {"x": 'quote"d'}, True),
        ('a{x=""}', {}, True),
    ],
)
def test_selectors_choose_as_promql_does(text, labels, meant):
    assert parse(text).accepts(labels) is meant


@pytest.mark.parametrize("text", ["rate(a[5m])", "a{x=1}", "a{x='1'}", '{x="1"}', "a b", "", 'a{x=~"("}', "a[5m]"])
def test_what_is_no_selector_is_refused_with_a_word(text):
    with pytest.raises(ValueError, match=r"selector|labels|regular"):
        parse(text)


def test_faults_in_kpis_are_told_with_their_place():
    raw = [
        {"name": "a", "preset": "envoy/error"},
        {"name": "b", "preset": "envoy/slow-requests"},
        {"name": "c", "preset": "envoy/errors", "with": {"slowerThan": "1s"}},
        {"name": "d", "bad": "rate(x[5m])", "total": "y"},
        {"name": "f", "preset": "envoy/slow-requests", "with": {"slowerThan": "3s"}},
        {"name": "e", "bad": "envoy_a", "total": 'envoy_b{x="$version"}'},
    ]
    told = {fault.path: fault for fault in resolve([Kpi.model_validate(each) for each in raw])[1]}
    assert "did you mean envoy/errors?" in told["kpis[0].preset"].remedy
    assert "needs a duration" in told["kpis[1].with.slowerThan"].message
    assert "does not take it" in told["kpis[2].with.slowerThan"].message
    assert "no selector" in told["kpis[3].bad"].message
    assert told["kpis[4].with.slowerThan"].remedy == "use 2500ms or 5000ms"
    assert "counts both versions together" in told["kpis[5].bad"].message


COSTS = """\
# TYPE agent_task_tokens histogram
agent_task_tokens_bucket{{version="{v}",le="2000"}} 30
agent_task_tokens_bucket{{version="{v}",le="8000"}} 48
agent_task_tokens_bucket{{version="{v}",le="+Inf"}} 50
agent_task_tokens_count{{version="{v}"}} 50
agent_task_tokens_sum{{version="{v}"}} 123456.5
# TYPE agent_feedback_total counter
agent_feedback_total{{version="{v}"}} 9
# TYPE agent_feedback_negative_total counter
agent_feedback_negative_total{{version="{v}"}} 2
# TYPE agent_cost_dollars_total counter
agent_cost_dollars_total{{version="{v}"}} {cost}
"""
COST_PAGES = {v: PAGES[v] + COSTS.format(v=v, cost=cost) for v, cost in (("v1", 70.5), ("v2", 8.25))} | {"envoy": ENVOY}


def test_tokens_are_counted_by_buckets():
    reading = read(COST_PAGES, preset("agent-tokens", moreThan="8000")).kpis["k"]
    assert (
        reading.good and list(reading.candidate.bad.values()) == [48] and list(reading.candidate.total.values()) == [50]
    )
    assert (
        "its bounds are 2000, 8000, +Inf" in read(COST_PAGES, preset("agent-tokens", moreThan="9000")).kpis["k"].problem
    )


def test_sums_are_read_where_there_are_no_buckets():
    mean = Kpi.model_validate({
        "name": "cost", "sum": 'agent_task_tokens_sum{version="$version"}',
        "total": 'agent_task_tokens_count{version="$version"}', "margin": {"relative": "10%"},
    })  # fmt: skip
    reading = read(COST_PAGES, mean).kpis["cost"]
    assert list(reading.stable.bad.values()) == [123456.5] and list(reading.stable.total.values()) == [50]


def test_feedback_comes_with_how_often_it_was_given():
    found = read(COST_PAGES, preset("agent-feedback"))
    assert sum(found.kpis["k"].candidate.bad.values()) == 2 and sum(found.kpis["k"].candidate.total.values()) == 9
    assert sum(found.responses["k"].candidate.bad.values()) == 9
    assert sum(found.responses["k"].candidate.total.values()) == 5, "tasks begun, of all kinds"


def test_only_the_candidates_spend_is_read():
    found = read(COST_PAGES, spend='agent_cost_dollars_total{version="$version"}').spend
    assert sum(found.candidate.total.values()) == 8.25 and not found.stable.total
    assert "no metric" in read(COST_PAGES, spend='agent_bill_total{version="$version"}').spend.problem


def test_a_preset_that_needs_a_number_says_so():
    (fault,) = resolve([preset("agent-cost", moreThan="cheap")])[1]
    assert fault.path == "kpis[0].with.moreThan" and "needs a number" in fault.message


def test_responses_cannot_be_compared_after_a_switch():
    raw = yaml.safe_load(POLICY)
    del raw["canary"]
    kpis = [{"name": "k", "preset": "agent-feedback", "margin": {"absolute": "2%"}}]
    told = unreadable(policy(yaml.safe_dump({**raw, "blueGreen": {}}), kpis=kpis))
    assert "respond equally often" in told[0].message
