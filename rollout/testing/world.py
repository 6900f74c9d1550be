"""A small world: one rollout, its users and the loop that carries it out, all on one thread and from a seed."""

from __future__ import annotations

import copy
import logging
import random
from datetime import timedelta
from typing import Any, cast

import structlog

from rollout.engine.effects import SetWeight
from rollout.engine.facts import Command, Verb
from rollout.engine.planned import Plan
from rollout.engine.ports import Ports
from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.documents import policy_spec
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.runtime.reconciler import Reconciler
from rollout.testing.fakes import (
    EPOCH,
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

__all__ = ["EPOCH", "World", "example_policy", "example_spec"]

EXAMPLE_POLICY: dict[str, Any] = {
    "canary": {
        "steps": [
            {"weight": "10%", "for": "1m"},
            {"weight": "25%", "for": "1m", "until": "evidence", "atMost": "1h"},
            {"weight": "50%", "for": "2m", "until": "evidence", "atMost": "2h"},
        ],
        "bake": {"for": "5m"},
    },
    "kpis": [
        {
            "name": "errors",
            "bad": "a",
            "total": "b",
            "margin": {"relative": "10%", "absolute": "0.5%"},
            "promotionMargin": {"relative": "50%", "absolute": "3%"},
        },
        {
            "name": "tasks",
            "bad": "c",
            "total": "d",
            "margin": {"relative": "10%", "absolute": "1%"},
            "promotionMargin": {"relative": "50%", "absolute": "4%"},
        },
    ],
    "evidence": {"sampleEvery": "10s", "warmUp": "20s"},
    "drain": {"deadline": "10m"},
}

VERSIONS = ("v1", "v2", "v3")
PASS_MAX_S = 10.0


def example_policy(**changes: object) -> PolicySpec:
    """Return a canary over three steps, judged by `errors` and `tasks`, with whole sections replaced."""
    policy, faults = policy_spec(copy.deepcopy({**EXAMPLE_POLICY, **changes}))
    assert policy is not None, faults
    assert not faults, faults
    return policy


def example_spec(version: str | None, policy: PolicySpec, **changes: object) -> RolloutSpec:
    """Return the spec of a local rollout with three versions, with whole sections replaced."""
    raw = {
        "version": version,
        "backends": {"endpoints": [{"version": name, "url": f"http://{name}:80"} for name in VERSIONS]},
        "routes": [{"envoy": {"listen": "127.0.0.1:1"}}],
        "metrics": {"scrape": {}},
        "policyRef": {"name": "p"},
        "conversations": {"turns": 1},
        **changes,
    }
    return RolloutSpec.model_validate(raw).model_copy(update={"policy": policy})


class World:
    """One release from v1 to `version` at `rate` requests a second, carried out by the real engine.

    Args:
        behaviour: how each version behaves, by version.
        plans: every plan so far. What else there is can be reached, and broken: `clock`, `router`, `metrics`,
            `workloads`, `gatekeeper`, `states`, `conversations`, `notifier` and `status_store`.
    """

    def __init__(
        self,
        policy: PolicySpec | None = None,
        *,
        version: str = "v2",
        seed: int = 1,
        rate: float = 20.0,
        **spec_changes: object,
    ) -> None:
        if not structlog.is_configured():  # decisions are in `status_store`; a program that wants them logged says so
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        self.policy = policy or example_policy()
        self.rate = rate
        self.random = random.Random(seed)  # noqa: S311  a simulation, repeatable on purpose
        self.clock = FakeClock()
        self.router = FakeRouter(effective=SetWeight(VERSIONS[0]))
        self.metrics = FakeMetrics(self.random)
        others = [kpi.name for kpi in self.policy.kpis if kpi.name not in (*self.metrics.names, "cost")]
        self.metrics.names = (*self.metrics.names, *others)
        self.workloads = FakeWorkloads(spec=lambda: self.status_store.rollout.spec)
        self.gatekeeper = FakeGatekeeper()
        self.states = FakeStateContracts(self.clock)
        self.conversations = FakeConversations()
        self.notifier = FakeNotifier()
        self.behaviour = {name: Behaviour() for name in VERSIONS}
        declared = example_spec(version, self.policy, **spec_changes)
        self.status_store = FakeStatusStore(
            Rollout(Metadata(name="agent"), declared, Status(stable_version=VERSIONS[0]))
        )
        self.plans: list[Plan] = []
        self.commands = 0

    @property
    def status(self) -> Status:
        return self.status_store.rollout.status

    def declare(self, **changes: object) -> None:
        """Edit the spec, as GitOps would."""
        now = self.status_store.rollout
        self.status_store.rollout = Rollout(now.metadata, now.spec.model_copy(update=changes), now.status)

    def command(self, verb: str, *, phase: str | None = None, step: int | None = None, id_: str | None = None) -> str:
        """Ask for something, as `ada`; return the command's id."""
        self.commands += 1
        command_id = id_ or f"command-{self.commands:04}"
        command = Command(command_id, cast("Verb", verb), "ada", "because", self.clock.at, phase, step)
        self.status_store.pending.append(command)
        return command_id

    def reconcile(self) -> Plan:
        """Take one turn, of a controller that remembers nothing but what it stored."""
        ports = Ports(
            self.status_store,
            (self.router,),
            self.metrics,
            self.workloads,
            self.gatekeeper,
            self.clock,
            self.states,
            self.conversations,
            self.notifier,
        )
        self.plans.append(Reconciler(lambda _: self.policy, ports).reconcile().plan)
        return self.plans[-1]

    def fork(self) -> World:
        """Return a world that goes on from here by itself; what was planned so far stays behind."""
        plans, self.plans = self.plans, []
        shared: tuple[object, ...] = (self.policy, self.status_store.rollout)  # immutable
        try:
            return copy.deepcopy(self, {id(part): part for part in shared})
        finally:
            self.plans = plans

    def pass_s(self, seconds: float) -> None:
        """Let users talk for a while, split as the router has it."""
        requests = self.rate * seconds
        for version, behaviour in self.behaviour.items():
            expected = requests * self.router.share_of(version)
            count = int(expected) + (self.random.random() < expected - int(expected))
            self.metrics.grow(version, behaviour, count, self.clock.at)
        self.clock.pass_s(seconds)
        self.metrics.deliver(self.clock.at)

    def run(self, seconds: float, *, until: str | None = None, every_s: float = 1.0) -> Status:
        """Reconcile again and again, for a time or until a phase is reached."""
        end = self.clock.at + timedelta(seconds=seconds)
        while self.clock.at < end:
            plan = self.reconcile()
            if until is not None and plan.status.phase == until:
                break
            self.pass_s(min(every_s, PASS_MAX_S))
        return self.status
