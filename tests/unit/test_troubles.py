"""Routers, sources, clocks and versions that fail: what holds, what goes back, what is nobody's fault."""

import pytest

from rollout.engine.effects import SetWeight
from rollout.model.status.evidence import KpiVerdict
from rollout.model.status.vocabulary import Phase, Reason, Result
from tests.world import Behaviour, World, policy

HOUR = 3600.0


def test_a_router_that_takes_no_weight_pauses_the_rollout_and_says_so():
    world = World()
    world.run(60, until=Phase.SHIFTING)
    world.router.deaf = True
    status = world.run(HOUR, until=Phase.PAUSED)
    assert status.reason is Reason.TRAFFIC_NOT_SHIFTING
    assert "10 %" in status.message


def test_a_foreign_edit_is_put_back_a_few_times_and_then_freezes():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    for _ in range(10):
        world.router.effective = SetWeight("v1", "v2", 7000)
        world.run(3)
    assert world.status.phase is Phase.FROZEN and world.status.reason is Reason.WEIGHT_DRIFT
    assert world.router.effective == SetWeight("v1", "v2", 7000), "frozen: nothing moves by itself"
    world.command("abort")
    world.run(30, until=Phase.ROLLED_BACK)
    assert world.router.effective == SetWeight("v1", "v2", 0)


