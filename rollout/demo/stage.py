"""The stage: agents, load and files, set up in a directory and taken down again whatever happens."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rollout.demo.documents import PIN_COOKIE, document
from rollout.demo.words import APPROVED, REFUND
from rollout.errors import RolloutError

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
STABLE, CANDIDATE = "v1", "v2"

WAITING = 3
"""So many conversations of the stable version wait for a human's approval."""


class Stage:
    """Everything that runs during the demo but the controller and its router."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "rollout.yaml"
        self.state = directory / "state"
        self.totals: dict[str, Any] = {}
        self._children: list[subprocess.Popen[str]] = []

    def agents(self, profiles: dict[str, str], strategy: str = "canary") -> None:
        """Start every version, each with its profile, and write the files that describe them."""
        # All agents would switch a new database to its log at once, and SQLite lets only one do that without waiting.
        with contextlib.closing(sqlite3.connect(self.directory / "threads.sqlite")) as database:
            database.execute("PRAGMA journal_mode = WAL")
        started = {
            version: self._agent(version, profile, seed) for seed, (version, profile) in enumerate(profiles.items(), 1)
        }
        ports = {version: self._port_of(child) for version, child in started.items()}
        self._ask_for_refunds(ports[STABLE])
        self.address, self._preview = (f"127.0.0.1:{port}" for port in _free_ports(2))
        self._ports, self._strategy = ports, strategy
        self.declare()

    def declare(self, *, pinned: bool = False) -> None:
        """Write the files that describe the agents; `pinned`: started conversations stay on their version."""
        text = document(STABLE, self._ports, self.address, self._preview, self._strategy, pinned=pinned)
        self.file.write_text(text, encoding="utf-8")

    def _ask_for_refunds(self, port: int) -> None:
        """Let some conversations wait for a human, as they do in real life for days."""
        for number in range(WAITING):
            _say(f"127.0.0.1:{port}", f"a {REFUND}, please", {"x-thread-id": f"refund-{number}"})

    def approve_refunds(self) -> set[str]:
        """Answer those who wait for a human, through the router; return the versions that went on with them."""
        pin = {"cookie": f"{PIN_COOKIE}={STABLE}"}
        answers = [
            _say(self.address, APPROVED, {"x-thread-id": f"refund-{number}", **pin}) for number in range(WAITING)
        ]
        return {str(json.loads(answer).get("version")) for answer in answers}

    def load(self, rate: float, *, pinned: bool = False) -> None:
        """Let users talk to the agents, through the router; `pinned`: they send back what Envoy pins them by."""
        child = self._spawn("load", "--address", self.address, "--rate", str(rate), *(["--pinned"] if pinned else []))
        threading.Thread(target=self._follow, args=(child,), daemon=True).start()
        self._load = child

    def end_load(self) -> dict[str, Any]:
        """Let the users finish what they asked; return their totals."""
        self._load.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._load.wait(STOP_TIMEOUT_S)
        return self.totals

    def footer(self) -> str:
        """Say in one line what the users saw."""
        seen = self.totals
        if not seen:
            return ""
        moved = f", {seen['moved']} moved with the weight" if seen["moved"] else ""
        lost = "none lost" if not seen["lost"] else f"{seen['lost']} lost"
        return f"users: {seen['conversations']} conversations{moved}, {seen['requests']} requests, {lost}"

    def end(self) -> None:
        """End every child."""
        for child in self._children:
            if child.poll() is None:
                child.terminate()
        for child in self._children:
            try:
                child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout:
                child.stdout.close()

    def _agent(self, version: str, profile: str, seed: int) -> subprocess.Popen[str]:
        database = str(self.directory / "threads.sqlite")
        arguments = ("--version", version, "--profile", profile, "--database", database, "--seed", str(seed))
        return self._spawn("agent", *arguments)

    def _spawn(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        log = (self.directory / f"{module}.log").open("a", encoding="utf-8")
        with log:
            child = subprocess.Popen(  # noqa: S603  our own module, no shell
                [sys.executable, "-m", f"rollout.demo.{module}", *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        self._children.append(child)
        return child

    def _port_of(self, child: subprocess.Popen[str]) -> int:
        line = child.stdout.readline() if child.stdout else ""
        if not line.strip().isdigit():
            lines = (self.directory / "agent.log").read_text(encoding="utf-8").strip().splitlines()
            raise RolloutError(f"an agent of the demo did not start: {lines[-1] if lines else 'it left no message'}")
        return int(line)

    def _follow(self, child: subprocess.Popen[str]) -> None:
        for line in child.stdout or ():
            with contextlib.suppress(ValueError):
                self.totals = json.loads(line)


def _say(address: str, what: str, headers: dict[str, str]) -> bytes:
    """Take one turn of a conversation; return the body of the answer."""
    with contextlib.closing(http.client.HTTPConnection(address, timeout=STOP_TIMEOUT_S)) as connection:
        connection.request("POST", "/chat", what, headers)
        return connection.getresponse().read()


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, each another: all are held until the last is known."""
    with contextlib.ExitStack() as probes:
        held = [probes.enter_context(contextlib.closing(socket.socket())) for _ in range(count)]
        for probe in held:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in held]


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """Set a stage up in a fresh directory; end its children and remove it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="rollout-demo-"))
    built = Stage(directory)
    try:
        yield built
    finally:
        built.end()
        shutil.rmtree(directory, ignore_errors=True)
