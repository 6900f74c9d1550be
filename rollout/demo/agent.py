"""A real LangGraph agent behind HTTP, with a scripted model in place of an LLM. Run as a process of its own.

POST /chat takes one turn of the conversation that `x-thread-id` names; one without an id gets one. All versions keep
their threads in one SQLite file.
Each turn is a task: started, and failed if the answer does not solve it. A failing task still answers 200: that is the
point.
"""

from __future__ import annotations

import argparse
import json
import operator
import random
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Annotated, Any, TypedDict

from prometheus_client import CollectorRegistry, Counter, ProcessCollector, generate_latest

from rollout.agent import OpenConversations
from rollout.contracts.contract import Contract
from rollout.contracts.export import export
from rollout.contracts.export.serve import PATH
from rollout.demo.orphan import end_with_parent
from rollout.demo.words import APPROVED, GOODBYE, REFUND


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """How a version behaves: shares of turns that fail their task, answer 500, or take long.

    Attributes:
        approval: what it calls the node at which a human is asked. Conversations wait there, under that name.
    """

    failing: float = 0.04
    erroring: float = 0.0
    slow: float = 0.0
    slow_s: float = 0.8
    think_s: float = 0.005
    approval: str = "approve"


PROFILES = {
    "good": AgentProfile(),
    "worse": AgentProfile(failing=0.25),
    "slow": AgentProfile(slow=0.30),
    "erroring": AgentProfile(erroring=0.20),
    "incompatible": AgentProfile(approval="confirm"),
}


class AgentState(TypedDict):
    """What the agent keeps of a conversation."""

    messages: Annotated[list[str], operator.add]
    plan: str
    solved: bool


class ScriptedModel:
    """Answers like a model would: mostly well, sometimes wrongly, always politely."""

    def __init__(self, version: str, profile: AgentProfile, seed: int) -> None:
        self._version = version
        self._profile = profile
        self._random = random.Random(seed)

    @property
    def approval(self) -> str:
        """The name of the node at which a human is asked."""
        return self._profile.approval

    def plan(self, question: str) -> str:
        time.sleep(self._profile.think_s)
        return f"look up what '{question}' is about, then answer"

    def answer(self, _plan: str) -> tuple[str, bool]:
        if self._random.random() < self._profile.slow:
            time.sleep(self._profile.slow_s)
        if self._random.random() < self._profile.erroring:
            raise RuntimeError("the scripted model breaks down")
        if self._random.random() < self._profile.failing:
            return "I am sure everything is fine.", False
        return f"Done, says {self._version}.", True


def graph_of(model: ScriptedModel) -> Any:
    """Return the agent's graph: it plans, asks a human where money is involved, and acts."""
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import interrupt

    def plan(state: AgentState) -> dict[str, Any]:
        return {"plan": model.plan(state["messages"][-1])}

    def ask(state: AgentState) -> dict[str, Any]:
        if REFUND not in state["messages"][-1]:
            return {}
        return {"plan": f"{state['plan']} ({interrupt('approve the refund?')})"}

    def act(state: AgentState) -> dict[str, Any]:
        text, solved = model.answer(state["plan"])
        return {"messages": [text], "solved": solved}

    graph = StateGraph(AgentState)
    graph.add_node("plan", plan)
    graph.add_node(model.approval, ask)
    graph.add_node("act", act)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", model.approval)
    graph.add_edge(model.approval, "act")
    graph.add_edge("act", END)
    return graph


def build(graph: Any, database: str) -> Callable[[str, str], dict[str, Any]]:
    """Return a function that takes one turn of a conversation: (thread, question) -> the state after it."""
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.types import Command

    connection = sqlite3.connect(database, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA synchronous = OFF")
    agent = graph.compile(checkpointer=SqliteSaver(connection))

    def turn(thread: str, question: str) -> dict[str, Any]:
        config: Any = {"configurable": {"thread_id": thread}}
        asked: Any = Command(resume=question) if question == APPROVED else {"messages": [question]}
        return dict(agent.invoke(asked, config, durability="exit"))

    return turn


class Served:
    """The agent's counters, and what answers its requests."""

    def __init__(self, version: str, turn: Callable[[str, str], dict[str, Any]], contract: Contract) -> None:
        self.version = version
        self.turn = turn
        self.contract = contract
        self.registry = CollectorRegistry()
        self.conversations = OpenConversations(version, registry=self.registry)
        ProcessCollector(registry=self.registry)
        names = ["version"]
        started = Counter("agent_tasks_started", "Tasks begun.", names, registry=self.registry)
        failed = Counter("agent_tasks_failed", "Tasks that ended unsolved.", names, registry=self.registry)
        self.started, self.failed = started.labels(version), failed.labels(version)

    def chat(self, thread: str, question: str, *, begins: bool) -> tuple[int, dict[str, Any]]:
        """Take a turn of a conversation, the first where it `begins`; return the HTTP status and the body."""
        self.conversations.turn(thread, begins=begins)
        self.started.inc()
        try:
            state = self.turn(thread, question)
        except RuntimeError as error:
            self.failed.inc()
            return 500, {"version": self.version, "error": str(error)}
        if "__interrupt__" in state:
            return 200, {"version": self.version, "answer": "a colleague will look at that"}
        if not state["solved"]:
            self.failed.inc()
        if question in (GOODBYE, APPROVED):
            self.conversations.finish(thread)
        return 200, {"version": self.version, "answer": state["messages"][-1], "turns": len(state["messages"]) // 2}


def handler(served: Served) -> type[BaseHTTPRequestHandler]:
    """Return the request handler for one agent."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # otherwise delayed ACKs cost 40 ms a request
        wbufsize = -1

        def do_POST(self) -> None:
            question = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            thread = self.headers.get("x-thread-id") or uuid.uuid4().hex
            status, body = served.chat(thread, question, begins="cookie" not in self.headers)
            self._send(status, json.dumps(body).encode(), "application/json", {"x-thread-id": thread})

        def do_GET(self) -> None:
            if self.path == PATH:
                self._send(200, served.contract.canonical().encode(), "application/json")
                return
            self._send(200, generate_latest(served.registry), "text/plain; version=0.0.4")

        def _send(self, status: int, body: bytes, kind: str, headers: Mapping[str, str] = MappingProxyType({})) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the metrics say it."""

    return Handler


def main() -> None:
    """Serve one version on a free port of loopback, and print the port."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--profile", choices=PROFILES, default="good")
    parser.add_argument("--database", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    model = ScriptedModel(given.version, PROFILES[given.profile], given.seed)
    graph = graph_of(model)
    turn = build(graph, given.database)
    contract = export(graph, agent="support-agent", version=given.version, store="sqlite")
    turn(f"warm-up-{given.version}", "hello")
    ThreadingHTTPServer.request_queue_size = 128
    server = ThreadingHTTPServer(("127.0.0.1", given.port), handler(Served(given.version, turn, contract)))
    threading.Thread(target=end_with_parent, daemon=True).start()
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
