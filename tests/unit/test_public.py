"""The public face: what is promised is there, loads late, and works as the page says."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rollout
from rollout.errors import InvalidInput
from rollout.stats import Increment
from rollout.testing import example_policy

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text()
PARTS = re.findall(r"```python\n([\s\S]*?)```\n(?:\n((?:    .*\n)+))?", PAGE)


def test_every_promised_name_is_there_and_none_else_is_shown():
    assert dir(rollout) == sorted(rollout.__all__)
    for name in rollout.__all__:
        assert getattr(rollout, name) is not None, name


def test_what_a_type_checker_sees_is_what_is_there():
    tree = ast.parse(Path(rollout.__file__).read_text())
    shown = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        for part in node.body
        if isinstance(part, ast.ImportFrom)
        for alias in part.names
    }
    assert shown | {"__version__"} == set(rollout.__all__)
    assert (Path(rollout.__file__).parent / "py.typed").exists()


def test_importing_it_loads_nothing_heavy():
    code = "import sys, rollout; print([name for name in ('pydantic', 'httpx', 'yaml', 'kubernetes') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_examples_of_the_page_do_what_the_page_says():
    names: dict[str, object] = {}
    assert len(PARTS) == 5
    for code, expected in PARTS:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "docs/python.md", "exec"), names)
        assert out.getvalue() == "".join(line[4:] for line in expected.splitlines(keepends=True)), code


def test_counters_of_a_kpi_that_the_policy_does_not_have_are_refused_with_those_it_has():
    policy = example_policy()
    judge = rollout.Judge(policy)
    with pytest.raises(InvalidInput, match="latency.*is no KPI of the policy[^$]*errors, tasks"):
        judge.add({"latency": Increment(1.0, 10.0, 1.0, 10.0)}, 10.0)
