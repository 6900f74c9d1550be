"""Documents: what is right is read, what is wrong is told all at once, with place, value and remedy."""

import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rollout.cli.documents import check
from rollout.errors import Fault
from rollout.model.api.policy import PolicySpec, digest
from rollout.model.documents import Documents, policy_spec, read_files, read_text, rollout_spec
from rollout.model.units import duration_s, expand, format_duration, format_percent, percent_bp

POLICIES = Path(__file__).parents[2] / "policies"

POLICY = {
    "canary": {"steps": [{"weight": "10%", "for": "5m"}, {"weight": "50%", "for": "5m", "until": "evidence"}]},
    "kpis": [{"name": "errors", "preset": "envoy/errors", "margin": {"relative": "10%", "absolute": "0.05%"}}],
}
SPEC = {
    "version": "v1",
    "backends": {
        "endpoints": [{"version": "v1", "url": "http://127.0.0.1:1"}, {"version": "v2", "url": "http://127.0.0.1:2"}]
    },
    "routes": [{"envoy": {"listen": "127.0.0.1:8080"}}],
    "metrics": {"scrape": {"path": "/metrics"}},
    "policy": POLICY,
}


def edited(document: dict, path: str, value: object) -> dict:
    """Return a copy with one value replaced; `...` removes it."""
    made = copy.deepcopy(document)
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    inside = made
    for step in parents:
        inside = inside[step]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return made


def faults_of(raw: dict, kind: str = "policy") -> list[Fault]:
    made = copy.deepcopy(raw)
    return policy_spec(made)[1] if kind == "policy" else rollout_spec(made)[1]


def test_right_documents_have_no_faults():
    assert faults_of(POLICY) == [] and faults_of(SPEC, "rollout") == []


