"""Documents, annotations and statuses, however odd: read, or refused with faults; never anything else."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rollout.adapters.egress import Egress
from rollout.adapters.kubernetes.resources import ROLLOUT
from rollout.adapters.storage.command_annotations import ABORT, COMMAND, commands_of, unreadable
from rollout.adapters.storage.kubernetes import row_of
from rollout.adapters.storage.rollout_resource import conditions_in, generation_of, status_of, visible_status
from rollout.controller.declared import readable
from rollout.controller.effective_spec import EffectiveSpecs
from rollout.controller.policy_faults import faults_of
from rollout.errors import InvalidInput
from rollout.model.documents import policy_spec, read_documents, read_files, rollout_spec
from tests.fakes import agents
from tests.fuzz.odd import changed, deep, fuzz, tame, values
from tests.statuses import status_with

CLUSTER = agents.rollout(
    "http://prometheus:9090",
    contract={"inline": {"v1": {"type": "object"}}},
    stateStore={"postgres": {"secretKeyRef": {"name": "db", "key": "url"}}},
    conversations={"pinBy": {"header": "x-thread-id"}, "turns": 10},
)
LOCAL = {
    "version": "v1",
    "backends": {"endpoints": [{"version": "v1", "url": "http://127.0.0.1:9001"}]},
    "routes": [{"envoy": {"listen": "127.0.0.1:8080"}}],
    "metrics": {"scrape": {"path": "/metrics"}},
    "policyRef": {"name": "quick"},
}
MEANS = {"name": "tokens", "sum": "t_sum", "count": "t_count", "dispersion": {"mean": 3, "shape": 1}, "goal": "lower"}
POLICY = agents.policy(
    gates={
        "windows": [{"cron": "0 9 * * 1-5", "for": "8h", "timezone": "Europe/Berlin"}],
        "webhooks": [{"name": "h", "url": "https://ci.example/x", "auth": {"bearer": {"env": "ROLLOUT_GATE_X"}}}],
        "state": {"require": "backward"},
    },
    spendCap={"counter": "cost_total", "atMost": 100},
)


def named(kind, spec):
    return {"apiVersion": ROLLOUT.api_version, "kind": kind, "metadata": {"name": "agent"}, "spec": spec}


@fuzz
@given(changed(CLUSTER["spec"]) | changed(LOCAL) | values)
def test_an_odd_spec_is_read_or_refused(spec):
    with tame():
        rollout_spec(copy.deepcopy(spec))
        rollout_spec(copy.deepcopy(spec), lenient=True)


@fuzz
@given(changed(POLICY["spec"]) | changed({**POLICY["spec"], "kpis": [*POLICY["spec"]["kpis"], MEANS]}) | values)
def test_an_odd_policy_is_read_or_refused(spec):
    with tame():
        policy_spec(copy.deepcopy(spec))
        policy, _ = policy_spec(copy.deepcopy(spec), lenient=True)
        if policy is not None:
            faults_of(policy, Egress({}), "default")


@fuzz
@given(changed(named("Rollout", LOCAL), times=4) | changed(POLICY, times=4))
def test_an_odd_document_is_read_or_refused_with_a_place_for_each_fault(document):
    with tame():
        try:
            text = yaml.safe_dump(document)
        except (yaml.YAMLError, RecursionError, ValueError):
            return  # no YAML can say it
        try:
            read_documents(text, "f.yaml")
        except InvalidInput as error:
            assert error.faults and all(fault.path.startswith("f.yaml") for fault in error.faults)


@fuzz
@given(st.text(alphabet="abc:-[]{}&*!|>%@`'\"#,? \n\t\\0123456789.<~=\x00\ufeff", max_size=60))
def test_any_text_is_yaml_or_is_not(text):
    with tame():
        read_documents(text, "f.yaml")


@pytest.mark.parametrize("depth", [50, 500, 5000])
@pytest.mark.parametrize("path", [("spec",), ("spec", "backends"), ("metadata",), ("metadata", "name"), ("kind",)])
def test_a_document_that_is_nested_deeply_is_refused(path, depth):
    document = named("Rollout", copy.deepcopy(LOCAL))
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = "DEEP"
    with pytest.raises(InvalidInput):
        read_documents(json.dumps(document).replace('"DEEP"', "[" * depth + "]" * depth))
    with tame():
        rollout_spec({**LOCAL, "backends": deep(depth)})
        policy_spec({"kpis": deep(depth)})


# -- what is in a cluster ----------------------------------------------------------------------------------------------

STATUS = {
    "phase": "Observing",
    "stableVersion": "v1",
    "candidateVersion": "v2",
    "observedGeneration": 1,
    "conditions": [{"type": "Ready", "status": "True", "reason": "x", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    "traffic": {"wantedBp": 1000},
    "internal": json.dumps({"handled": []}),
    "contracts": {"v1": {"text": "{}", "digest": "x"}},
}


@fuzz
@given(changed(STATUS) | values, changed(CLUSTER["spec"]))
def test_an_odd_resource_is_read_as_far_as_it_can_be(status, spec):
    obj = {**CLUSTER, "metadata": {"name": "agent", "namespace": "default", "generation": 2}, "spec": spec}
    obj["status"] = status if isinstance(status, dict) else {"internal": status}
    for read in (status_of, visible_status, conditions_in, generation_of, row_of, readable):
        with tame():
            read(copy.deepcopy(obj))


@fuzz
@given(
    changed({"id": "1", "verb": "pause", "actor": "a", "expect": {"phase": "Baking", "step": 1}}), st.text(max_size=50)
)
def test_an_odd_annotation_asks_for_nothing_or_for_something_readable(command, text):
    try:
        written = json.dumps(command)
    except (ValueError, RecursionError):
        written = text
    for given_as in ({COMMAND: written}, {ABORT: written}, {COMMAND: text, ABORT: text}):
        obj = {**CLUSTER, "metadata": {"name": "agent", "namespace": "default", "annotations": given_as}}
        with tame():
            for asked in commands_of(obj):
                json.dumps([asked.id, asked.actor, asked.reason]).encode()
            unreadable(obj)


@fuzz
@given(st.text(max_size=100) | changed(CLUSTER["spec"]).map(lambda spec: json.dumps(spec, default=str)))
def test_a_wiring_that_somebody_has_changed_is_read_or_refused(wiring):
    status = status_with(phase="Observing", stable_version="v1", candidate_version="v2", wiring=wiring)
    with tame():
        EffectiveSpecs().of(CLUSTER, None, None, status, None)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_a_file_without_end_is_refused():
    documents = read_files([Path("/dev/zero")])
    assert [fault.message for fault in documents.faults] == ["is larger than 1 MiB"]
