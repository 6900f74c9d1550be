"""Clients that hold one conversation after the other, of 5 to 50 turns, and send back what pins them."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from contextlib import closing

from tests.integration.agents import PIN


class Talks:
    """Conversations as their clients saw them.

    Args:
        bye: what a client says at last.
        chooses_id: whether clients choose the id of a new conversation; else the agent gives it.
        pause_s: how long a client thinks at most.

    Attributes:
        whole: the versions that answered, turn after turn, of each conversation that is over.
        began: when each began, and on which version.
    """

    def __init__(
        self, address: str, *, talkers: int = 20, bye: str = "bye", chooses_id: bool = True, pause_s: float = 0.1
    ) -> None:
        self._address, self._bye, self._chooses_id, self._pause_s = address, bye, chooses_id, pause_s
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.whole: list[tuple[str, ...]] = []
        self.began: list[tuple[float, str]] = []
        self.lost: list[str] = []
        self._threads = [threading.Thread(target=self._talk, args=(n,), daemon=True) for n in range(talkers)]

    def __enter__(self) -> Talks:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let each conversation end as its client meant it to."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def hopped(self) -> list[tuple[str, ...]]:
        """The conversations that two versions have answered, or none."""
        return [versions for versions in list(self.whole) if len(set(versions)) != 1]

    def _talk(self, seed: int) -> None:
        chance, count = random.Random(seed), 0
        with closing(http.client.HTTPConnection(self._address, timeout=30)) as connection:
            while not self._stop.is_set():
                count += 1
                versions = self._conversation(connection, f"{seed}-{count}", chance)
                with self._lock:
                    self.whole.append(versions)

    def _conversation(
        self, connection: http.client.HTTPConnection, thread: str, chance: random.Random
    ) -> tuple[str, ...]:
        headers = {"x-thread-id": thread} if self._chooses_id else {}
        versions: list[str] = []
        turns = round(chance.triangular(5, 50, 5))
        for turn in range(turns):
            at = time.monotonic()
            try:
                connection.request("POST", "/chat", self._bye if turn == turns - 1 else "hello", headers)
                answer = connection.getresponse()
                said = answer.read().decode()
            except (OSError, http.client.HTTPException) as error:
                self._lose(repr(error))
                connection.close()
                continue
            if answer.status != 200:
                self._lose(f"{answer.status} {said[:80]}")
                continue
            versions.append(_version_in(said))
            if len(versions) == 1:
                with self._lock:
                    self.began.append((at, versions[0]))
            _keep(headers, answer.headers)
            self._stop.wait(chance.uniform(0.0, self._pause_s))
        return tuple(versions)

    def _lose(self, problem: str) -> None:
        """Note it, and wait a moment: whoever is down is not helped by more requests."""
        self.lost.append(problem)
        self._stop.wait(1.0)


def _version_in(said: str) -> str:
    return json.loads(said)["version"] if said.startswith("{") else said


def _keep(headers: dict[str, str], given: http.client.HTTPMessage) -> None:
    """Take over what pins a conversation: as a client, an SDK or a browser does."""
    for name in (PIN, "x-thread-id"):
        if name in given:
            headers.setdefault(name, given[name])
    if "set-cookie" in given:
        headers["cookie"] = given["set-cookie"].partition(";")[0]