@pytest.mark.parametrize(
    ("path", "value", "place", "word"),
    [
        ("canary.steps.0.weight", "150%", "canary.steps[0].weight", "more than 100%"),
        ("canary.steps.0.weight", "0%", "canary.steps[0].weight", "without traffic"),
        ("canary.steps.0.weight", 10, "canary.steps[0].weight", "not a percentage"),
        ("canary.steps.0.weight", "100%", "canary.steps[0].weight", "100%"),
        ("canary.steps.1.weight", "10%", "canary.steps[1].weight", "not above"),
        ("canary.steps.0.for", "5 minutes", "canary.steps[0].for", "not a duration"),
        ("canary.steps.0.for", 300, "canary.steps[0].for", "not a duration"),
        ("canary.steps.1.atMost", "1m", "canary.steps[1].atMost", "shorter"),
        ("canary.steps.0.atMost", "1h", "canary.steps[0].atMost", "does not have"),
        ("canary.steps.0.untill", "evidence", "canary.steps[0].untill", "unknown field"),
        ("canary.steps.1.until", "tomorrow", "canary.steps[1].until", "must be one of"),
        ("canary.steps", [], "canary.steps", "at least 1"),
        ("canary", ..., "", "exactly one of canary, blueGreen"),
        ("blueGreen", {}, "", "canary and blueGreen are both given"),
        ("kpis", [], "kpis", "at least 1"),
        ("kpis.0.margin", ..., "kpis[0]", "neither margin nor atMost"),
        ("kpis.0.margin", {"relative": "0%"}, "kpis[0].margin", "zero"),
        ("kpis.0.margin", {"odds": "10%", "absolute": "1%"}, "kpis[0].margin", "mixes"),
        ("kpis.0.margin", {}, "kpis[0].margin", "says nothing"),
        ("kpis.0.bad", "x", "kpis[0]", "exactly one of preset, bad, good"),
        ("kpis.0.promotionMargin", {"relative": "5%", "absolute": "1%"}, "kpis[0].promotionMargin.relative", "narrower"),
        ("kpis.0.advisory", True, "kpis", "no KPI with a margin is binding"),
        ("kpis.0.matures", "240h", "kpis[0].matures", "longer than 7 days"),
        ("kpis.0.sum", "a_sum", "kpis[0].sum", "set by the preset"),
        ("gates", {"state": {"require": "both"}}, "gates.state.require", "must be one of"),
        ("gates", {"state": {"every": "1s"}}, "gates.state.every", "too often"),
        (
            "gates",
            {"state": {"waivers": [{"code": "NO_CONTRACT", "reason": "r", "owner": "o", "expires": "2030-01-01"}]}},
            "gates.state.waivers[0].code",
            "cannot be waived",
        ),
        (
            "gates",
            {"state": {"waivers": [{"code": "KEY_ADDED", "reason": "r", "owner": "o"}]}},
            "gates.state.waivers[0].expires",
            "missing",
        ),
        ("gates", {"windows": [{"cron": "0 9 * * 1-5", "for": "8h"}]}, "gates.windows[0].cron", "write mon"),
        ("gates", {"windows": [{"cron": "0 25 * * *", "for": "8h"}]}, "gates.windows[0].cron", "hour: 25 is out of range"),
        ("gates", {"windows": [{"cron": "0 9 * *", "for": "8h"}]}, "gates.windows[0].cron", "has 4 fields"),
        ("gates", {"windows": [{"cron": "0 9 31 2 *", "for": "8h"}]}, "gates.windows[0].cron", "never comes"),
        ("gates", {"windows": [{"cron": "0 9 * * fri-mon", "for": "8h"}]}, "gates.windows[0].cron", "backwards"),
        ("gates", {"freezes": [{"cron": "0 9 * * *", "for": "0s"}]}, "gates.freezes[0].for", "above 0s"),
        ("gates", {"freezes": [{"cron": "0 9 * * *", "for": "1h", "timezone": "Mars/Base"}]}, "gates.freezes[0].timezone", "not a time zone"),
        ("gates", {"webhooks": [{"name": "a", "url": "ftp://x"}]}, "gates.webhooks[0].url", "right form"),
        ("gates", {"webhooks": [{"name": "a", "url": "http://user:pw@x/y"}]}, "gates.webhooks[0].url", "right form"),
        ("gates", {"commands": [{"name": "a", "run": []}]}, "gates.commands[0].run", "at least 1"),
        ("gates", {"commands": [{"name": "a", "run": ["x"]}, {"name": "a", "run": ["y"]}]}, "gates.commands[1].name", "another check"),
        ("gates", {"commands": [{"name": "a", "run": ["a\0b"]}]}, "gates.commands[0].run[0]", "right form"),
        ("spendCap", {"counter": "cost_total", "atMost": 5}, "spendCap.counter", "both versions together"),
        ("spendCap", {"counter": "c{v='$version'}", "atMost": 0}, "spendCap.atMost", "greater than 0"),
        ("undo", {"steps": [{"weight": "100%"}]}, "undo.steps[0].weight", "no stable version"),
        ("canary.bake", {"for": "10m", "atMost": "5m"}, "canary.bake.atMost", "shorter than `for`"),
        ("evidence", {"falseRollback": "0%"}, "evidence.falseRollback", "above 0%"),
        ("evidence", {"sampleEvery": "1ms"}, "evidence.sampleEvery", "between"),
        ("evidence", {"dispersion": "0.5"}, "evidence.dispersion", "not a dispersion"),
        ("reactions", {"worse": "explode"}, "reactions.worse", "must be one of"),
        ("reactions", {"noData": {"after": "x", "do": "pause"}}, "reactions.noData.after", "not a duration"),
    ],
)  # fmt: skip
def test_a_fault_in_a_policy_is_told_with_place_and_remedy(path, value, place, word):
    found = faults_of(edited(POLICY, path, value))
    match = [fault for fault in found if fault.path == place and word in fault.message + fault.remedy]
    assert match, found
    assert all(fault.remedy for fault in found)


