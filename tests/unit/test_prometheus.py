"""Prometheus: one query for both versions, and no answer that is not a number is ever taken for one."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time

import pytest

from rollout.adapters.kubernetes.resources import SECRET
from rollout.adapters.metrics.backend_names import backend_names
from rollout.adapters.metrics.presets import PRESETS
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.metrics.prometheus_connection import Access
from rollout.adapters.metrics.prometheus_source import PrometheusSource
from rollout.adapters.metrics.queries import resolve, unreadable
from rollout.controller.secrets import ALLOWED_HOSTS, Credentials
from rollout.engine.analysis.counters import take
from rollout.errors import PageUnavailable
from rollout.model.api.kpi import Kpi
from rollout.model.api.metrics import Prometheus
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends
from rollout.model.status.evidence import Ledger
from tests.fakes import prometheus as fakes
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi
from tests.world import policy

TASKS = Kpi.model_validate({"name": "tasks", "preset": "agent-tasks", "margin": {"absolute": "1%"}})


@pytest.fixture
def server(monkeypatch):
    """A Prometheus whose every answer is a new one."""
    monkeypatch.setattr("rollout.adapters.metrics.prometheus_client.SHARED_S", 0.0)
    fake = fakes.FakePrometheus()
    with fakes.serving(fake) as url:
        fake.url = url
        yield fake


def source(server, *, stale_after_s=120.0, requests=None, timeout_s=2.0, pinned=False, **access):
    client = PrometheusClient(Access(server.url, timeout_s=timeout_s, **access))
    return PrometheusSource(
        client,
        "agent",
        "agents",
        backend_names(Naming("agent", "agents", Backends(service="$name-$version"))),
        requests=requests,
        stale_after_s=stale_after_s,
        now=time.time,
        pinned=pinned,
    )


def tasks(server, version, started, failed=0, pod=None):
    server.add("agent_tasks_started_total", started, version=version, pod=pod or version)
    if failed:
        server.add("agent_tasks_failed_total", failed, version=version, pod=pod or version)


def test_both_versions_and_all_counters_come_from_one_query(server):
    tasks(server, "v1", 100, 3)
    tasks(server, "v2", 10)
    read = source(server).read("v1", "v2", (TASKS,))
    assert len(server.asked) == 1
    kpi = read.kpis["tasks"]
    assert kpi.problem == ""
    assert list(kpi.stable.total.values()) == [100] and list(kpi.stable.bad.values()) == [3]
    assert list(kpi.candidate.total.values()) == [10] and kpi.candidate.bad == {}
    assert list(read.requests.stable.total.values()) == [100]


def test_turns_without_their_pin_are_read_where_conversations_are_pinned_and_agents_count_them(server):
    tasks(server, "v1", 100, 3)
    tasks(server, "v2", 10)
    assert source(server).read("v1", "v2", (TASKS,)).unpinned is None
    pinned = source(server, pinned=True)
    assert pinned.read("v1", "v2", (TASKS,)).kpis["tasks"].problem == "", "nobody has to count them"
    server.add("agent_conversations_unpinned_total", 7, version="v1", pod="v1")
    unpinned = pinned.read("v1", "v2", (TASKS,)).unpinned
    assert list(unpinned.stable.total.values()) == [7] and unpinned.candidate.total == {}


def test_what_happened_between_two_samples_is_counted_series_by_series(server):
    tasks(server, "v1", 100, 3, pod="a")
    over = source(server)
    ledger, _ = take(Ledger(), over.read("v1", "v2", (TASKS,)), fakes_now())
    tasks(server, "v1", 10, 1, pod="a")
    tasks(server, "v2", 7, 2, pod="c")  # born since: counts from 0
    ledger, found = take(ledger, over.read("v1", "v2", (TASKS,)), fakes_now())
    increment = found["tasks"].increment
    assert (increment.bad_s, increment.all_s, increment.bad_c, increment.all_c) == (1, 10, 2, 7)
    server.series.clear()
    tasks(server, "v1", 4, 1, pod="a")  # began anew: the whole value is new
    tasks(server, "v2", 7, 2, pod="c")
    ledger, found = take(ledger, over.read("v1", "v2", (TASKS,)), fakes_now())
    assert found["tasks"].increment.all_s == 0, "a reading that fell may be an older one"
    _, found = take(ledger, over.read("v1", "v2", (TASKS,)), fakes_now())
    assert (found["tasks"].increment.bad_s, found["tasks"].increment.all_s, found["tasks"].increment.all_c) == (1, 4, 0)


def fakes_now():
    from datetime import UTC, datetime

    return datetime.now(UTC)


HTML = (200, "text/html", "<html>Sign in</html>")
ANSWERS = {
    "a login page": (HTML, "login page"),
    "not a number": (lambda s: (200, "application/json", json.dumps(valued(s, "NaN"))), "returned NaN"),
    "infinity": (lambda s: (200, "application/json", json.dumps(valued(s, "+Inf"))), "returned +Inf"),
    "bad query": (
        (400, "application/json", '{"status":"error","errorType":"bad_data","error":"parse error"}'),
        "cannot evaluate the query: parse error",
    ),
    "too expensive": (
        (422, "application/json", '{"status":"error","error":"query processing would load too many samples"}'),
        "too many samples",
    ),
    "not let in": ((401, "text/plain", "no"), "auth"),
    "unwell": ((503, "text/plain", "starting"), "HTTP 503"),
    "not a query result": ((200, "application/json", '{"status":"success"}'), "not a query result"),
    "a string": ((200, "application/json", '"ok"'), "not a query result"),
    "a scalar": (
        (200, "application/json", '{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}'),
        "not a vector",
    ),
    "a matrix": (
        (200, "application/json", '{"status":"success","data":{"result":[{"metric":{},"values":[[1,"1"]]}]}}'),
        "not a vector",
    ),
    "cut off": ((200, "application/json", '{"status":"succ'), "application/json"),
}


def valued(server, value):
    found = server.evaluate(server.asked[-1])
    found["data"]["result"][0]["value"][1] = value
    return found


@pytest.mark.parametrize("case", ANSWERS)
def test_no_answer_that_is_no_number_is_taken_for_one(server, case):
    tasks(server, "v1", 100)
    answer, word = ANSWERS[case]
    server.answer = (lambda: answer(server)) if callable(answer) else answer
    read = source(server).read("v1", "v2", (TASKS,), "cost_total")
    for reading in (read.kpis["tasks"], read.requests, read.spend):
        assert word in reading.problem, reading
        assert not reading.stable.total and not reading.candidate.total


def test_a_partial_answer_is_none(server):
    tasks(server, "v1", 100)
    server.warnings = ["1 of 3 stores did not answer"]
    assert "partial answer: 1 of 3 stores" in source(server).read("v1", "v2", (TASKS,)).kpis["tasks"].problem


def test_old_samples_are_no_facts(server):
    tasks(server, "v1", 100)
    server.age_s = 200
    assert "last seen 200 s ago" in source(server).read("v1", "v2", (TASKS,)).kpis["tasks"].problem
    assert source(server, stale_after_s=300).read("v1", "v2", (TASKS,)).kpis["tasks"].problem == ""


def test_a_stable_version_without_series_is_told_and_a_candidate_without_is_no_data_yet(server):
    assert "there is no series" in source(server).read("v1", "v2", (TASKS,)).kpis["tasks"].problem
    tasks(server, "v1", 5)
    assert source(server).read("v1", "v2", (TASKS,)).kpis["tasks"].problem == ""


def test_versions_that_share_their_series_cannot_be_told_apart(server):
    server.add("tasks_total", 5, pod="a")
    kpi = Kpi.model_validate(
        {"name": "tasks", "bad": "bad_total", "total": "tasks_total", "margin": {"absolute": "1%"}}
    )
    assert "cannot be told apart" in source(server).read("v1", "v2", (kpi,)).kpis["tasks"].problem


def test_too_many_series_are_refused_before_they_fill_the_status(server):
    for number in range(250):
        tasks(server, "v1", 1, pod=f"p{number}")
    assert "take out a label" in source(server).read("v1", "v2", (TASKS,)).kpis["tasks"].problem


def test_a_server_that_says_nothing_holds_no_turn_up(server):
    over = threading.Event()
    server.answer = lambda: over.wait(60) and HTML
    read = source(server, timeout_s=0.3).read("v1", "v2", (TASKS,))
    assert "has not answered in 0.3 s" in read.kpis["tasks"].problem
    over.set()


def test_a_server_that_is_down_says_so_without_trying_again(server):
    came = []

    def hang_up():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                came.append(connection)
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=hang_up, daemon=True).start()
        server.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert "does not answer" in source(server).read("v1", "v2", (TASKS,)).kpis["tasks"].problem
        listening.shutdown(socket.SHUT_RDWR)
    assert len(came) == 1


def test_rollouts_that_ask_the_same_at_one_time_ask_once(server, monkeypatch):
    monkeypatch.setattr("rollout.adapters.metrics.prometheus_client.SHARED_S", 60.0)
    tasks(server, "v1", 100)
    server.answer = lambda: time.sleep(0.2)
    client = PrometheusClient(Access(server.url))
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.query('label_replace(x,"rollout_term","t0","","")')))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 1 and len(set(answers)) == 1


def test_a_long_round_is_asked_in_parts_at_one_time(server, monkeypatch):
    monkeypatch.setattr("rollout.adapters.metrics.selected.QUERY_MAX_CHARACTERS", 300)
    tasks(server, "v1", 100, 1)
    tasks(server, "v2", 50, 2)
    read = source(server).read("v1", "v2", (TASKS,))
    assert len(server.asked) > 2 and read.kpis["tasks"].problem == ""
    assert list(read.kpis["tasks"].candidate.bad.values()) == [2]


def test_the_split_is_measured_by_the_router_where_a_kpi_names_it(server):
    name = "envoy_cluster_upstream_rq_completed"
    for version, count in (("v1", 90), ("v2", 10)):
        tasks(server, version, 1)
        server.add(name, count, envoy_cluster_name=f"httproute/agents/x/agent-{version}/8000")
        server.add(name, 1000, envoy_cluster_name=f"my-agent-{version}0")  # another agent's
    errors = Kpi.model_validate({"name": "errors", "preset": "gateway/errors", "margin": {"absolute": "1%"}})
    read = source(server).read("v1", "v2", (TASKS, errors))
    assert list(read.requests.stable.total.values()) == [90] and list(read.requests.candidate.total.values()) == [10]
    chosen = source(server, requests='agent_tasks_started_total{version="$version"}').read("v1", "v2", (TASKS, errors))
    assert list(chosen.requests.stable.total.values()) == [1]


# -- presets -----------------------------------------------------------------------------------------------------------

GIVEN = {"durations_ms": "2500ms", "numbers": "8000"}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_read_and_tells_the_versions_apart(name):
    preset = PRESETS[name]
    with_ = dict.fromkeys(preset.durations_ms, "2500ms") | dict.fromkeys(preset.numbers, "8000")
    (query,), faults = resolve(
        [Kpi.model_validate({"name": "x", "preset": name, "with": with_, "margin": {"absolute": "1%"}})]
    )
    assert not faults
    for text in filter(None, (query.counted, query.total, query.among)):
        assert any(name in text for name in ("$version", "$service", "$cluster"))
        assert not {"$requests", "$failed", "$histogram", "$versionLabel", "$label"} & set(
            text.replace("{", " ").replace("_b", " ").split()
        )


def test_the_names_of_a_preset_can_be_others():
    raw = {
        "name": "x",
        "preset": "agent-tasks",
        "with": {"failed": "jobs_failed", "started": "jobs", "versionLabel": "app_version"},
        "margin": {"absolute": "1%"},
    }
    (query,), faults = resolve([Kpi.model_validate(raw)])
    assert (
        not faults
        and query.counted == 'jobs_failed{app_version="$version"}'
        and query.total == 'jobs{app_version="$version"}'
    )
    raw["with"]["started"] = "jobs{} or vector(0)"
    assert "not the name of a metric" in resolve([Kpi.model_validate(raw)])[1][0].message


def test_a_preset_of_another_place_is_refused_with_those_that_fit():
    here = policy(kpis=[{"name": "e", "preset": "gateway/errors", "margin": {"absolute": "1%"}}])
    there = policy(kpis=[{"name": "e", "preset": "envoy/errors", "margin": {"absolute": "1%"}}])
    assert "envoy/errors" in unreadable(here, "machine")[0].remedy and not unreadable(here, "cluster")
    assert "istio/errors" in unreadable(there, "cluster")[0].remedy and not unreadable(there, "machine")


def test_seconds_are_seconds_where_a_histogram_has_them():
    raw = {
        "name": "x",
        "preset": "otel-genai/slow-operations",
        "with": {"slowerThan": "2500ms"},
        "margin": {"absolute": "1%"},
    }
    assert 'le="2.5"' in resolve([Kpi.model_validate(raw)])[0][0].counted


# -- credentials -------------------------------------------------------------------------------------------------------


def secret(api, name="prom", **data):
    import base64

    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    metadata = {"name": name, "annotations": {ALLOWED_HOSTS: "127.0.0.1"}}
    api.create(SECRET, "agents", {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded})


def declared(url, **more):
    return Prometheus.model_validate({"url": url, **more})


def key(name):
    return {"secretKeyRef": {"name": "prom", "key": name}}


def test_tokens_and_passwords_come_from_secrets_and_are_shown_nowhere(server, tmp_path, capsys):
    api = FakeApi(FakeCluster())
    secret(api, token="canary-token\n", user="ada", password="canary-password")
    credentials = Credentials(api, tmp_path)
    client = credentials.client(declared(server.url, auth={"bearer": key("token")}), "agents")
    assert client.query("up").problem == "" and server.headers[-1]["Authorization"] == "Bearer canary-token"
    assert credentials.client(declared(server.url, auth={"bearer": key("token")}), "agents") is client
    basic = credentials.client(
        declared(server.url, auth={"basic": {"username": key("user"), "password": key("password")}}), "agents"
    )
    server.answer = (401, "text/plain", "no")
    told = basic.query("down")
    assert server.headers[-1]["Authorization"].startswith("Basic ")
    everything = f"{told} {client._access!r} {capsys.readouterr()}"
    assert "canary" not in everything


@pytest.mark.parametrize(
    ("name", "word"), [("missing", "has no key missing"), ("token", "does not exist"), ("broken", "is not text")]
)
def test_a_secret_that_cannot_be_used_is_named_and_its_content_is_not(tmp_path, name, word):
    api = FakeApi(FakeCluster())
    if name != "token":
        secret(api, token="x")
        api.merge(SECRET, "agents", "prom", {"data": {"broken": "/w=="}})
    with pytest.raises(PageUnavailable, match=word):
        Credentials(api, tmp_path).client(declared("http://p:9090", auth={"bearer": key(name)}), "agents")


def test_an_authority_of_ones_own_is_trusted_and_any_other_is_not(tmp_path):
    api = FakeApi(FakeCluster())
    secret(api, ca="-----BEGIN CERTIFICATE-----")
    client = Credentials(api, tmp_path).client(declared("https://p:9090", tls={"ca": key("ca")}), "agents")
    assert client._access.ca is not None and client._access.ca.read_text().startswith("-----BEGIN")
    assert client._access.ca.stat().st_mode & 0o077 == 0


# -- hard cases --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["8000", "8000.0", "8e+03", "8e+3"])
def test_a_bucket_is_found_however_its_bound_is_written(server, written):
    for version, good in (("v1", 90), ("v2", 20)):
        server.add("agent_task_tokens_bucket", good, version=version, le=written)
        server.add("agent_task_tokens_count", 100, version=version)
    kpi = Kpi.model_validate(
        {"name": "tokens", "preset": "agent-tokens", "with": {"moreThan": "8000"}, "margin": {"absolute": "1%"}}
    )
    found = source(server).read("v1", "v2", (kpi,)).kpis["tokens"]
    assert (
        found.problem == "" and list(found.stable.bad.values()) == [90] and list(found.candidate.bad.values()) == [20]
    )


def test_a_bucket_that_does_not_exist_is_a_fault_and_never_everything_bad(server):
    server.add("agent_task_tokens_bucket", 5, version="v1", le="1000.0")
    server.add("agent_task_tokens_count", 100, version="v1")
    kpi = Kpi.model_validate(
        {"name": "tokens", "preset": "agent-tokens", "with": {"moreThan": "8000"}, "margin": {"absolute": "1%"}}
    )
    assert "is that a bucket's bound" in source(server).read("v1", "v2", (kpi,)).kpis["tokens"].problem


def test_failures_that_are_counted_for_both_versions_are_told_too(server):
    tasks(server, "v1", 100)
    tasks(server, "v2", 10)
    server.add("errors_total", 50, pod="a")
    kpi = Kpi.model_validate(
        {
            "name": "tasks",
            "bad": "errors_total",
            "total": 'agent_tasks_started_total{version="$version"}',
            "margin": {"absolute": "1%"},
        }
    )
    assert "cannot be told apart" in source(server).read("v1", "v2", (kpi,)).kpis["tasks"].problem


def test_two_replicas_that_take_turns_invent_no_outcomes(server):
    """One of them scraped a little earlier: counters seem to fall, and nothing began anew."""
    over, ledger = source(server), Ledger()
    total = 0.0
    for turn in range(10):
        server.series.clear()
        started = 100_000 + 1000 * (turn + 1 if turn % 2 else turn - 2)  # the other replica is three scrapes behind
        tasks(server, "v1", started, started // 100)
        tasks(server, "v2", 5)
        time.sleep(0.03)
        over._client._shared.clear()
        ledger, found = take(ledger, over.read("v1", "v2", (TASKS,)), fakes_now())
        total += found["tasks"].increment.all_s if "tasks" in found else 0.0
    assert total == (100_000 + 10_000) - (100_000 - 2000)


def test_an_answer_without_end_is_cut(server, monkeypatch):
    monkeypatch.setattr("rollout.adapters.metrics.prometheus_connection.ANSWER_MAX_BYTES", 100_000)
    server.answer = (200, "application/json", '{"data":"' + "x" * 1_000_000 + '"}')
    assert "take out labels" in source(server).read("v1", "v2", (TASKS,)).kpis["tasks"].problem


def test_a_redirect_is_not_followed(server):
    server.answer = (302, "text/html", "elsewhere")
    assert source(server).read("v1", "v2", (TASKS,)).kpis["tasks"].problem != ""


def test_who_did_not_answer_in_time_is_left_alone_for_a_while(server):
    over = threading.Event()
    server.answer = lambda: over.wait(60) and HTML
    reader = source(server, timeout_s=1.0)  # left alone for five times as long
    reader.read("v1", "v2", (TASKS,))
    asked = len(server.asked)
    assert "lately" in reader.read("v1", "v2", (TASKS,)).kpis["tasks"].problem and len(server.asked) == asked
    over.set()


LAGS = {
    # name: readings of (bad, all) one after another, and what must have been counted in the end
    "a first failure that the other replica has not seen": (
        [(0, 50_000), (1, 50_100), (0, 50_050), (1, 50_150)],
        (1, 150),
    ),
    "a small counter that falls far on a page that does not": ([(3, 50_000), (1, 49_990), (3, 50_020)], (0, 20)),
    "a young process": ([(3, 300), (1, 140), (6, 600)], (3, 300)),
    "a process that has begun anew": ([(20, 1000), (12, 400), (15, 500), (16, 600)], (16, 600)),
    "two that take turns": ([(10, 1000), (9, 960), (12, 1200), (11, 1150), (14, 1400)], (4, 400)),
}


@pytest.mark.parametrize("case", LAGS)
def test_what_lags_is_held_and_what_began_anew_is_counted_once_it_is_sure(case):
    from rollout.engine.facts import Counters, KpiReading, Round

    readings, expected = LAGS[case]
    ledger, bad, every = Ledger(), 0.0, 0.0
    for failed, started in readings:
        counters = Counters(bad={"p|f": failed} if failed else {}, total={"p|s": started})
        kpi = KpiReading(stable=counters, candidate=Counters(bad={}, total={"q|s": 1}))
        ledger, found = take(ledger, Round({"tasks": kpi}, KpiReading(), lagging=True), fakes_now())
        bad += found["tasks"].increment.bad_s if "tasks" in found else 0.0
        every += found["tasks"].increment.all_s if "tasks" in found else 0.0
    assert (bad, every) == expected


@pytest.mark.parametrize(
    ("bound", "written"),
    [
        ("16777216", "1.6777216e+07"),
        ("16777216", "16777216.0"),
        ("0.5", "0.5"),
        ("2.5", "2.50"),
        ("8000", "8e+03"),
        ("1e6", "1e+06"),
        ("1000000", "1e+06"),
    ],
)
def test_every_spelling_of_a_bound_is_that_bound_and_no_other(bound, written):
    import re

    from rollout.adapters.metrics.terms import any_spelling

    pattern = any_spelling(bound).removeprefix('le=~"').removesuffix('"')
    if written != "2.50":
        assert re.fullmatch(pattern, written)
    assert all(float(each.replace("[.]", ".").replace("[+]", "+")) == float(bound) for each in pattern.split("|"))
    assert any_spelling("1e999") == 'le="1e999"'
