"""Conversations through a real Envoy: during a release, a rollback and a controller that is killed none sees two versions."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
import time
from contextlib import closing

import pytest

from tests.integration.agents import CANARY, LONG, PIN
from tests.integration.real import needs_envoy
from tests.integration.talks import Talks
from tests.integration.test_daemon import over
from tests.waiting import eventually

pytestmark = [pytest.mark.real, needs_envoy]

CONVERSATIONS = "  conversations: {pin: {header: x-agent-version}, started: split, census: {http: {}}, turns: 1}"
TALKERS = 20


class Stream:
    """One long answer, read to its end on a thread."""

    def __init__(self, address: str) -> None:
        self.text = ""
        self._connection = http.client.HTTPConnection(address, timeout=30)
        self._connection.request("POST", "/stream", "hello", {"x-thread-id": "stream", PIN: "v1"})
        self._answer = self._connection.getresponse()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with closing(self._connection):
            self.text = self._answer.read().decode()

    def ended(self) -> bool:
        return not self._thread.is_alive()

    def events(self) -> list[str]:
        return [line.removeprefix("data: ") for line in self.text.splitlines() if line]


class WebSocket:
    """One connection that stays open: what is sent is answered."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        handshake = ("GET /ws HTTP/1.1", f"Host: {address}", "Connection: upgrade", "Upgrade: websocket")
        more = (f"{PIN}: v1", "x-thread-id: socket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: bm9uY2U=")
        self._socket.sendall("\r\n".join((*handshake, *more, "", "")).encode())
        self._lines = self._socket.makefile("r", newline="\n")
        assert " 101 " in self._lines.readline()
        while self._lines.readline().strip():
            pass

    def ask(self, text: str) -> str:
        self._socket.sendall(f"{text}\n".encode())
        return self._lines.readline().strip()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def pinned(place, name, strategy):
    place.add(name, strategy)
    path = place.directory / f"{name}.yaml"
    path.write_text(path.read_text().replace("  conversations: {turns: 5}", CONVERSATIONS))
    place.run("start", "v1", "--stable", "v1", name=name)


def test_no_conversation_sees_two_versions_while_a_version_is_released_and_the_old_one_is_drained(place):
    pinned(place, "agent", CANARY)
    agents, address = place.agents["agent"], place.listen["agent"]
    daemon = place.daemon()
    with Talks(address, talkers=8) as talks:
        eventually(lambda: len(talks.whole) > 20, why="nobody talks")
        place.run("start", "v2", "--detach", name="agent")
        eventually(lambda: place.status("agent").get("pins", {}).get("versions") == ["v1", "v2"])
        stream, web_socket = Stream(address), WebSocket(address)
        place.stack.callback(web_socket.close)
        assert web_socket.ask("before") == "v1 before"
        eventually(lambda: place.status("agent")["phase"] == "Observing")
        daemon.send_signal(signal.SIGKILL)
        daemon.communicate()
        place.daemon()
        eventually(lambda: over(place.status("agent")), 240)
        status = place.status("agent")
        assert (status["result"], status["stableVersion"]) == ("promoted", "v2")
        assert "v1" in status["draining"], "its conversations are waited for"
        assert not stream.ended(), "a long answer outlives the promotion"
        assert web_socket.ask("after") == "v1 after", "and so does a web socket"
        web_socket.close()
        agents["v1"].streams.set()
        eventually(stream.ended)
        agents["v1"].open.discard("stream")
        eventually(lambda: not place.status("agent").get("draining"), 120, "v1 is never drained")
        assert "v1 is drained" in place.run("wait", "agent", "--for", "drained=v1", "--timeout", "5s")
        assert place.status("agent").get("pins") is None
    assert talks.lost == []
    assert len(talks.whole) >= 30
    assert talks.hopped == [], f"{len(talks.hopped)} of {len(talks.whole)} conversations saw two versions"
    began = {seen[0] for seen in talks.whole}
    assert began == {"v1", "v2"}
    events = stream.events()
    assert events == [f"v1 {number}" for number in range(len(events))] and len(events) > 50, "nothing of it is missing"


def test_a_rollback_takes_new_conversations_back_and_leaves_started_ones_where_they_are(place):
    pinned(place, "agent", LONG)
    place.daemon()
    with Talks(place.listen["agent"]) as talks:
        place.run("start", "v2", "--detach", name="agent")
        eventually(lambda: sum(seen[0] == "v2" for seen in list(talks.whole)) > 5, 120, "no conversation begins on v2")
        place.run("abort", "agent")
        aborted_at = time.monotonic()
        eventually(lambda: not place.status("agent").get("draining"), 120, "v2 is never drained")
        assert place.status("agent")["stableVersion"] == "v1"
        eventually(lambda: sum(at > aborted_at for at, _ in list(talks.began)) > TALKERS)
    assert talks.lost == []
    assert talks.hopped == []
    assert {version for at, version in talks.began if at > aborted_at} == {"v1"}, "new ones begin on stable"


def test_a_drain_is_seen_through_by_hand_where_no_controller_runs(place):
    pinned(place, "agent", LONG)
    daemon = place.daemon()
    agents = place.agents["agent"]
    agents["v2"].open.add("one that stays")
    place.run("start", "v2", "--detach", name="agent")
    eventually(lambda: place.status("agent")["phase"] == "Observing")
    place.run("abort", "agent")
    eventually(lambda: place.status("agent").get("draining", {}).get("v2", {}).get("open") == 1)
    daemon.terminate()
    daemon.communicate(timeout=60)
    assert place.run("drain", "v2", "--timeout", "3s", code=124).startswith("v2 is draining: 1 conversation")
    ended = place.run("drain", "v2", "--then", "end", "--actor", "ada", "-r", "they were told")
    assert "by ada: they were told: 1 conversation" in ended and "v2 is drained: nothing refers to it" in ended
    assert place.status("agent").get("pins") is None
