"""A small world for the engine: a clock, a router, users, counters and a notebook, all on one thread and seeded.

The engine itself is the real one, driven through the real reconcile loop; only what lies beyond its ports is simulated.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import log, log1p

import yaml

from rollout.engine.effects import SetWeight
from rollout.engine.facts import Calendar, CheckFact, Command, Counters, KpiReading, Round, Told
from rollout.engine.planned import Plan
from rollout.engine.route_facts import OwnRoute
from rollout.errors import RecordsUnavailable, RouterUnavailable
from rollout.model.agent_state import Census
from rollout.model.api.gates import Gates
from rollout.model.api.kpi import Kpi
from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.documents import policy_spec
from rollout.model.rollout import Rollout
from rollout.model.status.decision import Decision
from rollout.model.status.status import Status
from rollout.runtime.reconciler import Reconciler

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

POLICY = """
canary:
  steps:
  - {weight: 10%, for: 1m}
  - {weight: 25%, for: 1m, until: evidence, atMost: 1h}
  - {weight: 50%, for: 2m, until: evidence, atMost: 2h}
  bake: {for: 5m}
kpis:
- {name: errors, bad: a, total: b, margin: {relative: 10%, absolute: 0.5%}, promotionMargin: {relative: 50%, absolute: 3%}}
- {name: tasks, bad: c, total: d, margin: {relative: 10%, absolute: 1%}, promotionMargin: {relative: 50%, absolute: 4%}}
evidence: {sampleEvery: 10s, warmUp: 20s}
drain: {deadline: 10m}
"""


def policy(text: str = POLICY, **changes: object) -> PolicySpec:
    """Read a policy from YAML, with whole sections replaced."""
    raw = {**yaml.safe_load(text), **changes}
    parsed, faults = policy_spec(raw)
    assert parsed is not None and not faults, faults
    return parsed


def spec(version: str | None, of: PolicySpec, **changes: object) -> RolloutSpec:
    raw = {
        "version": version,
        "backends": {"endpoints": [{"version": v, "url": f"http://{v}:80"} for v in ("v1", "v2", "v3")]},
        "routes": [{"envoy": {"listen": "127.0.0.1:1"}}],
        "metrics": {"scrape": {}},
        "policyRef": {"name": "p"},
        "conversations": {"turns": 1},
        **changes,
    }
    return RolloutSpec.model_validate(raw).model_copy(update={"policy": of})


@dataclass
class FakeClock:
    at: datetime = EPOCH

    def now(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class FakeRouter:
    """Takes weights, remembers all of them, and can be down, deaf (accepts, does nothing) or edited by others."""

    in_force: SetWeight | None = None
    applied: list[SetWeight] = field(default_factory=list)
    down: bool = False
    deaf: bool = False
    active: dict[str, int] = field(default_factory=dict)
    name = "route"

    def leave(self, effect) -> None:
        raise AssertionError("only routes of others are left")

    def observe(self) -> OwnRoute:
        if self.down:
            return OwnRoute("route", reachable=False, problem="connection refused")
        now = self.in_force
        if now is None:
            return OwnRoute("route", reachable=True)
        return OwnRoute(
            "route",
            reachable=True,
            active=self.active,
            stable=now.stable,
            candidate=now.candidate,
            candidate_bp=now.candidate_bp,
            preview_header=now.preview_header,
        )

    def apply(self, weight: SetWeight) -> None:
        if self.down:
            raise RouterUnavailable("connection refused")
        self.applied.append(weight)
        if not self.deaf:
            self.in_force = weight

    def share_of(self, version: str) -> float:
        now = self.in_force
        if now is None:
            return 0.0
        share = now.candidate_bp / 10_000
        return share if version == now.candidate else 1 - share if version == now.stable else 0.0


@dataclass
class FakeRecords:
    """A notebook that can refuse to be written in, and a mailbox that may deliver a command again."""

    rollout: Rollout
    pending: list[Command] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    broken: bool = False
    answered: set[str] = field(default_factory=set)
    again: list[Command] = field(default_factory=list)

    def load(self) -> Rollout:
        return self.rollout

    def commands(self) -> tuple[Command, ...]:
        return (*(each for each in self.pending if each.id not in self.answered), *self.again)

    def tell(self) -> None:
        pass

    def save(self, plan: Plan) -> None:
        if self.broken:
            raise RecordsUnavailable("disk full")
        # Through JSON and back: what a restart would read.
        status = Status.model_validate_json(plan.status.model_dump_json(by_alias=True))
        self.rollout = Rollout(self.rollout.metadata, self.rollout.spec, status)
        self.decisions += plan.decisions
        self.answered |= set(status.handled)
        self.again = []


def binomial(chance: random.Random, trials: int, rate: float) -> int:
    """Draw how many of `trials` happen at `rate`: from one that happens to the next, as most do not."""
    if rate > 0.5:
        return trials - binomial(chance, trials, 1.0 - rate)
    hits, at = 0, 0
    while rate > 0.0:
        at += 1 + int(log(1.0 - chance.random()) / log1p(-rate))
        if at > trials:
            break
        hits += 1
    return hits


@dataclass
class Behaviour:
    """Chance of a bad outcome by KPI, for one version."""

    errors: float = 0.01
    tasks: float = 0.04
    cost: float = 0.01
    answers: float = 0.2
    late_s: float = 0.0  # failed tasks are known only after so long


@dataclass
class FakeMetrics:
    """Counters that grow while the clock runs."""

    random: random.Random
    totals: dict[tuple[str, str, str], float] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    responses: set[str] = field(default_factory=set)
    per_response: dict[str, tuple[float, float]] = field(default_factory=dict)
    coming: list[tuple[datetime, str, int]] = field(default_factory=list)

    def grow(self, version: str, behaviour: Behaviour, requests: int, now: datetime = EPOCH) -> None:
        for kpi in ("errors", "tasks"):
            bad = binomial(self.random, requests, getattr(behaviour, kpi))
            if kpi == "tasks" and behaviour.late_s:
                self.coming.append((now + timedelta(seconds=behaviour.late_s), version, bad))
            else:
                self._add(version, kpi, "bad", bad)
            self._add(version, kpi, "total", requests)
        self._add(version, "spend", "total", requests * behaviour.cost)
        cost = self.random.gammavariate(requests, behaviour.cost) if requests else 0.0  # a sum of exponential ones
        self._add(version, "cost", "bad", cost)
        self._add(version, "cost", "total", requests)
        if version in self.per_response:  # "tasks" is feedback then: how many respond, and how many of those complain
            respond, complain = self.per_response[version]
            given = binomial(self.random, requests, respond)
            self.totals[version, "tasks", "total"] = self.totals.get((version, "tasks", "given"), 0.0) + given
            self._add(version, "tasks", "given", given)
            self.totals[version, "tasks", "bad"] = self.totals.get((version, "tasks", "said"), 0.0)
            said = binomial(self.random, given, complain)
            self._add(version, "tasks", "said", said)
            self.totals[version, "tasks", "bad"] += said
        else:
            given = binomial(self.random, requests, behaviour.answers)
        self._add(version, "tasks given", "bad", given)
        self._add(version, "tasks given", "total", requests)

    def deliver(self, now: datetime) -> None:
        """Let failures that are known by now be counted."""
        for _, version, bad in [each for each in self.coming if each[0] <= now]:
            self._add(version, "tasks", "bad", bad)
        self.coming = [each for each in self.coming if each[0] > now]

    def _add(self, version: str, kpi: str, what: str, count: float) -> None:
        key = (version, kpi, what)
        self.totals[key] = self.totals.get(key, 0.0) + count

    def read(self, stable: str, candidate: str, kpis: tuple[Kpi, ...], spend: str | None = None) -> Round:
        return Round(
            kpis={kpi.name: self._reading(kpi.name, stable, candidate) for kpi in kpis},
            requests=self._reading("errors", stable, candidate),
            responses={name: self._reading(f"{name} given", stable, candidate) for name in self.responses},
            spend=self._reading("spend", stable, candidate) if spend else None,
        )

    def _reading(self, kpi: str, stable: str, candidate: str) -> KpiReading:
        if kpi in self.failing:
            return KpiReading(problem=f"the page of {kpi} did not answer")
        return KpiReading(stable=self._counters(stable, kpi), candidate=self._counters(candidate, kpi))

    def _counters(self, version: str, kpi: str) -> Counters:
        series = f"{version}|{kpi}"
        bad, total = (self.totals.get((version, kpi, what), 0.0) for what in ("bad", "total"))
        return Counters(bad={series: bad}, total={series: total})


@dataclass
class FakeWorkloads:
    """listed: the versions that have a backend, where it is not the spec that lists them. sleeping: those at 0 replicas, until they are woken."""

    spec: Callable[[], RolloutSpec]
    down: set[str] = field(default_factory=set)
    listed: tuple[str, ...] = ()
    sleeping: set[str] = field(default_factory=set)
    made_of: dict[str, dict[str, str]] = field(default_factory=dict)
    no_backend = "has no endpoint: add one to spec.backends.endpoints"

    def known(self, versions: tuple[str, ...]) -> tuple[str, ...]:
        return self.listed or self.spec().backends.versions

    def asleep(self, versions: tuple[str, ...]) -> frozenset[str]:
        return frozenset(self.sleeping & set(versions))

    def identities(self, versions: tuple[str, ...]) -> dict[str, dict[str, str]]:
        return {version: self.made_of[version] for version in versions if version in self.made_of}

    def wake(self, version: str, like: str) -> None:
        self.sleeping.discard(version)

    def ready(self, versions: tuple[str, ...], ports: object = None) -> dict[str, str]:
        return {version: "connection refused" if version in self.down else "" for version in versions}


@dataclass
class FakeGatekeeper:
    """Windows that are open or not, and checks whose verdicts the test gives. asked: by id, how often seen."""

    closed: str = ""
    verdicts: dict[str, CheckFact] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)

    def calendar(self, gates: Gates) -> Calendar:
        return Calendar(is_open=not self.closed, message=self.closed)

    def checks(self, rollout: Rollout, gates: Gates) -> dict[str, CheckFact]:
        found = {}
        for run in rollout.status.latest.checks:
            if run.state == "running":
                self.asked[run.id] = self.asked.get(run.id, 0) + 1
                found[run.id] = self.verdicts.get(run.name, CheckFact())
        return found


@dataclass
class FakeStates:
    """Contracts that the test gives by version, and what a look at live conversations finds."""

    clock: FakeClock
    texts: dict[str, Told] = field(default_factory=dict)
    seen: Census | None = None

    def contracts(self, rollout: Rollout, versions: tuple[str, ...]) -> dict[str, Told]:
        return {version: self.texts.get(version, Told(problem="nothing answers")) for version in versions}

    def census(self, rollout: Rollout) -> Census | None:
        return None if self.seen is None else self.seen.model_copy(update={"at": self.clock.at})


class World:
    """One rollout from v1 to v2 under a given request rate, unless told otherwise."""

    def __init__(
        self,
        of: PolicySpec | None = None,
        *,
        version: str = "v2",
        seed: int = 1,
        rate: float = 20.0,
        **spec_changes: object,
    ) -> None:
        self.policy = of or policy()
        self.rate = rate
        self.random = random.Random(seed)
        self.clock = FakeClock()
        self.router = FakeRouter(in_force=SetWeight("v1"))
        self.metrics = FakeMetrics(self.random)
        self.workloads = FakeWorkloads(spec=lambda: self.records.rollout.spec)
        self.gatekeeper = FakeGatekeeper()
        self.states = FakeStates(self.clock)
        self.behaviour = {name: Behaviour() for name in ("v1", "v2", "v3")}
        declared = spec(version, self.policy, **spec_changes)
        self.records = FakeRecords(Rollout(Metadata(name="agent"), declared, Status(stable_version="v1")))
        self.plans: list[Plan] = []
        self.commands = 0

    @property
    def status(self) -> Status:
        return self.records.rollout.status

    def declare(self, **changes: object) -> None:
        """Edit the spec, as GitOps would."""
        now = self.records.rollout
        self.records.rollout = Rollout(now.metadata, now.spec.model_copy(update=changes), now.status)

    def command(self, verb: str, *, phase: str | None = None, step: int | None = None, id_: str | None = None) -> str:
        self.commands += 1
        found = id_ or f"command-{self.commands:04}"
        self.records.pending.append(Command(found, verb, "ada", "because", self.clock.at, phase, step))  # type: ignore[arg-type]
        return found

    def look(self) -> Plan:
        """One look of a controller that remembers nothing but its records."""
        reconciler = Reconciler(
            lambda _: self.policy,
            self.records,
            (self.router,),
            self.metrics,
            self.workloads,
            self.gatekeeper,
            self.clock,
            self.states,
        )
        made = reconciler.reconcile().plan
        self.plans.append(made)
        return made

    def fork(self) -> World:
        """Return a world that goes on from here by itself; what was planned so far stays behind."""
        plans, self.plans = self.plans, []
        shared = (self.policy, self.records.rollout)  # immutable
        try:
            return copy.deepcopy(self, {id(each): each for each in shared})
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
        """Look again and again, for a time or until a phase is reached."""
        end = self.clock.at + timedelta(seconds=seconds)
        while self.clock.at < end:
            made = self.look()
            if until is not None and made.status.phase == until:
                break
            self.pass_s(min(every_s, 10.0))
        return self.status
