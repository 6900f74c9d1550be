"""What nobody foresaw: whoever is asked fails, or the store does. The turn goes on, and a way back is open."""

from __future__ import annotations

import logging

import pytest

from rollout.cli.commands.daemon import egress_of
from rollout.engine.effects import SetWeight
from rollout.errors import InvalidInput, LeaseLost, StoreUnavailable
from rollout.local import run_one
from rollout.model.status.vocabulary import Phase
from rollout.runtime.reconciler import ReconcileResult
from tests.world import World

HOUR = 3600.0


def broken(*_arguments, **_options):
    raise ZeroDivisionError("a page that nobody foresaw")


@pytest.mark.parametrize(
    ("port", "method"), [("metrics", "read"), ("gatekeeper", "checks"), ("states", "census"), ("states", "contracts")]
)
def test_whoever_fails_unforeseen_costs_no_turn_and_an_abort_works(port, method, monkeypatch):
    world = World()
    if method != "contracts":
        world.run(10 * 60, until=Phase.OBSERVING)
    monkeypatch.setattr(getattr(world, port), method, broken)
    world.run(60)
    world.command("abort")
    world.run(120)
    assert world.status.phase in (Phase.ROLLED_BACK, Phase.STABLE)
    assert world.router.effective in (SetWeight("v1", "v2", 0), SetWeight("v1"), None)


def test_counters_that_cannot_be_read_for_a_reason_that_nobody_foresaw_are_told(monkeypatch):
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    monkeypatch.setattr(world.metrics, "read", broken)
    world.run(HOUR)
    assert "internal error (ZeroDivisionError)" in world.status.message
    assert "nobody foresaw" not in str(world.status), "its text may quote anything"


@pytest.mark.parametrize(("error", "moved"), [(StoreUnavailable("full"), True), (LeaseLost("held by another"), False)])
def test_a_way_back_that_cannot_be_recorded_is_gone_all_the_same_unless_another_holds_the_rollout(
    error, moved, monkeypatch
):
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    assert world.router.effective == SetWeight("v1", "v2", 1000)
    world.command("abort")

    def full(_plan):
        raise error

    monkeypatch.setattr(world.status_store, "save", full)
    with pytest.raises(type(error)):
        world.reconcile()
    assert (world.router.effective.weight_bp == 0) is moved


def test_a_weight_that_cannot_be_recorded_is_not_set(monkeypatch):
    world = World()
    before = list(world.router.applied)

    def full(_plan):
        raise StoreUnavailable("full")

    monkeypatch.setattr(world.status_store, "save", full)
    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            world.reconcile()
    assert world.router.applied == before


def test_a_foreground_controller_survives_a_fault_of_its_own(monkeypatch, caplog):
    caplog.set_level(logging.CRITICAL)
    world, tries = World(), []

    class Flaky:
        def reconcile(self):
            tries.append(1)
            return broken() if len(tries) < 3 else ReconcileResult(world.reconcile())

    monkeypatch.setattr(run_one.BACKOFF.__class__, "after_s", lambda *_: 0.0)
    status = run_one.run("agent", Flaky(), lambda _: None, lambda _: True)
    assert status is not None and len(tries) == 3


@pytest.mark.parametrize(
    ("given", "hosts"),
    [
        (["ROLLOUT_GATE_A=a.example"], {"ROLLOUT_GATE_A": ("a.example",)}),
        (["X=a, b:1", "X=c"], {"X": ("a", "b:1", "c")}),
        ([], {}),
    ],
)
def test_the_operator_lists_hosts_by_variable(given, hosts):
    assert egress_of(given, None).tokens == hosts


def test_what_lists_no_host_is_refused_with_every_fault():
    with pytest.raises(InvalidInput) as refused:
        egress_of(["X", "=a", "Y="], None)
    assert len(refused.value.faults) == 3
