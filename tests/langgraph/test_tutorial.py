"""The tutorial does what it says: its file is written, its commands are run, and what it shows is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("langgraph")

PAGE = Path(__file__).parents[2] / "docs" / "state.md"


def test_every_step_of_the_tutorial_prints_what_the_page_shows(tmp_path):
    page = PAGE.read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n# agent\.py\n(.*?)```", page, re.DOTALL)
    (tmp_path / "agent.py").write_text(source)
    command = tmp_path / "bin" / "rollout"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m rollout "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    steps = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    assert len(steps) == 4
    for step in steps:
        commands = [line.removeprefix("$ ") for line in step.splitlines() if line.startswith("$ ")]
        shown = [line for line in step.splitlines() if not line.startswith("$ ")]
        done = subprocess.run(
            ["sh", "-c", "\n".join(commands)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert [line for line in shown if line not in done.stdout.splitlines()] == [], done.stdout + done.stderr
