"""A load of conversations: users who ask, wait for the answer, and ask again on the same thread. A process of its own.

Prints a line of totals as JSON each second, and once more when it is told to end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import threading
import time
import uuid
from dataclasses import asdict, dataclass, field

from rollout.demo.orphan import end_with_parent
from rollout.demo.words import GOODBYE

REQUEST_TIMEOUT_S = 20.0
TURNS = 4


@dataclass
class Totals:
    """What the users saw.

    Attributes:
        moved: conversations that were answered by two versions, turn after turn.
        by_version: requests that each version answered.
    """

    conversations: int = 0
    requests: int = 0
    lost: int = 0
    errors: int = 0
    moved: int = 0
    by_version: dict[str, int] = field(default_factory=dict)


class Users:
    """Several users at once, asking at a common rate."""

    def __init__(self, address: str, rate: float, users: int, *, pinned: bool = False) -> None:
        """Begin with none of them talking.

        Args:
            pinned: whether they send back what keeps a conversation on its version: its cookie, and the id that the
                agent gave it. Else they choose the id themselves.
        """
        self._address, self._pinned = address, pinned
        self._pause_s = users / rate
        self._users = users
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.totals = Totals()

    def run(self) -> None:
        """Let all users talk until `end` is called."""
        threads = [threading.Thread(target=self._user, args=(index,)) for index in range(self._users)]
        for thread in threads:
            thread.start()
        while not self._stop.wait(1.0):
            self.report()
        for thread in threads:
            thread.join(REQUEST_TIMEOUT_S)
        self.report()

    def end(self, *_: object) -> None:
        self._stop.set()

    def report(self) -> None:
        with self._lock:
            print(json.dumps(asdict(self.totals)), flush=True)

    def _user(self, seed: int) -> None:
        chance = random.Random(seed)
        connection = http.client.HTTPConnection(self._address, timeout=REQUEST_TIMEOUT_S)
        while not self._stop.wait(chance.uniform(0, self._pause_s)):
            self._converse(connection, chance)
        connection.close()

    def _converse(self, connection: http.client.HTTPConnection, chance: random.Random) -> None:
        headers, versions = {}, set()
        if not self._pinned:
            headers["x-thread-id"] = uuid.UUID(int=chance.getrandbits(128)).hex + str(time.monotonic_ns())
        for turn in range(TURNS):
            began = time.monotonic()
            versions.add(self._ask(connection, headers, GOODBYE if turn == TURNS - 1 else f"question {turn}"))
            if self._stop.wait(max(0.0, chance.expovariate(1 / self._pause_s) - (time.monotonic() - began))):
                break
        with self._lock:
            self.totals.conversations += 1
            self.totals.moved += len(versions - {""}) > 1

    def _ask(self, connection: http.client.HTTPConnection, headers: dict[str, str], question: str) -> str:
        """Ask; return the version that answered. What the answer says of the conversation is kept in `headers`."""
        version, status = "", 0
        try:
            connection.request("POST", "/chat", question, headers)
            response = connection.getresponse()
            status, body = response.status, response.read()
            if self._pinned and (thread := response.headers.get("x-thread-id")):
                headers["x-thread-id"] = thread
            if self._pinned and (cookie := response.headers.get("set-cookie")):
                headers["cookie"] = cookie.partition(";")[0]
            version = json.loads(body).get("version", "")
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()
        with self._lock:
            self.totals.requests += 1
            self.totals.lost += version == ""
            self.totals.errors += status >= 500
            self.totals.by_version[version] = self.totals.by_version.get(version, 0) + 1
        return version


def main() -> None:
    """Talk to the agents behind an address until told to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--rate", type=float, default=60.0)
    parser.add_argument("--users", type=int, default=24)
    parser.add_argument("--pinned", action="store_true")
    given = parser.parse_args()
    users = Users(given.address, given.rate, given.users, pinned=given.pinned)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, users.end)
    threading.Thread(target=end_with_parent, daemon=True).start()
    users.run()


if __name__ == "__main__":
    main()
