"""README's way on one machine, followed to the letter: each line as a shell takes it, from a fresh environment."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.integration.agents import Agent, Users
from tests.integration.real import needs_envoy, processes_with
from tests.network import free_port
from tests.readme import ROOT, block_with
from tests.waiting import eventually

pytestmark = [pytest.mark.real, needs_envoy]

LINES = block_with("rollout init")
QUICK = {
    "canary": {"steps": [{"weight": "50%", "for": "2s"}], "bake": {"for": "1s"}, "standby": {"for": "1h"}},
    "kpis": [{"name": "task-success", "preset": "agent-tasks", "margin": {"relative": "100%", "absolute": "20%"}}],
    "evidence": {"sampleEvery": "500ms", "warmUp": "0s", "dispersion": "1"},
}


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    """An environment with nothing but what README installs into it."""
    directory = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", str(directory / "venv")], check=True, timeout=300)
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env |= {
        "PATH": f"{directory / 'venv' / 'bin'}:{env['PATH']}",
        "NO_COLOR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    installs = next(line for line in LINES if line.startswith("pip "))
    done = subprocess.run(["bash", "-c", installs], cwd=ROOT, env=env, capture_output=True, text=True, timeout=900)
    if done.returncode != 0 and re.search("No matching distribution|Temporary failure|Connection", done.stderr):
        pytest.skip(f"the registry of packages cannot be reached: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    return env


class Reader:
    """Somebody in a folder of their own who types README's lines."""

    def __init__(self, directory: Path, env: dict[str, str]) -> None:
        self.directory, self.env = directory, env

    def types(self, line: str, timeout_s: float = 300.0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.directory, env=self.env, capture_output=True, text=True, timeout=timeout_s
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done

    def answers(self, line: str, answers: list[str]) -> str:
        """Type a line on a terminal, and answer each question that ends in a bracket and a colon."""
        own, theirs = pty.openpty()
        process = subprocess.Popen(
            ["bash", "-c", line], cwd=self.directory, env=self.env, stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        os.set_blocking(own, False)
        shown = ""

        def read(questions: int) -> bool:
            nonlocal shown
            with contextlib.suppress(BlockingIOError, OSError):
                shown += os.read(own, 65536).decode()
            return len(re.findall(r"\[[^\]\n]+\]: ", shown)) >= questions or process.poll() is not None

        for number, answer in enumerate(answers, 1):
            eventually(lambda number=number: read(number), 60, f"asks nothing more: {shown}")
            os.write(own, f"{answer}\n".encode())
        eventually(lambda: read(99), 60, f"does not end: {shown}")
        os.close(own)
        assert process.returncode == 0, shown
        return shown

    def opens(self, line: str) -> None:
        """Start what serves pages, open the address that it prints, and end it by Ctrl-C."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {line}"], cwd=self.directory, env={**self.env, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            address = next(found[0] for text in process.stdout if (found := re.search(r"http://\S+token=\S+", text)))
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with browser.open(address, timeout=30) as page:
                assert "support-agent" in page.read().decode()
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.close()
            process.wait(60)


@pytest.fixture
def reader(tmp_path, env):
    yield Reader(tmp_path, env)
    for line in processes_with(str(tmp_path)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), signal.SIGTERM)
    eventually(lambda: not processes_with(str(tmp_path)), 60, f"left: {processes_with(str(tmp_path))}")


def test_every_line_does_what_it_says(reader, tmp_path):
    stable, candidate, listen = Agent("v1"), Agent("v2"), f"127.0.0.1:{free_port()}"
    answers = ["support-agent", f"v1={stable.url}", f"v2={candidate.url}", listen, "canary-quick"]
    typed = []
    with contextlib.closing(stable), contextlib.closing(candidate), contextlib.ExitStack() as open_:
        for line in LINES:
            verb = line.split()[1]
            typed.append(verb)
            match verb:
                case "install":
                    continue  # by the fixture
                case "init":
                    assert "policies/canary-quick.yaml" in reader.answers(line, answers)
                    self_made = tmp_path / "policies" / "canary-quick.yaml"
                    document = yaml.safe_load(self_made.read_text())
                    self_made.write_text(yaml.safe_dump({**document, "spec": QUICK}))  # "yours to change"
                    open_.enter_context(Users(listen, rate=200))
                case "dashboard":
                    reader.opens(line.split("#")[0].strip())
                case _:
                    done = reader.types(line)
                    if verb in ("start", "wait"):
                        assert "v2 is promoted" in done.stdout, f"{line}: {done.stdout}{done.stderr}"
        status = reader.types("rollout status").stdout
    assert typed == ["install", "init", "lint", "start", "dashboard", "wait", "undo"]
    assert status.startswith("support-agent  v1"), status
