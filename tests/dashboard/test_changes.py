"""Server-sent events, over a real server: a change is told, nothing is told twice, and closing ends every stream."""

from __future__ import annotations

import re
import select
import socket
import threading
from contextlib import ExitStack, suppress

import httpx
import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.dashboard import changes, server
from rollout.dashboard.access import OneToken
from rollout.dashboard.app import dashboard
from rollout.dashboard.local_source import LocalSource
from rollout.dashboard.server import DashboardServer, bound
from rollout.dashboard.sessions import Sessions
from rollout.errors import InvalidInput
from rollout.runtime.clock import WallClock
from tests.dashboard import stores
from tests.waiting import eventually

TIMEOUT_S = 30.0


@pytest.fixture
def serving(directory):
    store = SqliteStore(directory)
    sessions = Sessions(WallClock())
    access = OneToken(LocalSource(store, "ada"), sessions)
    served = dashboard(access, sessions, WallClock())
    running = DashboardServer(served, bound("127.0.0.1", 0, "--listen"))
    running.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{running.port}", follow_redirects=True, timeout=TIMEOUT_S) as client:
        client.get("/", params={"token": access.token})
        client.served, client.server, client.store = served, running, store
        yield client
        running.close()


def events(lines):
    """The data of the events, as they come."""
    return (line.removeprefix("data: ") for line in lines if line.startswith("data: "))


@pytest.mark.parametrize("page", ["/events", "/rollouts/default/research-agent/events"])
def test_a_change_is_told_and_what_is_the_same_is_not(serving, page):
    with serving.stream("GET", page) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = events(answer.iter_lines())
        first = next(told)
        row = serving.store.get("research-agent")
        held = serving.store.hold(row.rollout.metadata, lambda recorded: recorded)
        world = stores.under_way(rate=40.0)
        world.command("pause")
        world.reconcile()
        held.save(world.plans[-1])
        held.release()
        assert next(told) != first


def test_closing_the_server_ends_its_streams(serving):
    with serving.stream("GET", "/events") as answer:
        lines = answer.iter_lines()
        next(lines)
        closing = threading.Thread(target=serving.server.close)
        closing.start()
        for _ in lines:
            pass
        closing.join(TIMEOUT_S)
        assert not closing.is_alive()


def test_streams_are_bounded(serving, monkeypatch):
    monkeypatch.setattr(changes, "STREAMS_MAX", 1)
    with serving.stream("GET", "/events") as answer:
        lines = answer.iter_lines()  # kept: without it the stream is closed
        next(lines)
        assert serving.get("/events").status_code == 503
    assert serving.get("/").status_code == 200


def test_an_address_that_is_taken_is_said(serving):
    with pytest.raises(InvalidInput, match="choose another address with --listen"):
        bound("127.0.0.1", serving.server.port, "--listen")


def test_the_page_knows_what_it_showed_so_that_no_change_is_lost(serving):
    """A change between the page and its stream is told by the first event."""
    page = serving.get("/rollouts/default/research-agent").text
    shown = re.search(r'data-digest="([^"]+)"', page)[1]
    with serving.stream("GET", "/rollouts/default/research-agent/events") as answer:
        assert next(events(answer.iter_lines())) == shown


def test_signing_out_ends_the_streams_of_a_session(serving):
    with serving.stream("GET", "/events") as answer:
        told = events(answer.iter_lines())
        next(told)
        page = serving.get("/").text
        serving.post("/sign-out", data={"csrf": re.search(r'name="csrf" value="([^"]+)"', page)[1]})
        assert list(told) == []


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: 127",
        b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n\r\ntok",
    ],
)
def test_who_sends_nothing_or_not_all_holds_no_connection(serving, monkeypatch, sent):
    monkeypatch.setattr(server, "REQUEST_TIMEOUT_S", 0.3)
    with socket.create_connection(("127.0.0.1", serving.server.port), timeout=TIMEOUT_S) as idle:
        idle.sendall(sent)
        with suppress(ConnectionResetError):
            assert idle.recv(100) == b""


def test_more_connections_than_there_may_be_are_turned_away_and_the_others_are_answered(serving, monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 5)
    with ExitStack() as stack:
        address = ("127.0.0.1", serving.server.port)
        opened = [stack.enter_context(socket.create_connection(address, timeout=TIMEOUT_S)) for _ in range(20)]
        turned_away, _, _ = select.select(opened, [], [], TIMEOUT_S)
        for one in turned_away:
            with suppress(ConnectionResetError):
                assert one.recv(100) == b""
        assert turned_away
    eventually(lambda: answers(serving), TIMEOUT_S, "nobody is answered any more")


def answers(client):
    with suppress(httpx.TransportError):
        return client.get("/healthz").status_code == 200
    return False
