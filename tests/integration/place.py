"""One state directory with several rollouts, their agents, and whatever was started for them."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

from rollout.adapters.storage.sqlite import SqliteStore
from tests.integration.agents import Agent, document
from tests.integration.real import processes_with, rollout
from tests.network import free_port
from tests.rollout_commands import command
from tests.waiting import eventually


class Place:
    """One state directory with several rollouts, their agents, and whatever was started for them."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory, self.stack, self.state = directory, stack, directory / "state"
        self.listen: dict[str, str] = {}
        self.preview: dict[str, str] = {}
        self.agents: dict[str, dict[str, Agent]] = {}
        self._daemons: list[subprocess.Popen[str]] = []

    def add(self, name: str, strategy: str, failing: float = 0.02, more: str = "") -> None:
        made = {"v1": Agent("v1"), "v2": Agent("v2", failing), "v3": Agent("v3")}
        for agent in made.values():
            self.stack.callback(agent.close)
        self.agents[name] = made
        self.listen[name], self.preview[name] = (f"127.0.0.1:{free_port()}" for _ in range(2))
        envoy = f'{{listen: "{self.listen[name]}", preview: "{self.preview[name]}"}}'
        (self.directory / f"{name}.yaml").write_text(document(name, made, envoy, strategy, more))

    def run(self, *words: str, name: str | None = None, code: int | None = 0) -> str:
        file = ("-f", str(self.directory / f"{name}.yaml")) if name else ()
        environment = {**os.environ, "NO_COLOR": "1"}
        done = command(*words, *file, "--state", str(self.state), cwd=self.directory, env=environment, timeout=300)
        assert code is None or done.returncode == code, (words, done.returncode, done.stderr)
        return done.stdout + done.stderr

    def status(self, name: str) -> dict:
        """What is recorded of a rollout: read from the store itself, since tests look many times."""
        row = SqliteStore(self.state).get(name)
        assert row is not None, name
        return row.rollout.status.model_dump(mode="json", by_alias=True, exclude_none=True)

    def daemon(self) -> subprocess.Popen[str]:
        made = rollout("daemon", "--state", str(self.state), cwd=self.directory)
        self._daemons.append(made)
        eventually(lambda: "pid" in self._lock(), 15, "the daemon did not come up")
        return made

    def _lock(self) -> str:
        path = self.state / "daemon.lock"
        return path.read_text() if path.exists() else ""

    def end(self) -> None:
        for made in self._daemons:
            made.send_signal(signal.SIGTERM)
        for made in self._daemons:
            made.communicate(timeout=300)
        for line in processes_with(f"daemon --state {self.state}"):
            subprocess.run(["kill", line.split()[0]], check=False)
        eventually(lambda: not processes_with(f"daemon --state {self.state}"), 20, "a daemon stays")
        for name in self.listen:
            self.run("abort", name, code=None)
            self.run("router", "stop", name, code=None)
        eventually(lambda: not processes_with(str(self.state)), 15, f"left: {processes_with(str(self.state))}")
