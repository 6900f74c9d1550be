"""Server-sent events, over a real server: a change is told, nothing is told twice, and closing ends every stream."""

from __future__ import annotations

import threading

import httpx
import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.dashboard import changes
from rollout.dashboard.access import OneToken
from rollout.dashboard.app import dashboard
from rollout.dashboard.local_source import LocalSource
from rollout.dashboard.server import DashboardServer, bound
from rollout.dashboard.sessions import Sessions
from rollout.errors import InvalidInput
from rollout.runtime.clock import WallClock
from tests.dashboard import stores

TIMEOUT_S = 30.0


@pytest.fixture
def serving(directory):
    store = SqliteStore(directory)
    sessions = Sessions(WallClock())
    access = OneToken(LocalSource(store, "ada"), sessions)
    served = dashboard(access, sessions, WallClock())
    server = DashboardServer(served, bound("127.0.0.1", 0, "--listen"))
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", follow_redirects=True, timeout=TIMEOUT_S) as client:
        client.get("/", params={"token": access.token})
        client.served, client.server, client.store = served, server, store
        yield client
        server.close()


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
