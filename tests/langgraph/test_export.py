"""Export from agents as people have them: laid out, made and broken in every way; each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import textwrap
import time

import pytest

from rollout.contracts.export.apart import PRINTED_MAX_BYTES, export_apart
from rollout.contracts.report import same_code
from rollout.errors import InvalidInput
from tests.integration.real import processes_with

pytest.importorskip("langgraph")

TIMEOUT_S = 60.0

GRAPH = """
from langgraph.graph import START, StateGraph
from typing import TypedDict
class State(TypedDict):
    topic: str
def approve(state):
    return {}
built = StateGraph(State)
built.add_node("approve", approve)
built.add_edge(START, "approve")
"""

FORMS = {
    "a compiled graph": ("graph = built.compile()", "graph"),
    "one that is not compiled": ("", "built"),
    "one with a config": ("graph = built.compile().with_config(tags=['a'])", "graph"),
    "a function": ("def make():\n    return built.compile()", "make"),
    "a function with a config": ("def make(config):\n    return built.compile(name=config['configurable'].get('name', 'x'))", "make"),
    "an async function": ("async def make(config: dict):\n    return built.compile()", "make"),
    "an async context manager": (
        "from contextlib import asynccontextmanager\n@asynccontextmanager\nasync def make():\n    yield built.compile()", "make",
    ),
    "a partial": ("import functools\ndef make(kind):\n    return built.compile()\nmake = functools.partial(make, 'x')", "make"),
    "what an async function has begun": ("async def make():\n    return built.compile()\ngraph = make()", "graph"),
    "a function with a config by name": ("def make(*, config):\n    return built.compile()", "make"),
    "a class that holds one": ("class Agent:\n    def __init__(self):\n        self.graph = built.compile()", "Agent"),
    "an object whose method makes one": ("class Agent:\n    def build_graph(self):\n        return built\nagent = Agent()", "agent"),
    "a module with one": ("graph = built.compile()", ""),
}  # fmt: skip

BROKEN = {
    "a variable that is not set": ("import os\nKEY = os.environ['BILLING_API_KEY']", "BILLING_API_KEY=dummy rollout contract export"),
    "settings that are not set": (
        "from pydantic import BaseModel\nclass Settings(BaseModel):\n    billing_token: str\nSettings()", "BILLING_TOKEN=dummy",
    ),
    "a client that wants a key": ("raise RuntimeError('set api_key, or the BILLING_API_KEY variable')", "BILLING_API_KEY=dummy"),
    "a module that is not installed": ("import no_such_library", "no_such_library is not installed"),
    "a part of a library that is not there": ("import pydantic.no_such_part", "is not in the pydantic that is installed"),
    "other syntax": ("def broken(:\n    pass", r"SyntaxError in .*broken\.py"),
    "a name that a module has not": ("from os import nope", "there is no nope in os"),
    "modules that import each other": ("from broken import later", "broken is imported in a circle: later is not there yet"),
    "an exit that says what is missing": ("raise SystemExit('set BILLING_API_KEY first')", "BILLING_API_KEY=dummy"),
    "a type that is not defined": (
        "from pydantic import BaseModel\nclass graph(BaseModel):\n    a: 'Nope'", "names a type that is not defined: Nope",
    ),
    "a number that no JSON has": (
        "from typing import Annotated\nfrom pydantic import BaseModel, Field\nclass graph(BaseModel):\n    a: Annotated[int, Field(le=10**400)]",
        "cannot be told in a contract: .*401 digits",
    ),
    "a function that fails": ("def graph():\n    raise RuntimeError('no database')", "cannot be made: RuntimeError in"),
    "an exit": ("raise SystemExit(7)", "ends the process while it is imported"),
    "an exit of the process": ("import os\nos._exit(7)", r"ended the process while it was imported \(exit code 7\)"),
    "an interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt in"),
    "an error that quotes a secret": ("raise ValueError('s3cret-value')", "ValueError in"),
    "no graph": ("def build_it():\n    pass", "has no graph"),
    "a function that needs more": ("def graph(model, tools):\n    pass", "needs model, tools"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current directory of an agent; write(path, text) puts files into it."""
    monkeypatch.chdir(tmp_path)

    def write(path: str, text: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))

    return write


def exported(target: str, **options):
    return export_apart(target, TIMEOUT_S, **options)


@pytest.mark.parametrize("what", FORMS)
def test_a_graph_is_exported_however_it_is_made(folder, what):
    more, attribute = FORMS[what]
    folder("agent.py", GRAPH + more)
    assert list(exported(f"agent:{attribute}" if attribute else "agent").contract.nodes) == ["approve"]


