"""The definitions: what a real API server takes, equal to what is shipped, and no laxer or stricter than lint."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from rollout.model.crd.definitions import definitions
from rollout.model.crd.structural import Bounds, structural
from rollout.model.documents import policy_spec, rollout_spec
from rollout.model.status.conditions import ConditionType
from rollout.model.status.vocabulary import Reason
from tests.fakes import agents, schemas

ROOT = Path(__file__).parents[2]
ROLLOUTS, POLICIES = definitions()


def schema_of(definition: dict[str, Any]) -> dict[str, Any]:
    return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(schema: dict[str, Any], path: str = ""):
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from nodes(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


def test_what_is_shipped_is_what_the_model_says():
    shipped = list(yaml.safe_load_all((ROOT / "manifests/crds/rollout.dev.yaml").read_text()))
    assert shipped == [ROLLOUTS, POLICIES], "run: rollout crd > manifests/crds/rollout.dev.yaml"


@pytest.mark.parametrize("definition", [ROLLOUTS, POLICIES], ids=["Rollout", "RolloutPolicy"])
def test_every_field_that_a_rule_names_can_be_seen_by_it(definition):
    assert schemas.unseen_by_rules(schema_of(definition)) == []


def test_a_field_without_a_type_is_seen_by_no_rule():
    rule = {"rule": "has(self.inline)", "message": ""}
    free = {"x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"inline": free}, "x-kubernetes-validations": [rule]}
    assert schemas.unseen_by_rules(schema) == [".inline: has(self.inline)"]
    schema["properties"]["inline"] = {**free, "type": "object"}
    assert schemas.unseen_by_rules(schema) == []


@pytest.mark.parametrize("definition", [ROLLOUTS, POLICIES], ids=["Rollout", "RolloutPolicy"])
def test_every_field_is_described(definition):
    ours = schema_of(definition)["properties"]
    bare = [
        path
        for part in ("spec", "status")
        for path, node in nodes(ours.get(part, {}))
        if path and not path.endswith(("[]", "{}")) and not node.get("description")
    ]
    assert bare == []


@pytest.mark.parametrize("definition", [ROLLOUTS, POLICIES], ids=["Rollout", "RolloutPolicy"])
def test_every_field_is_structural_and_bounded(definition):
    bounds = {"string": ("maxLength", "enum", "format"), "array": ("maxItems",)}
    for path, node in nodes(schema_of(definition)):
        if path in ("", ".apiVersion", ".kind", ".metadata"):
            continue
        free = node.get("x-kubernetes-preserve-unknown-fields") or node.get("x-kubernetes-int-or-string")
        assert free or node["type"] in schemas.TYPES, path
        assert not {"$ref", "anyOf", "oneOf", "const", "discriminator", "default", "title", "nullable"} & node.keys(), (
            path
        )
        if not free and node["type"] in bounds:
            assert any(key in node for key in bounds[node["type"]]), f"{path} has no bound"
        if not free and node["type"] == "object":
            assert "properties" in node or "maxProperties" in node, f"{path} is a mapping of anything"


def test_nothing_of_a_single_machine_is_in_the_definitions():
    spec = schema_of(ROLLOUTS)["properties"]["spec"]["properties"]
    assert "endpoints" not in spec["backends"]["properties"]
    assert set(spec["routes"]["items"]["properties"]) == {"httpRoute", "grpcRoute", "virtualService"}
    assert set(spec["metrics"]["properties"]) == {"prometheus"}


def test_conditions_are_a_map_by_type_with_closed_reasons():
    conditions = schema_of(ROLLOUTS)["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map" and conditions["x-kubernetes-list-map-keys"] == ["type"]
    fields = conditions["items"]["properties"]
    assert fields["reason"]["enum"] == [reason.value for reason in Reason]
    assert fields["type"]["enum"] == [kind.value for kind in ConditionType]
    assert "observedGeneration" in fields


def test_people_find_a_rollout_by_its_short_name_and_see_where_it_is():
    spec = ROLLOUTS["spec"]
    assert spec["names"]["shortNames"] == ["arl"] and spec["versions"][0]["subresources"] == {"status": {}}
    columns = [column["name"] for column in spec["versions"][0]["additionalPrinterColumns"]]
    assert columns == ["Version", "Stable", "Phase", "Weight", "Step", "Ready", "Reason", "Age"]


def test_a_union_in_the_model_is_refused_loudly_rather_than_dropped():
    class Either(BaseModel):
        one: int | str

    class Anything(BaseModel):
        bag: dict[str, Any]

    class Unbounded(BaseModel):
        text: str

    class Bounded(BaseModel):
        text: str = Field(max_length=3)

    for model, word in ((Either, "union"), (Anything, "mapping of anything"), (Unbounded, "no upper bound")):
        with pytest.raises(ValueError, match=word):
            structural(model, Bounds(members=5))
    assert structural(Bounded, Bounds())["properties"]["text"]["maxLength"] == 3


def accepted_by_schema(document: dict[str, Any], definition: dict[str, Any]) -> bool:
    """Whether a server would take the spec, CEL apart."""
    schema, spec = schema_of(definition)["properties"]["spec"], copy.deepcopy(document)
    return not schemas.prune(spec, schema) and not schemas.faults(spec, schema)


@pytest.mark.parametrize("path", sorted((ROOT / "policies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_policy_we_hand_out_fits_the_definition(path):
    for document in yaml.safe_load_all(path.read_text()):
        assert accepted_by_schema(document["spec"], POLICIES)


@pytest.mark.parametrize("path", sorted((ROOT / "manifests/examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_fits_the_definitions_and_lint(path):
    for document in yaml.safe_load_all(path.read_text()):
        if document["kind"] == "Rollout":
            assert accepted_by_schema(document["spec"], ROLLOUTS)
            assert rollout_spec(copy.deepcopy(document["spec"]))[1] == []
        if document["kind"] == "RolloutPolicy":
            assert accepted_by_schema(document["spec"], POLICIES)
            assert policy_spec(copy.deepcopy(document["spec"]))[1] == []


DURATIONS = st.sampled_from(["5m", "1h30m", "500ms", "0s", "1 h", "5", "m5", "999999s", ""])
PERCENTS = st.sampled_from(["1%", "10%", "99.99%", "100%", "010%", "101%", "5", "%", "1.234%", "00.5%"])
STEPS = st.lists(
    st.fixed_dictionaries(
        {"weight": PERCENTS}, optional={"for": DURATIONS, "approval": st.sampled_from(["required", "no"])}
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, margin=PERCENTS, every=DURATIONS)
def test_what_lint_takes_a_server_takes_too(steps, margin, every):
    """Nobody passes lint and is refused by the cluster; forms that the schema knows are refused by both."""
    document = {
        "canary": {"steps": steps},
        "kpis": [{"name": "a", "preset": "agent-tasks", "margin": {"absolute": margin}}],
        "evidence": {"sampleEvery": every},
    }
    faults = policy_spec(copy.deepcopy(document))[1]
    if not faults:
        assert accepted_by_schema(document, POLICIES), document
    if not accepted_by_schema(document, POLICIES):
        assert faults, document


def test_fields_of_a_newer_definition_are_passed_over_by_the_controller_and_refused_by_lint():
    spec = agents.rollout("http://p:9090")["spec"] | {"tomorrow": 1}
    spec["backends"]["colour"] = {"deep": [1]}
    assert {fault.path for fault in rollout_spec(copy.deepcopy(spec))[1]} == {"spec.tomorrow", "spec.backends.colour"}
    parsed, faults = rollout_spec(copy.deepcopy(spec), lenient=True)
    assert not faults and parsed is not None and parsed.backends.service == "$name-$version"
    policy = copy.deepcopy(agents.POLICY_SPEC) | {"moon": True}
    policy["kpis"][0]["phase"] = "full"
    assert policy_spec(copy.deepcopy(policy))[1] and not policy_spec(policy, lenient=True)[1]
