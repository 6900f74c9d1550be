"""The rollouts of this machine. Commands go through the command line: it also acts where no controller runs."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from typing import Any

from rollout.adapters.storage.base import RolloutStore, Row
from rollout.adapters.storage.sqlite import SqliteStore
from rollout.dashboard.source import ANSWER_TIMEOUT_S
from rollout.engine.facts import Verb
from rollout.errors import Busy, StoreUnavailable
from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status

START_S = 15.0
"""So long the command line may take to start on a busy machine."""


class LocalSource:
    """One state directory, as the user who runs the dashboard."""

    poll_s = 1.0

    def __init__(self, store: SqliteStore, actor: str) -> None:
        self._store, self._actor = store, actor

    @property
    def label(self) -> str:
        return str(self._store.directory)

    @property
    def actor(self) -> str:
        return self._actor

    def all(self, namespace: str | None = None) -> list[Row]:
        try:
            rows = self._store.all()
        except StoreUnavailable:
            rows = [self._row(name) for name in self._store.names()]  # one that cannot be read hides no other
        return [row for row in rows if namespace in (None, row.rollout.metadata.namespace)]

    def _row(self, name: str) -> Row:
        """Return a rollout; one that cannot be read says so in its problem."""
        try:
            row = self._store.get(name)
            problem = "it is not there any more"
        except StoreUnavailable as error:
            row, problem = None, str(error)
        construct: Any = RolloutSpec.model_construct  # only to be shown
        return row or Row(Rollout(Metadata(name=name), construct(), Status()), "", problem=problem)

    def store(self, namespace: str) -> RolloutStore:  # noqa: ARG002  names are unique in a directory
        return self._store

    def ask(self, row: Row, verb: Verb, reason: str) -> str:
        """Run the command line, and wait for it as long as a page may take; it goes on by itself after that."""
        name = row.rollout.metadata.name
        options = [f"--state={self._store.directory}", f"--actor={self._actor}", f"--reason={reason}"]
        command = [sys.executable, "-P", "-m", "rollout", verb, *options, "--", name]
        try:
            running = subprocess.Popen(  # noqa: S603  our own program; a name and texts, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,  # the end of the dashboard is not the end of an abort
            )
        except OSError as error:
            raise StoreUnavailable(f"{verb} could not be given: the command line cannot be started") from error
        ended: queue.Queue[tuple[str, str]] = queue.Queue()
        threading.Thread(target=lambda: ended.put(running.communicate()), name=f"{verb} {name}", daemon=True).start()
        try:
            out, err = ended.get(timeout=ANSWER_TIMEOUT_S + START_S)
        except queue.Empty:
            return f"{verb} is noted for {name} and goes on: this page shows when it is done"
        return _answer(verb, running.returncode, out, err)


def _answer(verb: Verb, code: int, out: str, err: str) -> str:
    """Return what the command line said. Raises Busy with it where the command had no success."""
    lines = [line.removeprefix("error: ") for line in (*out.splitlines(), *err.splitlines()) if line.strip()]
    if code in (0, 4):
        return lines[0] if lines else f"{verb} is carried out"
    raise Busy(
        "\n".join(line for line in lines if not line.startswith("(exit")) or f"{verb} ended with exit code {code}"
    )
