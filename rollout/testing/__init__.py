"""For those who write policies and adapters: a small world in which the real engine releases, quick and repeatable.

    world = World(policy)
    world.behaviour["v2"].rates["task-success"] = 0.2
    assert world.run(3600, until=Phase.ROLLED_BACK).reason is Reason.WORSE

Only what lies beyond the engine's ports is simulated: a clock, a router, users, counters and a record store, on one
thread and from a seed. The fakes are of use by themselves, too: each implements one port of `rollout.engine.ports`.
"""

from rollout.testing.fakes import (
    FakeClock,
    FakeConversations,
    FakeGatekeeper,
    FakeNotifier,
    FakeRouter,
    FakeStateContracts,
    FakeStatusStore,
    FakeWorkloads,
)
from rollout.testing.users import Behaviour, FakeMetrics
from rollout.testing.world import EPOCH, World, example_policy, example_spec

__all__ = [
    "EPOCH",
    "Behaviour",
    "FakeClock",
    "FakeConversations",
    "FakeGatekeeper",
    "FakeMetrics",
    "FakeNotifier",
    "FakeRouter",
    "FakeStateContracts",
    "FakeStatusStore",
    "FakeWorkloads",
    "World",
    "example_policy",
    "example_spec",
]
