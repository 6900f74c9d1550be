"""The library for agents: pins that are set, kept and counted, around a real FastAPI application and by a real httpx."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, generate_latest

from rollout.agent import OpenConversations, PinMiddleware, new_thread_id, pin_hooks, version_of
from rollout.model.api.conversations import THREAD_MARK


class Time:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def counted():
    registry, clock = CollectorRegistry(), Time()
    made = OpenConversations("v2", idle_s=60, lately_s=3600, registry=registry, now=clock)
    return made, registry, clock


def application():
    app = FastAPI()

    @app.post("/chat")
    async def chat(request: Request, response: Response):
        if "end" in request.query_params:
            response.headers["x-conversation"] = request.query_params["end"]
        return {"thread": request.headers.get("x-thread-id")}

    return app


def ask(app, *requests):
    """Send requests one after the other, each (headers, parameters); return the responses."""

    async def all_of_them():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent") as client:
            answers = []
            for headers, parameters in requests:
                answers.append(await client.post("/chat", headers=headers, params=parameters))
            answers.append(await client.get("/.well-known/agent-conversations"))
            return answers

    return asyncio.run(all_of_them())


def test_what_begins_here_is_given_its_pin_and_what_has_one_keeps_it():
    app = PinMiddleware(application(), "v2")
    new, pinned, others, _ = ask(app, ({}, {}), ({"x-agent-version": "v2"}, {}), ({"x-agent-version": "v1"}, {}))
    assert new.headers["x-agent-version"] == "v2"
    assert "x-agent-version" not in pinned.headers and "x-agent-version" not in others.headers


def test_the_pin_may_be_a_cookie():
    app = PinMiddleware(application(), "v2", cookie="agent-version")
    new, pinned, _ = ask(app, ({}, {}), ({"cookie": "a=b; agent-version=v2"}, {}))
    assert new.headers["set-cookie"] == "agent-version=v2; Path=/; HttpOnly; SameSite=Lax"
    assert "set-cookie" not in pinned.headers


def test_the_pin_may_be_in_the_thread_id_which_the_application_and_the_client_both_see():
    app = PinMiddleware(application(), "v2", thread_ids=True)
    new, given, _ = ask(app, ({}, {}), ({"x-thread-id": "v1~abc"}, {}))
    thread = new.headers["x-thread-id"]
    assert version_of(thread) == "v2" and new.json() == {"thread": thread}
    assert given.json() == {"thread": "v1~abc"} and "x-thread-id" not in given.headers


@pytest.mark.parametrize("version", ["v2", "1.4.2", "sha-0f8b_1"])
def test_a_thread_id_says_its_version(version):
    assert version_of(new_thread_id(version)) == version
    assert new_thread_id(version).startswith(f"{version}{THREAD_MARK}"), "as routers read it"


@pytest.mark.parametrize("thread", ["", "abc", "~abc", "a b~c", "x\n~c"])
def test_another_thread_id_says_none(thread):
    assert version_of(thread) is None


def test_what_is_no_version_makes_no_thread_id():
    with pytest.raises(ValueError, match="no version"):
        new_thread_id("v2~x")


def test_open_conversations_are_counted_once_and_ended_by_the_application(counted):
    conversations, registry, _ = counted
    app = PinMiddleware(application(), "v2", conversations=conversations)
    one, two, pinned = {"x-thread-id": "1"}, {"x-thread-id": "2"}, {"x-agent-version": "v2"}
    *_, census = ask(app, (one, {}), (two, {}), ({**one, **pinned}, {}), ({**two, **pinned}, {"end": "failed"}))
    assert census.json() == {"version": "v2", "open": 1}
    page = generate_latest(registry).decode()
    assert 'agent_conversations_started_total{version="v2"} 2.0' in page
    assert 'agent_conversations_open{version="v2"} 1.0' in page
    assert 'agent_conversations_failed_total{begun="lately",version="v2"} 1.0' in page
    assert 'agent_conversations_finished_total{begun="lately",version="v2"} 1.0' in page


def test_a_turn_of_an_open_conversation_without_its_pin_is_counted_as_one_and_begins_nothing(counted):
    made, registry, _ = counted
    made.turn("a", begins=True)
    made.turn("a")
    made.turn("a", begins=True)
    labels = {"version": "v2"}
    assert registry.get_sample_value("agent_conversations_unpinned_total", labels) == 1
    assert registry.get_sample_value("agent_conversations_started_total", labels) == 1


def test_the_outcome_is_the_applications_word_to_us_and_reaches_no_client(counted):
    conversations, _, _ = counted
    app = PinMiddleware(application(), "v2", conversations=conversations)
    ended, _ = ask(app, ({"x-thread-id": "1"}, {"end": "finished"}))
    assert "x-conversation" not in ended.headers


def test_who_is_idle_for_long_has_finished(counted):
    conversations, _, clock = counted
    conversations.turn("1", begins=True)
    clock.now = 59.0
    conversations.turn("2", begins=True)
    assert conversations.count() == 2
    clock.now = 61.0
    assert conversations.count() == 1


@pytest.mark.parametrize(
    ("begins", "age_s", "label"), [(True, 50, "lately"), (False, 50, "before"), (True, 7200, "before")]
)
def test_outcomes_say_whether_their_conversation_began_lately(counted, begins, age_s, label):
    conversations, registry, clock = counted
    conversations.turn("1", begins=begins)
    while clock.now < age_s:
        clock.now += 50
        conversations.turn("1")
    conversations.finish("1", failed=True)
    conversations.finish("1", failed=True)
    assert f'agent_conversations_failed_total{{begun="{label}",version="v2"}} 1.0' in generate_latest(registry).decode()


def test_a_websocket_is_given_its_pin_when_it_is_accepted():
    sent = []

    async def talk(scope, receive, send):
        await send({"type": "websocket.accept"})

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": []}
    asyncio.run(PinMiddleware(talk, "v2")(scope, None, send))
    assert sent == [{"type": "websocket.accept", "headers": [(b"x-agent-version", b"v2")]}]


def test_an_httpx_client_sends_back_the_pin_of_each_conversation():
    asked = []

    def answer(request):
        asked.append((request.headers["x-thread-id"], request.headers.get("x-agent-version")))
        pin = {"1": "v1", "2": "v2"}[request.headers["x-thread-id"]]
        return httpx.Response(200, headers={} if "x-agent-version" in request.headers else {"x-agent-version": pin})

    with httpx.Client(transport=httpx.MockTransport(answer), event_hooks=pin_hooks()) as client:
        for thread in ("1", "2", "1", "2"):
            client.post("http://agent/chat", headers={"x-thread-id": thread})
    assert asked == [("1", None), ("2", None), ("1", "v1"), ("2", "v2")]


def test_an_agent_needs_nothing_of_this_project_but_the_library():
    code = (
        "import sys, rollout.agent; "
        "print(sorted(name for name in sys.modules if name.startswith('rollout.') and '.agent' not in name), "
        "sorted({'pydantic', 'httpx', 'structlog', 'kubernetes'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"
