"""Stores as they are after real releases: the engine makes them, over users from a seed."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from tests.integration.real import processes_with
from tests.network import free_port
from tests.waiting import eventually
from tests.world import Behaviour, World

HOUR_S = 3600.0


def record(directory: Path, name: str, *worlds: World) -> SqliteStore:
    """Write down what worlds have planned, one after the other, as one rollout's history."""
    store = SqliteStore(directory, create=True)
    first = worlds[0].status_store.rollout
    before = Rollout(Metadata(name=name), first.spec, Status(stable_version="v1"))
    held = store.hold(before.metadata, lambda _recorded: before)
    try:
        for world in worlds:
            for plan in world.plans:
                held.save(plan)
    finally:
        held.release()
    routes = ({"envoy": {"listen": f"127.0.0.1:{free_port()}"}},)
    spec = worlds[-1].status_store.rollout.spec
    spec = RolloutSpec.model_validate({**spec.model_dump(by_alias=True, exclude_none=True), "routes": routes})
    store.declare(Rollout(Metadata(name=name), spec, worlds[-1].status))
    return store


def end_routers(directory: Path) -> None:
    """End the Envoys that commands have started for rollouts of a directory."""
    for line in processes_with(str(directory)):
        with suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), signal.SIGTERM)
    eventually(lambda: not processes_with(str(directory)), 30, f"left: {processes_with(str(directory))}")


def under_way(**changes: object) -> World:
    """Return a release that observes its second step."""
    world = World(**changes)
    world.run(200)
    assert world.status.phase == "Observing", world.status
    return world


def promoted() -> World:
    world = World(rate=60.0)
    world.run(6 * HOUR_S, until="Draining", every_s=5.0)
    world.run(HOUR_S, until="Stable", every_s=5.0)
    assert world.status.stable_version == "v2", world.status
    return world


def rolled_back() -> World:
    """Return a release that fails two tasks in five, with HTTP 200."""
    world = World(rate=60.0)
    world.behaviour["v2"] = Behaviour(tasks=0.4)
    world.run(HOUR_S, until="RolledBack", every_s=2.0)
    assert world.status.phase == "RolledBack", world.status
    return world


def waiting_for_approval() -> World:
    from tests.world import policy

    steps = [{"weight": "10%", "for": "1m"}, {"weight": "50%", "for": "1m", "approval": "required"}]
    world = World(policy(canary={"steps": steps, "bake": {"for": "5m"}}))
    world.run(HOUR_S, until="Paused")
    assert world.status.held_by == "approval", world.status
    return world