@pytest.mark.parametrize(
    ("path", "value", "place", "word"),
    [
        ("version", "V/1", "spec.version", "right form"),
        ("version", 2, "spec.version", "must be a string"),
        ("backends.endpoints.1.url", "http://127.0.0.1:1", "spec.backends.endpoints[1].url", "cannot be told apart"),
        ("backends.endpoints.1.url", "127.0.0.1:9", "spec.backends.endpoints[1].url", "http://127.0.0.1:9"),
        ("backends.endpoints.1.url", "https://x", "spec.backends.endpoints[1].url", "https is not supported"),
        ("backends.endpoints.1.url", "http://x/base", "spec.backends.endpoints[1].url", "right form"),
        ("backends.endpoints.1.url", "http://x:0", "spec.backends.endpoints[1].url", "not the address of a server"),
        (
            "backends.endpoints.1.url",
            "http://127.0.0.1:abc",
            "spec.backends.endpoints[1].url",
            "not the address of a server",
        ),
        ("backends.endpoints.1.url", "http://[::1", "spec.backends.endpoints[1].url", "not the address of a server"),
        ("routes.0.envoy.preview", "127.0.0.1:8080", "spec.routes[0].envoy.preview", "users enter by"),
        ("routes.0.envoy", {"admin": "127.0.0.1:9901"}, "spec.routes[0].envoy.directory", "is missing"),
        (
            "routes.0.envoy",
            {"listen": "127.0.0.1:8080", "admin": "127.0.0.1:9901"},
            "spec.routes[0].envoy",
            "both given",
        ),
        ("routes.0.envoy.listen", "127.0.0.1:1", "spec.routes[0].envoy.listen", "address of a version"),
        ("routes.0.envoy.listen", 8080, "spec.routes[0].envoy.listen", "127.0.0.1:8080"),
        ("paused", "yes", "spec.paused", "must be a boolean"),
        ("backends.endpoints", [], "spec.backends.endpoints", "at least 1"),
        ("backends", {"service": "$name"}, "spec.backends.service", "all versions have the same name"),
        ("routes.0.httpRoute", {"name": "x"}, "spec.routes[0]", "both given"),
        ("routes.0", {"httpRoute": {"name": "x"}}, "spec.routes[0].httpRoute", "is in a cluster"),
        ("routes.0.envoy.listen", "127.0.0.1:99999", "spec.routes[0].envoy.listen", "not a port"),
        ("metrics", {}, "spec.metrics", "exactly one of prometheus, scrape"),
        (
            "metrics",
            {"prometheus": {"url": "http://p:9090", "timeout": "1h"}},
            "spec.metrics.prometheus.timeout",
            "30s",
        ),
        ("metrics", {"prometheus": {"url": "x"}}, "spec.metrics.prometheus", "rollouts in a cluster"),
        ("backends", {"service": "$name", "subset": "x"}, "spec.backends.subset", "all versions have the same name"),
        ("backends", {"service": "$name", "subset": "$version"}, "spec.routes[0].envoy", "knows no subsets"),
        (
            "backends",
            {"service": "$name-$version", "subset": "$version"},
            "spec.backends.service",
            "tells versions apart already",
        ),
        ("backends", {"service": "$name-$version"}, "spec.routes[0].envoy", "on one machine"),
        ("policyRef", {"name": "x"}, "spec", "both given"),
        ("policy", ..., "spec", "exactly one of policyRef, policy"),
        ("contract", {"file": "x"}, "spec.contract.file", "all versions have the same name"),
        ("contract", {"file": "$version", "http": {}}, "spec.contract", "both given"),
        ("contract", {"configMap": {"name": "$version"}}, "spec.contract.configMap", "in a cluster"),
        ("contract", {"http": {"timeout": "1h"}}, "spec.contract.http.timeout", "out of bounds"),
        ("contract", {}, "spec.contract", "exactly one"),
        ("stateStore", {"sqlite": {"path": "x"}, "postgres": {"env": "X"}}, "spec.stateStore", "both given"),
        ("stateStore", {"postgres": {}}, "spec.stateStore.postgres", "exactly one"),
        (
            "stateStore",
            {"postgres": {"secretKeyRef": {"name": "a", "key": "b"}}},
            "spec.stateStore.postgres.secretKeyRef",
            "in a cluster",
        ),
        ("conversation", {}, "spec.conversation", "unknown field"),
        ("policy.canary.steps.0.weight", "101%", "spec.policy.canary.steps[0].weight", "more than 100%"),
    ],
)
def test_a_fault_in_a_rollout_is_told_with_place_and_remedy(path, value, place, word):
    found = faults_of(edited(SPEC, path, value), "rollout")
    assert [fault for fault in found if fault.path == place and word in fault.message + fault.remedy], found


def test_all_faults_are_told_at_once_and_none_twice():
    raw = copy.deepcopy(POLICY)
    raw["canary"]["steps"] = [{"weight": "50%", "for": "x"}, {"weight": "5%", "whan": 1}, {"weight": "200%"}]
    raw["kpis"] = [{"name": "a", "preset": "p"}, {"name": "a", "total": "b", "margin": {"relative": 1}}]
    raw["evidence"] = {"falsePromotion": "99%"}
    places = [fault.path for fault in faults_of(raw)]
    for place in (
        "canary.steps[0].for",
        "canary.steps[1].weight",
        "canary.steps[1].whan",
        "canary.steps[2].weight",
        "kpis[0]",
        "kpis[1].name",
        "kpis[1]",
        "kpis[1].margin.relative",
        "evidence.falsePromotion",
    ):
        assert places.count(place) == 1, (place, places)


