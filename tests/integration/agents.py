"""Light agents and users for the tests of the daemon: real HTTP, no LangGraph, cheap enough for 200 requests a second."""

from __future__ import annotations

import collections
import http.client
import json
import random
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, generate_latest

from rollout.agent import OpenConversations

PIN = "x-agent-version"


class Agent:
    """One version: answers, and counts started and failed tasks. Fails tasks while answering 200."""

    def __init__(self, version: str, failing: float = 0.02, host: str = "127.0.0.1", *, pins: bool = False) -> None:
        """Serve. `pins`: it gives what begins here its pin, and counts it, as `rollout.agent` does."""
        self.failing, self.host = failing, host
        self.open: set[str] = set()
        self.streams = threading.Event()
        registry, chance = CollectorRegistry(), random.Random(version)
        started = Counter("agent_tasks_started", "Begun.", ["version"], registry=registry).labels(version)
        failed = Counter("agent_tasks_failed", "Failed.", ["version"], registry=registry).labels(version)
        conversations = OpenConversations(version, registry=registry)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_POST(handler) -> None:
                said = handler.rfile.read(int(handler.headers.get("content-length", "0")))
                thread = handler.headers.get("x-thread-id", "")
                (self.open.discard if said == b"bye" else self.open.add)(thread)
                if pins and thread:
                    conversations.turn(thread, begins=PIN not in handler.headers)
                    if said == b"bye":
                        conversations.finish(thread)
                if handler.path == "/stream":
                    handler._stream()
                    return
                started.inc()
                if chance.random() < self.failing:
                    failed.inc()
                handler._send(version.encode())

            def do_GET(handler) -> None:
                if handler.headers.get("upgrade") == "websocket":
                    handler._echo()
                    return
                if handler.path == "/.well-known/agent-conversations":
                    handler._send(json.dumps({"open": len(self.open)}).encode())
                    return
                handler._send(generate_latest(registry))

            def _stream(handler) -> None:
                """Server-sent events until the test lets it end."""
                handler.send_response(200)
                handler.send_header("content-type", "text/event-stream")
                handler.send_header("transfer-encoding", "chunked")
                handler.end_headers()
                for number in range(20_000):
                    event = f"data: {version} {number}\n\n".encode()
                    handler.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
                    handler.wfile.flush()
                    if self.streams.wait(0.05):
                        break
                handler.wfile.write(b"0\r\n\r\n")
                handler.wfile.flush()

            def _echo(handler) -> None:
                """A web socket, as far as routers look into it: after the handshake each line is answered."""
                handler.send_response(101)
                handler.send_header("connection", "upgrade")
                handler.send_header("upgrade", "websocket")
                handler.end_headers()
                handler.wfile.flush()
                handler.close_connection = True
                while line := handler.rfile.readline():
                    handler.wfile.write(f"{version} ".encode() + line)
                    handler.wfile.flush()

            def _send(handler, body: bytes) -> None:
                handler.send_response(200)
                if pins and PIN not in handler.headers:
                    handler.send_header(PIN, version)
                handler.send_header("content-length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(handler, *_) -> None:
                pass

        ThreadingHTTPServer.request_queue_size = 256
        self._server = ThreadingHTTPServer((host, 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.port = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Users:
    """Threads that ask at a common rate, each conversation five requests long. lost: anything but a whole 200."""

    def __init__(self, address: str, rate: float, threads: int = 10) -> None:
        self._address, self._pause_s = address, threads / rate
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.asked, self.lost, self.by_version = 0, [], collections.Counter[str]()
        self._threads = [threading.Thread(target=self._talk, args=(n,), daemon=True) for n in range(threads)]

    def __enter__(self) -> Users:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def _talk(self, seed: int) -> None:
        chance, turn, thread = random.Random(seed), 0, ""
        connection = http.client.HTTPConnection(self._address, timeout=10)
        due = time.monotonic() + chance.uniform(0, self._pause_s)
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._pause_s, time.monotonic() - 1.0)
            if turn % 5 == 0:
                thread = f"{seed}-{turn}-{chance.random()}"
            turn += 1
            problem, version = "", ""
            try:
                connection.request("POST", "/chat", "hello", {"x-thread-id": thread})
                answer = connection.getresponse()
                version = answer.read().decode()
                problem = "" if answer.status == 200 else f"{answer.status} {version[:80]}"
            except (OSError, http.client.HTTPException) as error:
                problem = repr(error)
                connection.close()  # it is opened again by the next request
            with self._lock:
                self.asked += 1
                if problem:
                    self.lost.append(problem)
                else:
                    self.by_version[version] += 1
        connection.close()


def ask(address: str, **headers: str) -> tuple[int, str]:
    """One request; returns the status and the body."""
    connection = http.client.HTTPConnection(address, timeout=5)
    with closing(connection):
        connection.request("POST", "/chat", "hello", {key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


KPIS = """
  kpis:
  - {name: tasks, preset: agent-tasks, margin: {relative: 10%, absolute: 2%}, promotionMargin: {relative: 50%, absolute: 10%}}
  evidence: {sampleEvery: 300ms, warmUp: 500ms}
  drain: {deadline: 20s}
"""

CANARY = """
  canary:
    steps:
    - {weight: 25%, for: 2s}
    - {weight: 50%, for: 2s}
    bake: {for: 2s}
    standby: {for: 10m}
"""

LONG = CANARY.replace("for: 2s", "for: 10m", 1)
"""Its first step outlasts every test: whoever steers it is in time, however busy the machine is."""

BLUE_GREEN = """
  blueGreen:
    preview: {for: 3s}
    bake: {for: 3s}
    standby: {for: 10m}
"""


def document(name: str, agents: dict[str, Agent], envoy: str, strategy: str, more: str = "") -> str:
    """A Rollout and its policy, in a hurry."""
    endpoints = "\n".join(f'    - {{version: {version}, url: "{agent.url}"}}' for version, agent in agents.items())
    return f"""
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{name: {name}}}
spec:
  version: v1
  backends:
    endpoints:
{endpoints}
  routes: [{{envoy: {envoy}}}]
  metrics: {{scrape: {{}}}}
  conversations: {{turns: 5}}
  policyRef: {{name: {name}}}
---
apiVersion: rollout.dev/v1alpha1
kind: RolloutPolicy
metadata: {{name: {name}}}
spec:
{strategy}{KPIS}{more}
"""