@pytest.mark.parametrize("what", BROKEN)
def test_what_keeps_an_agent_from_being_imported_is_told_in_one_message(folder, what):
    more, message = BROKEN[what]
    folder("broken.py", more + "\n")
    target = "broken:graph" if "def graph" in more or "class graph" in more else "broken"
    with pytest.raises(InvalidInput, match=message) as raised:
        exported(target)
    assert len(raised.value.faults) == 1
    assert "s3cret" not in str(raised.value) and "Traceback" not in str(raised.value)


@pytest.mark.parametrize(
    ("target", "written"),
    [
        ("langgraph.json", {"dependencies": ["."], "graphs": {"agent": "./src/agent/graph.py:graph"}}),
        ("langgraph.json:two", {"dependencies": ["."], "graphs": {"one": "x:y", "two": {"path": "./src/agent/graph.py:graph"}}}),
        ("langgraph.json", {"dependencies": ["./src"], "graphs": {"agent": "agent.graph:graph"}}),
        ("./src/agent/graph.py:graph", {}),
        ("agent.graph:graph", {}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packaged", [True, False], ids=["package", "no-init"])
def test_a_src_layout_and_a_langgraph_json_are_read(folder, target, written, packaged):
    folder("langgraph.json", json.dumps(written))
    folder("src/agent/state.py", "from typing import TypedDict\nclass Talk(TypedDict):\n    topic: str\n")
    imported = "from agent.state import Talk\n"
    folder(
        "src/agent/graph.py",
        imported + GRAPH.replace("StateGraph(State)", "StateGraph(Talk)") + "graph = built.compile()",
    )
    if packaged:
        folder("src/agent/__init__.py", "")
    assert list(exported(target).contract.channels) == ["topic"]


@pytest.mark.parametrize("env", [{"BILLING_API_KEY": "x"}, ".env"])
def test_what_a_langgraph_json_says_of_the_environment_is_set(folder, env):
    folder(".env", "# keys\nexport BILLING_API_KEY='x'\n")
    folder("langgraph.json", json.dumps({"dependencies": ["."], "env": env, "graphs": {"agent": "./agent.py:built"}}))
    folder("agent.py", "import os\nassert os.environ['BILLING_API_KEY'] == 'x'\n" + GRAPH)
    assert list(exported("langgraph.json").contract.nodes) == ["approve"]


def test_the_file_that_is_named_is_exported_and_no_other_of_its_name(folder):
    folder("src/agent/graph.py", GRAPH + "graph = built.compile()")
    other = (GRAPH + "graph = built.compile()").replace('"approve"', '"confirm"')
    folder("services/a/src/agent/graph.py", other)
    folder(
        "services/a/langgraph.json",
        json.dumps({"dependencies": ["."], "graphs": {"agent": "./src/agent/graph.py:graph"}}),
    )
    for target in ("services/a/langgraph.json", "./services/a/src/agent/graph.py:graph"):
        assert list(exported(target).contract.nodes) == ["confirm"]
    assert list(exported("agent.graph:graph").contract.nodes) == ["approve"]


def test_a_file_of_the_name_of_a_library_is_read(folder):
    folder("json.py", GRAPH + "graph = built.compile()")
    assert list(exported("./json.py:graph").contract.nodes) == ["approve"]


@pytest.mark.parametrize(
    "written",
    [[], {"graphs": []}, {"graphs": {"a": None}}, {"graphs": {"a": {"path": None}}}, {"graphs": {"a": "./x.ts:g"}}],
)
def test_a_langgraph_json_that_names_no_graph_in_python_is_one_message(folder, written):
    folder("langgraph.json", json.dumps(written))
    with pytest.raises(InvalidInput) as raised:
        exported("langgraph.json")
    assert len(raised.value.faults) == 1 and "Error" not in str(raised.value)


def test_an_agent_that_closes_its_output_or_reads_arguments_is_exported(folder):
    folder("agent.py", "import argparse, sys\nargparse.ArgumentParser().parse_args()\nsys.stdout = None\n" + GRAPH)
    assert exported("agent:built").printed == ""


def test_nothing_that_a_broken_agent_prints_is_told(folder):
    folder("agent.py", "import os\nprint('s3cret-value')\nos._exit(7)\n")
    with pytest.raises(InvalidInput) as raised:
        exported("agent:graph")
    assert "s3cret" not in str(raised.value)


def test_several_graphs_of_a_langgraph_json_are_offered(folder):
    folder("langgraph.json", json.dumps({"graphs": {"one": "./a.py:graph", "two": "./b.py:graph"}}))
    with pytest.raises(InvalidInput, match=r"langgraph\.json:one, langgraph\.json:two"):
        exported("langgraph.json")


def test_what_an_agent_prints_is_kept_apart_and_bounded(folder):
    folder("agent.py", "import sys\nprint('loading')\nsys.stdout.write('x' * 5_000_000)\n" + GRAPH)
    told = exported("agent:built")
    assert told.printed.startswith("loading") and len(told.printed) <= PRINTED_MAX_BYTES


def test_an_agent_that_never_ends_is_given_up_and_nothing_of_it_stays(folder, tmp_path):
    folder(
        "agent.py",
        f"import subprocess, time\nsubprocess.Popen(['tail', '-f', {str(tmp_path / 'agent.py')!r}])\ntime.sleep(600)\n",
    )
    began = time.monotonic()
    with pytest.raises(InvalidInput, match="is not imported after 3 s"):
        export_apart("agent", 3.0)
    assert time.monotonic() - began < TIMEOUT_S
    assert not processes_with(str(tmp_path / "agent.py"))


def test_the_exporters_own_code_means_nothing_to_an_agent(folder):
    """Its own `except ... as error` once made the words of every agent's errors count."""
    checked = "from pydantic import BaseModel, field_validator\nclass Model(BaseModel):\n    a: int\n    @field_validator('a')\n"
    checked += "    @classmethod\n    def least(cls, value):\n        if value < 1:\n            raise ValueError('{}')\n        return value\n"
    digests = set()
    for words in ("too small", "must be one, or more"):
        folder("agent.py", checked.format(words))
        digests.add(exported("agent:Model").contract.digest)
    assert len(digests) == 1


def test_an_agent_that_forks_has_one_contract(folder):
    folder("agent.py", "import os\nos.fork()\n" + GRAPH + "graph = built.compile()")
    assert list(exported("agent:graph").contract.nodes) == ["approve"]


def test_values_that_langgraph_manages_are_no_keys_of_the_state(folder):
    managed = GRAPH.replace("topic: str", "topic: str\n    remaining_steps: RemainingSteps")
    folder("agent.py", "from langgraph.managed import RemainingSteps\n" + managed)
    contract = exported("agent:built").contract
    assert list(contract.state.writer["properties"]) == ["topic"] == list(contract.channels)


def test_an_object_that_answers_everything_is_no_graph_and_no_tool(folder):
    answers = "class Any_:\n    def __getattr__(self, name):\n        return Any_()\n    def __call__(self, *a, **k):\n        return Any_()\nCLIENT = Any_()\n"
    folder("agent.py", answers + GRAPH.replace("    return {}", "    CLIENT.chat.completions.create(1)\n    return {}"))
    contract = exported("agent:built").contract
    assert (contract.subgraphs, contract.nodes["approve"].tools) == ({}, {})
    assert contract.nodes["approve"].interrupt_calls == ()


def git(directory, *words):
    subprocess.run(
        ["git", "-C", str(directory), "-c", "user.name=a", "-c", "user.email=a@b", *words],
        check=True,
        capture_output=True,
    )


def test_in_a_worktree_the_code_there_is_exported_and_not_the_working_copys(tmp_path, monkeypatch):
    copy, base = tmp_path / "copy", tmp_path / "base"
    (copy / "src" / "agent").mkdir(parents=True)
    graph = copy / "src" / "agent" / "graph.py"
    graph.write_text(GRAPH)
    git(tmp_path, "init", "-q", str(copy))
    git(copy, "add", "-A")
    git(copy, "commit", "-qm", "base")
    git(copy, "worktree", "add", "-q", str(base), "HEAD")
    graph.write_text(GRAPH.replace('"approve"', '"confirm"'))
    git(copy, "commit", "-qam", "renamed")
    monkeypatch.setenv("PYTHONPATH", str(copy / "src"))  # as an editable install does
    contracts = {}
    for version, place in (("v1", base), ("v2", copy)):
        monkeypatch.chdir(place)
        contracts[version] = exported("agent.graph:built", version=version).contract
    assert (list(contracts["v1"].nodes), list(contracts["v2"].nodes)) == (["approve"], ["confirm"])
    assert contracts["v1"].source.root == str(base) and contracts["v1"].source.commit != contracts["v2"].source.commit
    assert same_code(contracts["v1"], contracts["v2"]) == ""


def test_code_from_elsewhere_is_said_and_so_are_two_versions_of_one_commit(tmp_path, monkeypatch):
    elsewhere, here = tmp_path / "elsewhere", tmp_path / "here"
    elsewhere.mkdir()
    here.mkdir()
    (elsewhere / "agent.py").write_text(GRAPH)
    git(tmp_path, "init", "-q", str(elsewhere))
    git(elsewhere, "add", "-A")
    git(elsewhere, "commit", "-qm", "base")
    monkeypatch.chdir(here)
    monkeypatch.setenv("PYTHONPATH", str(elsewhere))
    first, second = (exported("agent:built", version=version) for version in ("v1", "v2"))
    assert "is it the code that was meant?" in first.notes[0]
    assert "both contracts are of" in same_code(first.contract, second.contract)
    assert first.contract.model_copy(update={"version": "v2"}).digest == second.contract.digest
