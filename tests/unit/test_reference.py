"""What the docs, an editor and `kubectl explain` say of a field is what the model says."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from rollout.model.crd.definitions import definitions
from rollout.model.crd.editor import editor_schema
from tests import reference

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    (path, raw)
    for folder in ("policies", "manifests/examples", "docs/examples")
    for path in sorted((ROOT / folder).rglob("*.yaml"))
    for raw in yaml.safe_load_all(path.read_text())
    if raw and str(raw.get("apiVersion", "")).startswith("rollout.dev/")
]

VALIDATOR = jsonschema.Draft202012Validator(editor_schema())


def test_the_page_and_the_schema_are_made_from_the_model_as_it_is():
    assert reference.PAGE.read_text() == reference.page(), "run: make reference"
    assert reference.SCHEMA.read_text() == reference.schema(), "run: make reference"


def test_every_field_that_people_write_or_read_is_described():
    editor = editor_schema()
    written = [*reference.fields(editor["$defs"]["RolloutSpec"], "spec", editor["$defs"])]
    status = definitions()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    every = [*written, *reference.fields(status, "status", {})]
    assert len(every) > 150
    assert [path for path, field in every if not field.get("description")] == []


@pytest.mark.parametrize(("path", "raw"), DOCUMENTS, ids=lambda value: value.name if isinstance(value, Path) else "")
def test_an_editor_finds_no_fault_in_what_is_handed_out(path, raw):
    assert [error.message for error in VALIDATOR.iter_errors(raw)] == [], path


@pytest.mark.parametrize(
    ("field", "value"), [("stepz", []), ("kpis", "none"), ("evidence", {"sampleEvery": 30}), ("canary", {"steps": []})]
)
def test_an_editor_finds_what_is_wrong(field, value):
    raw = next(raw for _, raw in DOCUMENTS if raw["kind"] == "RolloutPolicy" and "canary" in raw["spec"])
    assert not VALIDATOR.is_valid({**raw, "spec": {**raw["spec"], field: value}})


def test_defaults_are_shown_as_people_write_them():
    evidence = editor_schema()["$defs"]["Evidence"]["properties"]
    assert (evidence["falseRollback"]["default"], evidence["sampleEvery"]["default"]) == ("5%", "30s")
