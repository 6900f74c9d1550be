"""Handing a rollout to the daemon: who else carries it out is said, and the daemon itself is nobody else."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.cli.follow.local_handover import refuse_beside_another
from rollout.errors import Busy
from rollout.local.daemon_lock import only_one
from rollout.model.api.rollout import Metadata
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from tests.world import policy, spec

AGENT = Metadata(name="agent")
ROLLOUT = Rollout(AGENT, spec("v2", policy()), Status(stable_version="v1"))


@pytest.fixture
def store(tmp_path):
    return SqliteStore(tmp_path / "state", create=True)


@contextmanager
def held(store: SqliteStore) -> Iterator[None]:
    """Hold the rollout's lease, as a controller does."""
    lease = store.hold(AGENT, lambda _: ROLLOUT)
    try:
        yield
    finally:
        lease.release()


def write_holder(store: SqliteStore, holder: str) -> str:
    """Write who holds the lease; return who did."""
    with closing(sqlite3.connect(store.path)) as database, database:
        (before,) = database.execute("SELECT holder FROM rollouts").fetchone()
        database.execute("UPDATE rollouts SET holder = ?", (holder,))
    return before


def test_a_controller_in_the_foreground_is_named(store):
    with held(store), pytest.raises(Busy, match=r"in the foreground \(pid \d+\)"):
        refuse_beside_another(store, "agent", store.directory)


def test_a_daemon_that_has_just_taken_the_lease_is_not_taken_for_whoever_had_it_before(store):
    with only_one(store.directory), held(store):
        daemon = write_holder(store, "pid 1")  # as the one before has left it
        written = threading.Timer(0.5, write_holder, (store, daemon))
        written.start()
        refuse_beside_another(store, "agent", store.directory)
        assert store.get("agent").holder == daemon, "it waited until the daemon's name was there"
        written.join()


def test_nobody_stands_in_the_way_where_nobody_holds_the_lease(store):
    with held(store):
        pass
    refuse_beside_another(store, "agent", store.directory)
    assert store.get("agent").holder == ""