def test_a_split_that_is_not_what_was_asked_for_blocks_promotion_but_rolls_nothing_back():
    world = World(rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    true_share = world.router.share_of
    world.router.share_of = lambda version: true_share(version) * (0.3 if version == "v2" else 1.0)  # type: ignore[method-assign]
    world.run(3 * HOUR, every_s=5)
    assert world.status.latest.step == 0 and world.status.phase in (Phase.OBSERVING, Phase.PAUSED)
    assert world.status.reason in (Reason.TRAFFIC_NOT_SHIFTING, Reason.SAMPLE_RATIO)


def test_a_candidate_that_stops_answering_is_rolled_back_without_statistics():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.workloads.down = {"v2"}
    status = world.run(120, until=Phase.ROLLED_BACK)
    assert status.reason is Reason.CANDIDATE_DOWN


def test_both_versions_down_is_not_the_candidates_fault():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.workloads.down = {"v1", "v2"}
    world.run(120)
    assert world.status.phase is Phase.OBSERVING


def test_a_source_that_is_down_holds_and_what_happened_meanwhile_is_counted_later():
    world = World(rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    world.run(60)
    before = world.status.latest.evidence["tasks"].all_c
    world.metrics.failing = {"tasks"}
    world.run(10 * 60)
    assert world.status.phase is Phase.OBSERVING and world.status.latest.step == 0
    assert world.status.reason is Reason.SOURCE_ERROR
    assert world.status.latest.evidence["tasks"].verdict is KpiVerdict.SOURCE_ERROR
    assert world.status.latest.evidence["tasks"].all_c == before
    world.metrics.failing = set()
    world.run(11)
    assert world.status.latest.evidence["tasks"].all_c > before + 50 * 600 * 0.1 * 0.8


@pytest.mark.parametrize(
    ("reaction", "phase"),
    [
        ("pause", Phase.PAUSED),
        ({"then": "hold", "after": "15m", "do": "rollback"}, Phase.ROLLED_BACK),
    ],
)
def test_a_source_that_stays_down_is_reacted_to_as_declared(reaction, phase):
    world = World(policy(reactions={"sourceDown": reaction}))
    world.run(10 * 60, until=Phase.OBSERVING)
    world.metrics.failing = {"tasks"}
    began = world.clock.at
    status = world.run(HOUR, until=phase)
    assert status.phase is phase and status.reason is Reason.SOURCE_ERROR
    waited_s = (world.clock.at - began).total_seconds()
    assert waited_s >= (900 if phase is Phase.ROLLED_BACK else 100)


def test_no_outcomes_is_no_data_and_never_success():
    world = World(policy(canary={"steps": [{"weight": "10%", "for": "1m"}, {"weight": "50%", "for": "1m"}]}))
    world.run(10 * 60, until=Phase.OBSERVING)
    world.rate = 0.0
    world.run(HOUR)
    assert world.status.reason is Reason.NO_DATA and world.status.latest.step == 0


def test_a_bound_that_both_versions_break_is_the_environment():
    kpis = [
        {"name": "errors", "bad": "a", "total": "b", "margin": {"absolute": "20%"}, "atMost": "5%"},
        {"name": "tasks", "bad": "c", "total": "d", "margin": {"absolute": "20%"}},
    ]
    world = World(policy(kpis=kpis), rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    world.behaviour["v1"] = world.behaviour["v2"] = Behaviour(errors=0.3)
    world.run(20 * 60)
    assert world.status.phase is Phase.OBSERVING and world.status.reason is Reason.ENVIRONMENT


def test_a_bound_that_only_the_candidate_breaks_rolls_back():
    kpis = [
        {"name": "errors", "bad": "a", "total": "b", "margin": {"absolute": "50%"}, "atMost": "5%"},
        {"name": "tasks", "bad": "c", "total": "d", "margin": {"absolute": "20%"}},
    ]
    world = World(policy(kpis=kpis), rate=50)
    world.behaviour["v2"] = Behaviour(errors=0.15)
    status = world.run(2 * HOUR, until=Phase.ROLLED_BACK)
    assert status.latest.culprits == ("errors",)


def test_a_router_that_was_down_for_a_moment_late_in_a_step_pauses_nothing():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.rate = 0.01
    world.run(1800)
    world.router.down = True
    world.run(5)
    world.router.down = False
    world.run(60)
    assert world.status.phase is Phase.OBSERVING
    world.router.effective = SetWeight("v1", "v2", 9000)
    world.run(10)
    assert world.status.phase is Phase.OBSERVING and world.router.effective == SetWeight("v1", "v2", 1000)
    told = [decision.message for decision in world.status_store.decisions if decision.kind == "traffic"]
    assert any("does not answer" in message for message in told)
    assert any("the weights were changed by others" in message for message in told)


def test_requests_before_the_weight_came_into_force_say_nothing_about_the_split():
    world = World(rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    world.router.deaf = True
    world.run(HOUR, until=Phase.SHIFTING)
    world.run(100)
    world.router.deaf = False
    world.run(200)
    assert world.status.phase is Phase.OBSERVING and world.status.latest.traffic.effective != "refuted"


def test_a_preflight_that_fails_says_what_failed():
    world = World()
    world.workloads.down = {"v2"}
    world.run(60)
    assert world.status.reason is Reason.NOT_READY and "v2 is not ready" in world.status.message
    told = [decision for decision in world.status_store.decisions if decision.kind == "transition"]
    assert len(told) <= 4, "and says it once"
    status = world.run(HOUR, until=Phase.ROLLED_BACK)
    assert "v2 is not ready: connection refused" in status.message


def test_a_pause_in_preflight_does_not_use_up_its_time():
    world = World()
    world.workloads.down = {"v2"}
    world.run(30)
    world.command("pause")
    world.run(20 * 60)
    world.workloads.down = set()
    world.command("resume")
    world.run(30, until=Phase.OBSERVING)
    assert world.status.phase is Phase.OBSERVING


def test_a_clock_that_steps_back_blinds_nobody():
    world = World(rate=50)
    world.run(10 * 60, until=Phase.OBSERVING)
    world.run(60)
    world.clock.pass_s(-3600)
    world.behaviour["v2"] = Behaviour(tasks=0.9)
    began = world.clock.at
    world.run(HOUR, until=Phase.ROLLED_BACK)
    assert (world.clock.at - began).total_seconds() < 300


def test_checks_that_never_pass_stop_the_rollout_before_any_traffic():
    world = World()
    world.metrics.failing = {"tasks"}
    status = world.run(HOUR, until=Phase.ROLLED_BACK)
    assert status.latest.result is Result.STOPPED and status.reason is Reason.PREFLIGHT_FAILED
    assert all(weight.weight_bp == 0 for weight in world.router.applied)


def test_the_wall_clock_stepping_back_breaks_nothing():
    world = World()
    world.run(10 * 60, until=Phase.OBSERVING)
    world.clock.pass_s(-3600)
    world.run(30)
    assert world.status.phase in (Phase.OBSERVING, Phase.SHIFTING)
    assert world.router.effective == SetWeight("v1", "v2", 1000)


def test_an_unknown_stable_version_starts_nothing_and_says_what_to_do():
    world = World()
    world.status_store.rollout = type(world.status_store.rollout)(
        world.status_store.rollout.metadata,
        world.status_store.rollout.spec,
        world.status.model_copy(update={"stable_version": None}),
    )
    world.router.effective = None
    world.run(5)
    assert world.status.reason is Reason.STABLE_UNKNOWN and "--stable" in world.status.message
    assert not world.router.applied
