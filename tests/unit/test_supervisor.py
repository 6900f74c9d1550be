"""The daemon's crew: one rollout's trouble is not another's, leases are let go, and nothing is handed over at the end."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.backoff import Backoff
from rollout.engine.planned import Plan
from rollout.errors import Busy, RouterUnavailable
from rollout.local import supervisor
from rollout.local.daemon_lock import RunningDaemon, only_one, running
from rollout.local.supervisor import Supervisor
from rollout.model.api.rollout import Metadata
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.runtime.reconciler import ReconcileResult
from tests.statuses import status_with
from tests.waiting import eventually
from tests.world import policy, spec


@dataclass
class FakeMachine:
    """Looks and finds nothing to do, or fails as told."""

    rollout: Rollout
    turns: int = 0
    closed: bool = False
    failing: BaseException | None = None
    made: list[FakeMachine] = field(default_factory=list)

    def reconciler(self, status_store):
        self.status_store = status_store
        return self

    def reconcile(self) -> ReconcileResult:
        self.turns += 1
        if self.failing is not None:
            raise self.failing
        return ReconcileResult(Plan(self.status_store.load().status, requeue_after_s=0.02))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def machines(monkeypatch):
    """Every machine that was built, by rollout, the newest last; failures by name."""
    built: dict[str, list[FakeMachine]] = {}
    failures: dict[str, BaseException] = {}

    def build(rollout: Rollout, _directory) -> FakeMachine:
        name = rollout.metadata.name
        made = FakeMachine(rollout, failing=failures.get(name))
        built.setdefault(name, []).append(made)
        return made

    monkeypatch.setattr(supervisor, "LocalWiring", build)
    for name, value in (
        ("SCAN_EVERY_S", 0.02),
        ("IDLE_AFTER_S", 0.3),
        ("BACKOFF", Backoff(0.05, 0.5)),
        ("BUG_RETRY_S", 0.05),
    ):
        monkeypatch.setattr(supervisor, name, value)
    built["failures"] = failures  # type: ignore[assignment]
    return built


def declared(store: SqliteStore, name: str, phase: Phase = Phase.OBSERVING) -> None:
    status = status_with(phase=phase, stable_version="v1", candidate_version="v2")
    store.declare(Rollout(Metadata(name=name), spec("v2", policy()), status))


class Running:
    """A crew at work in the background."""

    def __init__(self, store: SqliteStore, ending=None) -> None:
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=Supervisor(store, workers=2).run, args=(self.stopped, ending))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()


@pytest.mark.parametrize("trouble", [RuntimeError("a bug"), RouterUnavailable("down")])
def test_one_rollouts_trouble_stops_no_other_and_its_next_turn_begins_anew(trouble, machines, tmp_path):
    store = SqliteStore(tmp_path, create=True)
    declared(store, "good")
    declared(store, "bad")
    machines["failures"]["bad"] = trouble
    with Running(store):
        eventually(lambda: len(machines.get("bad", ())) >= 3)
        eventually(lambda: machines["good"][0].turns > 5)
        assert len(machines["good"]) == 1 and all(machine.closed for machine in machines["bad"][:-1])
        del machines["failures"]["bad"]
        eventually(lambda: machines["bad"][-1].turns > 2)
    assert not store.is_held("good") and not store.is_held("bad"), "the leases are let go"


def test_what_somebody_else_holds_is_left_alone_until_they_let_go(machines, tmp_path):
    store = SqliteStore(tmp_path, create=True)
    declared(store, "agent")
    held = store.hold(Metadata(name="agent"), lambda recorded: recorded)
    with Running(store):
        time.sleep(0.3)
        assert "agent" not in machines
        held.release()
        eventually(lambda: "agent" in machines)


def test_a_change_of_endpoints_is_followed_and_a_change_of_version_rebuilds_nothing(machines, tmp_path):
    store = SqliteStore(tmp_path, create=True)
    declared(store, "agent")
    with Running(store):
        eventually(lambda: "agent" in machines)
        now = store.get("agent").rollout
        store.declare(Rollout(now.metadata, now.spec.model_copy(update={"version": "v3"})))
        time.sleep(0.3)
        assert len(machines["agent"]) == 1
        turns = now.spec.conversations.model_copy(update={"turns": 7})
        store.declare(Rollout(now.metadata, now.spec.model_copy(update={"conversations": turns})))
        eventually(lambda: len(machines["agent"]) == 2)
        assert machines["agent"][0].closed


def test_a_crew_that_has_nothing_to_do_ends_and_says_so_first(machines, tmp_path):
    store, said = SqliteStore(tmp_path, create=True), []
    store.declare(Rollout(Metadata(name="agent"), spec("v1", policy()), Status(stable_version="v1")))
    with Running(store, said.append) as at_work:
        eventually(lambda: at_work.is_over)
    assert said == [True]


def test_work_that_comes_in_as_it_ends_is_taken_up(machines, tmp_path):
    """Whoever declares before the crew says that it ends is heard; whoever comes later sees that it ends."""
    store, said = SqliteStore(tmp_path, create=True), []

    def ending(ends: bool) -> None:
        said.append(ends)
        if said == [True]:
            declared(store, "late")

    with Running(store, ending) as at_work:
        eventually(lambda: said == [True, False])
        eventually(lambda: "late" in machines and machines["late"][0].turns > 2)
        assert not at_work.is_over


def test_a_rollout_under_way_keeps_the_crew_at_work(machines, tmp_path):
    store = SqliteStore(tmp_path, create=True)
    declared(store, "agent")
    with Running(store, lambda _: None) as at_work:
        time.sleep(1.0)
        assert not at_work.is_over


def test_only_one_daemon_has_a_directory_and_says_when_it_ends(tmp_path):
    assert running(tmp_path) is None
    with only_one(tmp_path) as ending:
        assert running(tmp_path) == RunningDaemon(os.getpid())
        with pytest.raises(Busy, match="already"), only_one(tmp_path):
            pass
        ending(True)
        assert running(tmp_path) == RunningDaemon(None, ending=True)
        ending(False)
        assert running(tmp_path) == RunningDaemon(os.getpid())
    assert running(tmp_path) is None
