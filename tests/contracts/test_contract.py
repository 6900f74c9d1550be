"""The contract document, `rollout contract`, and what an agent serves."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import date
from typing import TypedDict

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from rollout.cli.app import command_line
from rollout.contracts.check import check, verdict
from rollout.contracts.contract import Contract
from rollout.contracts.contract_text import load, read
from rollout.contracts.export import ServeContract, export
from rollout.contracts.export.models import schema_of
from rollout.contracts.finding_codes import HINTS
from rollout.errors import InvalidInput
from rollout.model.agent_state import Axis, Finding, Severity, Waiver

GRAPH = {"contractVersion": 1, "framework": {"name": "langgraph"}, "nodes": {"a": {"interruptCalls": []}}}


def contract(**changes):
    return read(json.dumps({**GRAPH, **changes}))


def run(*arguments):
    """The command line as a user meets it: exit code, stdout."""
    found = CliRunner().invoke(command_line(), ["contract", *map(str, arguments)])
    return found.exit_code, found.stdout, found.exception


def written(tmp_path, **documents):
    for name, document in documents.items():
        (tmp_path / f"{name}.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return [tmp_path / f"{name}.json" for name in documents]


# -- the document ------------------------------------------------------------------------------------------------------


def test_a_contract_is_known_by_what_it_says_and_not_by_how_it_is_written():
    one = read('{"contractVersion": 1, "agent": "x", "nodes": {"a": {}, "b": {}}}')
    two = read('{"nodes": {"b": {}, "a": {}}, "agent": "x", "contractVersion": 1, "unheardOf": true}')
    assert one.digest == two.digest and one.digest.startswith("sha256:v1:")
    assert read(one.canonical()) == one
    assert one.digest != read('{"contractVersion": 1, "agent": "y", "nodes": {"a": {}, "b": {}}}').digest


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "is not JSON"),
        ("[]", "neither a contract nor a JSON Schema"),
        ('{"contractVersion": 2}', "is not known here"),
        ('{"contractVersion": 1, "nodes": 3}', "must be a mapping"),
        ('{"type": "strin"}', "is no JSON type"),
        ('{"properties": {"a": {"minLength": -1}}}', "is not a count"),
        ('{"contractVersion": 1, "state": {"writer": {"required": [1]}}}', "must be a list of names"),
        ('{"const": NaN}', "is no number in JSON"),
        ('{"const": ' + "9" * 500 + "}", "500 digits"),
        ('{"const": 1e999999}', "too large"),
        ("[" * 5000, "is not JSON"),
    ],
)
def test_what_is_no_contract_is_refused_with_its_place(text, word):
    with pytest.raises(InvalidInput, match=word):
        read(text)


def test_all_faults_of_a_schema_are_told_at_once():
    with pytest.raises(InvalidInput) as caught:
        read('{"type": 5, "properties": {"a": {"pattern": 3}, "b": {"enum": 1}}}')
    assert {fault.path for fault in caught.value.faults} == {
        "contract#/type", "contract#/properties/a/pattern", "contract#/properties/b/enum",
    }  # fmt: skip


def test_numbers_are_read_exactly():
    assert load('{"a": 9007199254740993.0, "b": 0.1}', "x")["a"] == 9007199254740993


# -- checking ----------------------------------------------------------------------------------------------------------


def codes(old, new, **options):
    return {(each.code, str(each.direction), str(each.severity)) for each in check(old, new, **options).findings}


def test_every_code_that_is_found_has_advice():
    found = {code for code, *_ in codes(contract(), contract(nodes={"b": {"interruptCalls": ["x"]}}))}
    assert found and found <= HINTS.keys()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"writesVersion": "1", "readsVersions": ["1"]}, {"writesVersion": "2", "readsVersions": ["1", "2"]}, ("ok", "break")),
        ({"writesVersion": "2", "readsVersions": ["2"]}, {"writesVersion": "1", "readsVersions": ["1"]}, ("break", "break")),
        ({}, {"store": {"migrator": {"name": "langmigrate", "writeBack": True}}}, ("ok", "break")),
        ({}, {"store": {"migrator": {"name": "langmigrate", "writeBack": False}}}, ("ok", "ok")),
        ({"framework": {"name": "langgraph", "libs": {"langgraph": "0.2.76"}}},
         {"framework": {"name": "langgraph", "libs": {"langgraph": "1.2.22"}}}, ("ok", "break")),
        ({"framework": {"name": "langgraph", "libs": {"langgraph": "0.6.11"}}},
         {"framework": {"name": "langgraph", "libs": {"langgraph": "1.2.22"}}}, ("ok", "ok")),
        ({}, {"framework": {"name": "crewai"}}, ("unknown", "unknown")),
        ({"channels": {"a": {"reducer": "m.<lambda>"}}}, {"channels": {"a": {"reducer": "m.<lambda>"}}}, ("unknown", "unknown")),
        ({"nodes": {"a": {}}}, {"nodes": {"a": {}}}, ("unknown", "unknown")),
        ({"channels": {"a": {"classes": ["x.A"]}}, "classes": {"x.A": {}}, "store": {"strictMsgpack": False}},
         {"channels": {"a": {}}, "classes": {"x.A": {}}, "store": {"strictMsgpack": True}}, ("break", "ok")),
    ],
)  # fmt: skip
def test_what_is_around_the_state_counts_too(old, new, expected):
    verdict = check(contract(**old), contract(**new))
    assert (verdict.backward, verdict.forward) == expected, verdict.findings


def test_a_verdict_tells_the_worst_first_however_its_findings_come():
    findings = [
        Finding(code=code, direction=Axis.BACKWARD, severity=severity, pointer="/b", hint="")
        for code, severity in (
            ("B", Severity.OK),
            ("C", Severity.BREAK),
            ("A", Severity.UNKNOWN),
            ("A", Severity.BREAK),
        )
    ]
    told = verdict(finding for finding in findings)
    assert [(finding.code, finding.severity) for finding in told.findings] == [
        ("A", Severity.BREAK),
        ("C", Severity.BREAK),
        ("A", Severity.UNKNOWN),
        ("B", Severity.OK),
    ]
    assert told.backward is Severity.BREAK
    assert told.forward is Severity.OK


def test_bare_schemas_are_compared_by_shape_and_say_so():
    verdict = check(read('{"type": "integer"}'), read('{"type": "number"}'))
    assert (verdict.backward, verdict.forward, verdict.scope) == ("ok", "break", "shape")
    mixed = check(read("true"), contract())
    assert mixed.scope == "whole" and {mixed.backward, mixed.forward, mixed.hop} == {"unknown"}


def test_a_contract_of_many_keys_that_are_each_hard_to_compare_shares_one_budget():
    """A thousand keys are not a thousand times the work: what is left over cannot be told."""
    hard = {"allOf": [{"anyOf": [{"required": [f"a{n}{k}"]} for k in range(5)]} for n in range(3)]}
    states = [
        {"type": "object", "properties": {f"k{n}": {**hard, "maxProperties": most} for n in range(300)}}
        for most in (9, 8)
    ]
    old, new = (contract(state={"kind": "pydantic", "writer": each, "reader": each}) for each in states)
    verdict = check(old, new)
    assert verdict.backward == "break" and "SCHEMA_TOO_LARGE" in {each.code for each in verdict.findings}


def test_a_waiver_counts_for_its_place_and_until_its_day():
    old, new = contract(nodes={"a": {"interruptCalls": []}, "b": {"interruptCalls": []}}), contract(nodes={})
    waiver = Waiver(code="NODE_REMOVED", pointer="/nodes/a", reason="r", owner="ada", expires=date(2026, 6, 30))
    in_time = check(old, new, waivers=[waiver], today=date(2026, 6, 30)).findings
    assert {each.pointer for each in in_time if each.waived_by} == {"/nodes/a"}
    assert not any(each.waived_by for each in check(old, new, waivers=[waiver], today=date(2026, 7, 1)).findings)
    everywhere = check(old, new, waivers=[waiver.model_copy(update={"pointer": ""})], today=date(2026, 1, 1))
    assert everywhere.backward == "ok"


def test_what_nobody_can_answer_for_is_not_waived():
    from rollout.contracts.check import missing
    from rollout.contracts.waivers import waived

    waiver = Waiver(code="NO_CONTRACT", reason="r", owner="ada", expires=date(2030, 1, 1), accept_unsafe=True)
    assert not any(waived(each, (waiver,), date(2026, 1, 1)).waived_by for each in missing().findings)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "options", "code"),
    [
        ({"type": "integer"}, {"type": "integer"}, (), 0),
        ({"type": "integer"}, {"type": "number"}, (), 3),
        ({"type": "integer"}, {"type": "number"}, ("--require", "backward"), 0),
        ({"type": "number"}, {"type": "integer"}, ("--require", "backward"), 3),
        ({"type": "number"}, {"type": "integer"}, ("--require", "none"), 0),
        ({"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}}, (), 0),
        ({"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}}, ("--require", "hop"), 3),
        ({"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}}, ("--open-writer",), 3),
    ],
)  # fmt: skip
def test_check_exits_as_pipelines_need_it(tmp_path, old, new, options, code):
    found, out, _ = run("check", *written(tmp_path, old=old, new=new), *options)
    assert found == code and "backward" in out and "forward" in out and "hop" in out


def test_check_tells_programs_everything(tmp_path):
    found, out, _ = run("check", *written(tmp_path, old={"type": "integer"}, new={"type": "string"}), "-o", "json")
    told = json.loads(out)
    assert found == 3 and (told["backward"], told["forward"], told["hop"]) == ("break", "break", "break")
    first = told["findings"][0]
    assert {"pointer", "code", "from", "to", "direction", "severity", "hint"} <= first.keys()
    assert (first["code"], first["from"], first["to"]) == ("TYPE_CHANGED", "integer", "string")


def test_faults_of_both_documents_are_told_at_once(tmp_path):
    code, _, error = run("check", *written(tmp_path, old="{", new='{"type": "x"}'))
    assert isinstance(error, InvalidInput) and len(error.faults) == 2 and code == 1


def test_waivers_are_read_from_a_file(tmp_path):
    documents = written(tmp_path, old={"type": "integer"}, new={"type": "string"})
    waivers = tmp_path / "waivers.yaml"
    waivers.write_text("- {code: TYPE_CHANGED, reason: migrated, owner: ada, expires: 2999-01-01}\n")
    code, out, _ = run("check", *documents, "--waivers", waivers)
    assert code == 0 and "waived by ada, until 2999-01-01: migrated" in out
    waivers.write_text("- {code: TYPE_CHANGED, owner: ada}\n")
    assert {fault.path.rpartition(".")[2] for fault in run("check", *documents, "--waivers", waivers)[2].faults} == {
        "reason", "expires",
    }  # fmt: skip


def test_export_prints_a_contract_that_check_takes(tmp_path, monkeypatch):
    (tmp_path / "shop_state.py").write_text("from pydantic import BaseModel\nclass State(BaseModel):\n    topic: str\n")
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("export", "shop_state:State", "--agent", "shop", "--version", "v1")
    found = read(out)
    assert code == 0 and (found.agent, found.version, found.state.kind) == ("shop", "v1", "pydantic")
    (path,) = written(tmp_path, contract=out)
    assert run("check", path, path)[0] == 0


@pytest.mark.parametrize("target", ["nothing", "no.such:thing", "json:nothing", "json:dumps", "absent.json"])
def test_a_target_that_names_nothing_is_told_without_a_traceback(target):
    _, _, error = run("export", target)
    assert isinstance(error, InvalidInput)


# -- what an agent serves ----------------------------------------------------------------------------------------------


class Doc(BaseModel):
    text: str


class Typed(TypedDict, total=False):
    doc: Doc
    tags: set[str]


@dataclasses.dataclass
class Card:
    number: int
    note: str = ""


@pytest.mark.parametrize(
    ("target", "kind"), [(Doc, "pydantic"), (Typed, "typeddict"), (Card, "dataclass"), ({"type": "object"}, "other")]
)
def test_types_of_every_kind_are_exported(target, kind):
    found = export(target)
    assert found.state.kind == kind and isinstance(found, Contract) and check(found, found).backward == "ok"


def test_a_set_is_no_list_and_a_dataclass_takes_no_more_than_it_knows():
    kept, _ = schema_of(Typed, "validation", for_store=True)
    assert kept["properties"]["tags"]["x-python-type"] == "set"
    assert "x-python-type" not in json.dumps(export(Typed).state.reader), "kept as JSON a set is a list"
    assert export(Card).state.reader["additionalProperties"] is False


async def _get(application, path, method="GET"):
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [],
        "query_string": b"",
        "raw_path": path.encode(),
    }
    await application(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def test_an_agent_serves_its_contract_and_everything_else_as_before():
    fastapi = pytest.importorskip("fastapi")
    agent = fastapi.FastAPI()
    found = export(Doc, agent="shop", version="v2")

    @agent.get("/chat")
    def chat():
        return "hello"

    served = ServeContract(agent, found)
    assert asyncio.run(_get(served, "/.well-known/agent-state-contract")) == (200, found.canonical().encode())
    assert asyncio.run(_get(served, "/chat")) == (200, b'"hello"')
    assert asyncio.run(_get(served, "/.well-known/agent-state-contract", "HEAD")) == (200, b"")
    other = fastapi.FastAPI()
    other.add_middleware(ServeContract, contract=found)
    assert asyncio.run(_get(other, "/.well-known/agent-state-contract"))[0] == 200
