"""Every pair of phase and event, through the real engine: what may happen happens, what must not is never asked for.

Each phase is brought about, then everything that can befall a rollout befalls it there. The table's pairs that were
followed must be exactly those that it allows: an entry that nothing reaches is as wrong as one that is missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from rollout.engine.facts import CheckFact
from rollout.engine.transitions import NEVER, TABLE, Event, follow
from rollout.model.status.vocabulary import Phase
from tests.world import Behaviour, World, policy

CANARY = {
    "steps": [{"weight": "10%", "for": "20s"}, {"weight": "50%", "for": "20s", "until": "evidence"}],
    "bake": {"for": "5m"},
    "standby": {"for": "1h"},
}


def fresh(worse: str = "rollback", **more) -> World:
    made = policy(canary=CANARY, evidence={"sampleEvery": "5s", "warmUp": "5s"}, reactions={"worse": worse}, **more)
    return World(made, rate=60)


def run(world: World, seconds: float, until: Phase) -> World:
    world.run(seconds, until=until)
    assert world.status.phase is until, (world.status.phase, world.status.message)
    return world


def stable(**more) -> World:
    world = fresh(**more)
    world.declare(version="v1")
    world.run(5)
    return world


def preflight(**more) -> World:
    world = fresh(**more)
    world.metrics.failing = {"errors"}
    return run(world, 5, Phase.PREFLIGHT)


def shifting(**more) -> World:
    world = fresh(**more)
    world.gatekeeper.closed = "later"
    return run(world, 60, Phase.SHIFTING)


def observing(**more) -> World:
    return run(fresh(**more), 120, Phase.OBSERVING)


def baking(**more) -> World:
    return run(fresh(**more), 3000, Phase.BAKING)


def draining(**more) -> World:
    world = fresh(**more)
    world.router.active = {"v1": 1}
    return run(world, 4000, Phase.DRAINING)


def rolling_back(**more) -> World:
    world = observing(**more)
    world.router.down = True
    world.command("abort")
    return run(world, 5, Phase.ROLLING_BACK)


def rolled_back(**more) -> World:
    world = observing(**more)
    world.command("abort")
    return run(world, 10, Phase.ROLLED_BACK)


def paused(**more) -> World:
    world = observing(**more)
    world.command("pause")
    return run(world, 5, Phase.PAUSED)


def frozen(**more) -> World:
    world = observing(**{**more, "worse": "freeze"})
    world.behaviour["v2"] = Behaviour(tasks=0.9)
    return run(world, 600, Phase.FROZEN)


def superseding(**more) -> World:
    world = observing(**more)
    world.router.down = True
    world.declare(version="v3")
    return run(world, 5, Phase.SUPERSEDING)


def long_promoted(**more) -> World:
    world = fresh(**more)
    world.run(4000, until=Phase.DRAINING)
    return run(world, 60, Phase.STABLE)


PLACES: tuple[Callable[..., World], ...] = (
    stable, preflight, shifting, observing, baking, draining, rolling_back, rolled_back, paused, frozen, superseding,
    long_promoted,
)  # fmt: skip


def another_version(world: World) -> None:
    world.declare(version="v3")


def the_stable_version_again(world: World) -> None:
    world.declare(version=world.status.stable_version)


def spec_paused(world: World) -> None:
    world.declare(paused=True)
    world.run(3)
    world.declare(paused=False)


def harm(world: World) -> None:
    world.behaviour["v2"] = Behaviour(tasks=0.95)


def router_down(world: World) -> None:
    world.router.down = True


def router_up(world: World) -> None:
    world.router.down = world.router.deaf = False


def somebody_else_edits(world: World) -> None:
    for _ in range(12):
        effective = world.router.effective
        if effective is not None:
            world.router.effective = type(effective)("v1", "v2", 7777)
        world.run(2)


def all_is_well(world: World) -> None:
    world.router.down = False
    world.router.active = {}
    world.metrics.failing = set()
    world.gatekeeper.closed = ""
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=True)


def stable_down_and_passed(world: World) -> None:
    world.workloads.down = {"v1"}
    world.run(30)
    world.command("promote")
    world.run(30)
    world.workloads.down = set()


def preflight_never_passes(world: World) -> None:
    world.metrics.failing = {"errors", "tasks"}
    world.run(700, every_s=5)


def command(verb: str) -> Callable[[World], None]:
    def stimulus(world: World) -> None:
        world.command(verb)

    stimulus.__name__ = verb
    return stimulus


VERBS = ("promote", "approve", "pause", "resume", "abort", "retry", "undo")
STIMULI: tuple[Callable[[World], None], ...] = (
    another_version, the_stable_version_again, spec_paused, harm, router_down, router_up, somebody_else_edits,
    all_is_well, stable_down_and_passed, preflight_never_passes, *(command(verb) for verb in VERBS),
)  # fmt: skip


@pytest.fixture(scope="module")
def followed() -> set[tuple[Phase, Event]]:
    """Let everything happen everywhere; return the pairs of phase and event that the engine went through."""
    pairs: set[tuple[Phase, Event]] = set()

    def recorded(phase: Phase, event: Event, paused_from: Phase | None = None) -> Phase:
        pairs.add((phase, event))
        return phase if TABLE[phase, event] == NEVER else follow(phase, event, paused_from)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rollout.engine.context.follow", recorded)
        cases = list(itertools.product([place() for place in PLACES], STIMULI))
        cases += [(place(worse="freeze"), harm) for place in (shifting, observing, baking, paused)]
        cases += [(place(worse="pause"), harm) for place in (observing, paused)]
        for begun, stimulus in cases:
            world = begun.fork()
            stimulus(world)
            world.run(20)
            all_is_well(world)
            world.run(200, every_s=5)
    return pairs


def test_every_transition_that_the_table_allows_is_gone_through(followed):
    allowed = {pair for pair, target in TABLE.items() if target != NEVER}
    missing = [f"{phase} {event.name}" for phase, event in allowed - followed]
    assert missing == [], ", ".join(missing)


def test_nothing_else_is_ever_asked_for(followed):
    assert not {pair for pair in followed if TABLE[pair] == NEVER}
    assert len(followed) == sum(target != NEVER for target in TABLE.values())
