"""Stores that are made once, and a dashboard over one that tests may change."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.dashboard.access import OneToken
from rollout.dashboard.app import dashboard
from rollout.dashboard.local_source import LocalSource
from rollout.dashboard.sessions import Sessions
from rollout.runtime.clock import WallClock
from tests.dashboard import stores

ADDRESS = "http://127.0.0.1:3200"


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """A state directory with one rollout of each kind."""
    directory = tmp_path_factory.mktemp("dashboard") / "state"
    stores.record(directory, "billing-agent", stores.rolled_back())
    stores.record(directory, "travel-agent", stores.promoted())
    stores.record(directory, "support-agent", stores.waiting_for_approval())
    stores.record(directory, "research-agent", stores.under_way(rate=40.0))
    return directory


@pytest.fixture
def directory(recorded, tmp_path):
    """The same, to be changed."""
    yield shutil.copytree(recorded, tmp_path / "state")
    stores.end_routers(tmp_path)


@contextmanager
def visiting(source, clock=None):
    """A client that is signed in, and the token it came with."""
    sessions = Sessions(clock or WallClock())
    access = OneToken(source, sessions)
    served = dashboard(access, sessions, clock or WallClock())
    with TestClient(served.asgi, base_url=ADDRESS, follow_redirects=True) as client:
        client.served, client.access = served, access
        yield client


@pytest.fixture
def outside(recorded):
    """A client that is not signed in."""
    with visiting(LocalSource(SqliteStore(recorded), "ada")) as client:
        yield client


@pytest.fixture
def client(outside):
    outside.get("/", params={"token": outside.access.token})
    return outside