def test_a_typo_is_answered_with_the_nearest_word():
    found = faults_of(edited(POLICY, "canary.steps.0.weigth", "1%"))
    assert any("did you mean weight?" in fault.remedy for fault in found)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "not YAML"),
        ("a: 1\na: 2", "written twice"),
        ("", "holds no document"),
        ("- 1", "must be a mapping"),
        ("kind: Deployment\napiVersion: rollout.dev/v1alpha1", "neither Rollout nor RolloutPolicy"),
        ("a: !!python/object/apply:os.system [ls]", "not YAML"),
        ("on: 1", "unknown field"),
        ("? [1, 2]\n: 3", "not YAML"),
    ],
)
def test_what_is_no_document_is_told_as_such(text, word):
    documents = Documents()
    read_text(text, "file", documents)
    assert any(word in str(fault) for fault in documents.faults), documents.faults
    assert not documents.rollouts and not documents.policies


def test_files_that_cannot_be_read_are_faults(tmp_path):
    (tmp_path / "large.yaml").write_text("#" * (1024 * 1024 + 1))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    documents = read_files([tmp_path / "absent.yaml", tmp_path / "large.yaml", tmp_path / "binary.yaml"])
    assert [fault.path.rpartition("/")[2] for fault in documents.faults] == ["absent.yaml", "large.yaml", "binary.yaml"]


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_policies_we_hand_out_are_right(path):
    documents = read_files([path])
    assert check(documents) == [] and len(documents.policies) == 1
    assert "When to use it" in path.read_text() and "What to expect" in path.read_text()


def test_references_between_documents_are_checked():
    documents = Documents()
    spec = edited(edited(SPEC, "policy", ...), "policyRef", {"name": "gone"})
    for kind, body in (("Rollout", edited(spec, "version", "v9")), ("RolloutPolicy", POLICY)):
        head = {"apiVersion": "rollout.dev/v1alpha1", "kind": kind, "metadata": {"name": "here"}}
        read_text(yaml.safe_dump({**head, "spec": body}), "file", documents)
    told = "\n".join(map(str, check(documents)))
    assert "spec.policyRef.name" in told and "there is here" in told
    assert "spec.version" in told and "has no endpoint" in told


def test_a_pinned_policy_reads_back_as_itself_and_keeps_its_digest():
    policy, _ = policy_spec(copy.deepcopy(POLICY))
    again = PolicySpec.model_validate_json(policy.canonical())
    assert again == policy and digest(again.canonical()) == digest(policy.canonical())
    assert digest("x").startswith("sha256:v1:")


@given(st.integers(0, 10_000))
def test_percentages_survive_being_written_and_read(basis_points):
    assert percent_bp(format_percent(basis_points)) == basis_points


@given(st.integers(0, 99_999 * 1000))
def test_durations_survive_being_written_and_read(milliseconds):
    assert duration_s(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=1e-6)


@pytest.mark.parametrize("text", ["1", "1d", "", "-1s", "1.5h", "100000s", "1h1h1h1h1h", None, 5])
def test_what_gateway_api_calls_no_duration_is_none(text):
    with pytest.raises(ValueError):
        duration_s(text)


@pytest.mark.parametrize("text", ["10", "10.123%", "-1%", "1000%", "100.01%", " 1%", None, 0.1])
def test_what_is_no_percentage_is_refused(text):
    with pytest.raises(ValueError):
        percent_bp(text)


def test_templates_are_filled_in_and_a_dollar_stays_a_dollar():
    assert expand('a{v="$version",n="${name}"} $$ $other', name="n", version="v1") == 'a{v="v1",n="n"} $ $other'


def test_a_field_is_read_by_its_former_name_too():
    policy, faults = policy_spec({**copy.deepcopy(POLICY), "evidence": {"lookEvery": "7s"}})
    assert faults == [] and policy is not None and policy.evidence.sample_every_s == 7.0
    assert "lookEvery" not in policy.canonical() and '"sampleEvery":"7s"' in policy.canonical()
    assert [fault.path for fault in faults_of({**POLICY, "evidence": {"lookEvery": "1ms"}})] == ["evidence.lookEvery"]
