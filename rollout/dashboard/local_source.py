"""The rollouts of this machine. Commands go through the command line: it also acts where no controller runs."""

from __future__ import annotations

import subprocess
import sys

from rollout.adapters.storage.base import RolloutStore, Row
from rollout.adapters.storage.sqlite import SqliteStore
from rollout.dashboard.source import ANSWER_TIMEOUT_S
from rollout.engine.facts import Verb
from rollout.errors import Busy, StoreUnavailable

ABORT_TIMEOUT_S = 90.0
"""The command line sees an abort through, for a minute."""


class LocalSource:
    """One state directory, as the user who runs the dashboard."""

    def __init__(self, store: SqliteStore, actor: str) -> None:
        self._store, self._actor = store, actor

    @property
    def label(self) -> str:
        return str(self._store.directory)

    @property
    def actor(self) -> str:
        return self._actor

    def all(self, namespace: str | None = None) -> list[Row]:
        rows = self._store.all()
        return [row for row in rows if namespace in (None, row.rollout.metadata.namespace)]

    def store(self, namespace: str) -> RolloutStore:  # noqa: ARG002  names are unique in a directory
        return self._store

    def ask(self, row: Row, verb: Verb, reason: str) -> str:
        name = row.rollout.metadata.name
        options = [f"--state={self._store.directory}", f"--actor={self._actor}", f"--reason={reason}"]
        command = [sys.executable, "-m", "rollout", verb, *options, "--", name]
        timeout_s = ABORT_TIMEOUT_S if verb == "abort" else 2 * ANSWER_TIMEOUT_S
        try:
            ended = subprocess.run(  # noqa: S603  our own program; a name and texts, no shell
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Busy(
                f"{verb} is noted for {name}, and was not answered in {timeout_s:g} s: reload the page"
            ) from error
        except OSError as error:
            raise StoreUnavailable(f"{verb} could not be given: the command line cannot be started") from error
        answer = (ended.stdout.strip() or ended.stderr.strip()).removeprefix("error: ").splitlines()
        message = answer[0] if answer else f"{verb} ended with exit code {ended.returncode}"
        if ended.returncode not in (0, 4):
            raise Busy(message)
        return message
