"""Checks that are under way: each is stepped along at every turn and never holds it up."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Protocol

from rollout.adapters.checks.webhooks import ask, clean
from rollout.adapters.egress import Egress
from rollout.adapters.http import Services
from rollout.engine.facts import CheckFact
from rollout.model.api.gates import CommandGate, Webhook

_SUPERVISOR = "rollout.adapters.checks.command_supervisor"


class Job(Protocol):
    """One check under way. `fact` is what is known of it; `step` lets it go on; `give_up` ends it."""

    fact: CheckFact

    def step(self) -> None: ...

    def give_up(self) -> None: ...


class WebhookJob:
    """Asks, then polls. At most one request is under way, on a thread of its own: it may hang, nobody else does."""

    def __init__(self, services: Services, egress: Egress, hook: Webhook, question: dict[str, Any], where: str) -> None:
        self._services, self._egress = services, egress
        self._hook = hook
        self._question = question
        self._asking: threading.Thread | None = None
        self._next_at = 0.0
        self.fact = CheckFact(where=where)

    def step(self) -> None:
        """Begin the next request if it is time and none is under way."""
        busy = self._asking is not None and self._asking.is_alive()
        if busy or self.fact.passed is not None or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + self._hook.poll_every_s
        self._asking = threading.Thread(target=self._ask, name=f"check {self._hook.name}", daemon=True)
        self._asking.start()

    def _ask(self) -> None:
        try:
            self.fact = ask(self._services, self._egress, self._hook, self._question, self.fact.where)
        except Exception as error:  # noqa: BLE001  nobody else would see it: on this thread it would end unheard
            self.fact = CheckFact(where=self.fact.where, message=f"cannot be asked: {type(error).__name__}")

    def give_up(self) -> None:
        """Nothing to end: the request is bounded in time, and its answer is not looked at."""


class CommandJob:
    """Runs a program under guard: it ends with its time, and with us."""

    def __init__(self, gate: CommandGate, question: dict[str, Any], directory: Path, left_s: float) -> None:
        self.fact, self._ended = CheckFact(message=f"runs {gate.run[0]}"), False
        guard = [
            sys.executable,
            "-P",
            "-m",
            "rollout.adapters.checks.command_supervisor",
            f"{left_s:.3f}",
            "--",
            *gate.run,
        ]
        self._guard = subprocess.Popen(  # noqa: S603  our own module; the command is the policy's, without a shell
            guard,
            cwd=directory,
            env={**os.environ, **_variables(question)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def step(self) -> None:
        """Read the verdict once the guard has ended."""
        if self._ended or self._guard.poll() is None:
            return
        assert self._guard.stdout is not None
        self._ended = True
        try:
            ended = json.loads(self._guard.stdout.read())
        except ValueError:
            ended = {"code": None, "output": "the command's guard was killed"}
        code, output = ended["code"], clean(str(ended["output"]))
        if code is None:
            self.fact = CheckFact(message=f"did not end in time{f': {output}' if output else ''}")
        else:
            message = output if code == 0 else f"exit {code}{f': {output}' if output else ''}"
            self.fact = CheckFact(passed=code == 0, message=message)

    def give_up(self) -> None:
        """End the command: its guard does so when nobody listens any more."""
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _variables(question: dict[str, Any]) -> dict[str, str]:
    """Return what the command is told: ROLLOUT_CANDIDATE, ROLLOUT_STABLE_URL and the like."""
    flat = {key: question[key] for key in ("id", "point", "rollout", "namespace", "stable", "candidate", "preview")}
    urls = question["urls"]
    flat["stable_url"], flat["candidate_url"] = urls["stable"], urls["candidate"]
    return {f"ROLLOUT_{key.upper()}": str(value or "") for key, value in flat.items()}
