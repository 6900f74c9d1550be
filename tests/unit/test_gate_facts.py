"""Single gates and effects, each on the facts that it turns on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.check_runs import forget_late
from rollout.engine.context import PlanContext
from rollout.engine.effects import ScaleUp, SetWeight
from rollout.engine.facts import Facts, KpiReading, ResourceFacts
from rollout.engine.gates.progress import split_is_right
from rollout.engine.gates.readiness import metrics_can_be_read, weight_is_effective
from rollout.engine.plan import plan
from rollout.engine.route_facts import BorrowedRoute, RouteFacts
from rollout.engine.routes.wanted import is_as_wanted
from rollout.model.api.rollout import Metadata
from rollout.model.rollout import Rollout
from rollout.model.status.evidence import TrafficEvidence
from rollout.model.status.status import Status
from rollout.model.status.traffic import Traffic
from rollout.model.status.vocabulary import Phase, Reason
from rollout.stats.mixture import Wealth
from rollout.stats.share import SampleRatio
from tests.statuses import status_with
from tests.world import EPOCH, World, policy, spec

PREFLIGHT = status_with(phase=Phase.PREFLIGHT, stable_version="v1", candidate_version="v2", steps=3)
STABLE = Status(stable_version="v1")
ALL_TO_V1 = BorrowedRoute("httpRoute/agent", reachable=True, shares={"v1": 10_000, "v2": 0}, base=100)


def context_of(status: Status, *routes: RouteFacts, version: str = "v2") -> PlanContext:
    facts = Facts(routes=routes, versions=("v1", "v2"))
    return PlanContext(Rollout(Metadata(name="agent"), spec(version, policy()), status), policy(), facts, EPOCH)


def after(status: Status, *routes: RouteFacts, version: str = "v1", **known: object) -> Status:
    facts = replace(Facts(routes=routes, versions=("v1", "v2")), **known)
    return plan(Rollout(Metadata(name="agent"), spec(version, policy()), status), policy(), facts, EPOCH).status


def test_no_weight_is_effective_while_stable_is_unknown():
    blocked = weight_is_effective(context_of(Status()))
    assert blocked is not None and blocked.reason is Reason.STABLE_UNKNOWN


def test_a_route_that_does_not_give_stable_everything_is_no_route_to_begin_with():
    shared = replace(ALL_TO_V1, shares={"v1": 7000, "v2": 3000})
    blocked = weight_is_effective(context_of(PREFLIGHT, shared))
    assert blocked is not None and blocked.reason is Reason.ROUTE_REFUSED
    assert "v1 70 %, v2 30 %" in blocked.message and "give v1" in blocked.message


def test_a_route_that_is_only_to_have_stable_is_as_wanted_whatever_else_is_listed_without_weight():
    assert is_as_wanted(SetWeight("v1"), ALL_TO_V1)
    assert not is_as_wanted(SetWeight("v2"), ALL_TO_V1)


def test_the_way_back_waits_for_no_metrics():
    assert metrics_can_be_read(context_of(status_with(PREFLIGHT, undoing=True))) is None
    assert metrics_can_be_read(context_of(status_with(PREFLIGHT, stable_passed_by="ada (it is down)"))) is None
    assert metrics_can_be_read(context_of(PREFLIGHT)) is not None


def test_a_split_that_is_no_chance_blocks_also_before_it_is_refuted_at_this_weight():
    surely = SampleRatio(Wealth(stakes=(1e6,) * 8))
    status = status_with(PREFLIGHT, split=TrafficEvidence(ratio=surely), traffic=Traffic(wanted_bp=1000))
    blocked = split_is_right(context_of(status))
    assert blocked is not None and blocked.reason is Reason.SAMPLE_RATIO and "10 %" in blocked.message


def test_nothing_is_forgotten_where_no_check_was_late():
    context = context_of(PREFLIGHT)
    forget_late(context)
    assert context.status == PREFLIGHT


def test_a_version_that_is_being_scaled_up_is_told_of_once_and_asked_for_until_it_is_up():
    asleep = {"asleep": frozenset({"v2"}), "ready": {"v1": "", "v2": "no pod is ready"}}
    rollout = Rollout(Metadata(name="agent"), spec("v2", policy()), PREFLIGHT)
    facts = replace(Facts(routes=(ALL_TO_V1,), versions=("v1", "v2")), **asleep)
    first = plan(rollout, policy(), facts, EPOCH)
    again = plan(replace(rollout, status=first.status), policy(), facts, EPOCH)
    assert ScaleUp("v2", "v1") in first.effects and ScaleUp("v2", "v1") in again.effects
    told = [sum("scaled to 0" in decision.message for decision in turn.decisions) for turn in (first, again)]
    assert told == [1, 0]


@pytest.mark.parametrize(
    ("route", "message"),
    [
        (replace(ALL_TO_V1, reachable=False, reason=Reason.ROUTE_NOT_FOUND, problem="is gone"), "is gone"),
        (replace(ALL_TO_V1, owned=True, denied="no rights"), "cannot be left as it was found: no rights"),
        (replace(ALL_TO_V1, shares={"v1": 9000, "v2": 1000}), "sends traffic to v2 10 %"),
        (replace(ALL_TO_V1, reason=Reason.ROUTE_REFUSED, problem="is listed twice"), "is listed twice"),
        (replace(ALL_TO_V1, shares={}), "gives v1 no weight"),
    ],
    ids=["gone", "denied", "shared", "refused", "nothing"],
)
def test_a_route_that_is_changed_at_rest_is_told(route: BorrowedRoute, message: str) -> None:
    blocked = after(STABLE, route).blocked
    assert blocked is not None and message in blocked.message


def test_a_route_that_cannot_be_read_for_a_moment_at_rest_is_nothing_to_tell():
    assert after(STABLE, replace(ALL_TO_V1, reachable=False, problem="timed out")).blocked is None


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (replace(ALL_TO_V1, shares={"v1": 5000, "v2": 5000}), Reason.WEIGHT_PENDING),
        (replace(ALL_TO_V1, accepted=False, programmed=False, waiting="not accepted"), Reason.ROUTE_NOT_ACCEPTED),
        (replace(ALL_TO_V1, reachable=False, problem="timed out"), Reason.ROUTER_DOWN),
        (replace(ALL_TO_V1, shares={"v1": 5000, "v2": 5000}, denied="no rights"), Reason.ROUTE_WRITE_DENIED),
    ],
    ids=["pending", "not accepted", "down", "denied"],
)
def test_a_weight_that_does_not_go_back_for_long_is_told_with_its_reason(route: BorrowedRoute, reason: Reason) -> None:
    long_ago = EPOCH.replace(year=EPOCH.year - 1)
    back = status_with(PREFLIGHT, traffic=Traffic(wanted_bp=0, asked_at=long_ago, off_since=long_ago))
    blocked = after(back.model_copy(update={"phase": Phase.ROLLING_BACK, "phase_since": long_ago}), route).blocked
    assert blocked is not None and blocked.reason is reason, blocked


def test_a_stable_version_without_a_backend_is_named_while_stable_is_unknown():
    elsewhere = replace(ALL_TO_V1, shares={"v9": 10_000})
    declared = spec(
        "v2",
        policy(),
        backends={"service": "$name-$version"},
        routes=[{"httpRoute": {"name": "agent"}}],
        metrics={"prometheus": {"url": "http://prometheus:9090"}},
    )
    facts = Facts(routes=(elsewhere,), versions=("v1", "v2"), resource=ResourceFacts(is_watched=True))
    status = plan(Rollout(Metadata(name="agent"), declared, Status()), policy(), facts, EPOCH).status
    assert "v9 has all the weight, and v9 has no endpoint" in status.message


@pytest.mark.parametrize(
    ("counter", "message"),
    [("requests", "the counter that the split is measured by: HTTP 500"), ("spend", "what v2 costs: HTTP 500")],
)
def test_a_counter_of_no_kpi_that_cannot_be_read_is_trouble_too(counter: str, message: str) -> None:
    world = World(policy(reactions={"sourceDown": "pause"}))
    world.run(600, until=Phase.OBSERVING)
    read = world.metrics.read
    broken = {counter: KpiReading(problem="HTTP 500")}
    world.metrics.read = lambda *asked: replace(read(*asked), **broken)  # type: ignore[method-assign]
    world.run(300, until=Phase.PAUSED)
    assert world.status.reason is Reason.SOURCE_ERROR and message in world.status.message
    world.run(300)
    assert world.status.phase is Phase.PAUSED, "it stays with the human who was asked"
