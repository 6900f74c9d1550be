"""Gates through the engine: windows, checks by others, maturity, spend and feedback. Judging never stops meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollout.engine.facts import CheckFact
from rollout.model.status.vocabulary import Phase, Reason, Result
from tests.statuses import status_with
from tests.world import Behaviour, World, policy

CHECK = {"name": "evals", "url": "http://evals/run", "timeout": "5m"}


def checked(when: str, **more) -> World:
    return World(policy(gates={"webhooks": [{**CHECK, "when": when, **more}]}))


def shares(world: World) -> set[int]:
    return {weight.weight_bp for weight in world.router.applied}


def test_no_traffic_moves_while_the_window_is_closed_and_it_goes_on_by_itself():
    world = World()
    world.gatekeeper.closed = "opens Mon 09:00"
    world.run(600)
    assert world.status.phase is Phase.SHIFTING and world.status.reason is Reason.WINDOW_CLOSED
    assert "opens Mon 09:00" in world.status.message and shares(world) == {0}
    world.gatekeeper.closed = ""
    world.run(60, until=Phase.OBSERVING)
    assert world.status.latest.traffic.wanted_bp == 1000


def test_a_window_that_closes_keeps_the_weight_and_harm_is_still_judged():
    world = World()
    world.run(60, until=Phase.OBSERVING)
    world.gatekeeper.closed = "opens Mon 09:00"
    world.run(400)
    assert world.status.reason is Reason.WINDOW_CLOSED and world.status.latest.traffic.wanted_bp == 1000
    looks = len([each for each in world.status_store.decisions if each.kind == "sample"])
    world.behaviour["v2"] = Behaviour(tasks=0.6)
    world.run(1800, until=Phase.ROLLED_BACK)
    assert world.status.latest.result is Result.ROLLED_BACK and world.router.share_of("v2") == 0.0
    assert len([each for each in world.status_store.decisions if each.kind == "sample"]) > looks


def test_everything_moves_only_in_a_window_but_promotion_needs_none():
    world = World()
    while world.status.latest.step < 2 or world.status.phase is not Phase.OBSERVING:
        world.reconcile()
        world.pass_s(1)
    world.gatekeeper.closed = "frozen until January"
    world.run(7200, every_s=5)
    assert world.status.phase is Phase.OBSERVING and world.status.reason is Reason.WINDOW_CLOSED
    world.gatekeeper.closed = ""
    world.run(60, until=Phase.BAKING)
    world.gatekeeper.closed = "frozen until January"
    world.run(900, until=Phase.DRAINING)
    assert world.status.latest.result is Result.PROMOTED


def test_a_human_can_waive_the_window_for_one_step_by_name():
    world = World()
    world.gatekeeper.closed = "frozen until January"
    world.run(60)
    world.command("promote")
    world.run(3)
    assert not world.status.last_command.accepted and "rollout approve" in world.status.last_command.message
    world.command("approve")
    world.command("approve")
    world.run(30)
    assert world.status.phase is Phase.OBSERVING and world.status.latest.traffic.wanted_bp == 1000
    assert not world.status.last_command.accepted, "said twice it is meant once"
    assert "by ada: because" in " ".join(decision.message for decision in world.status_store.decisions)
    world.run(600)
    assert world.status.reason is Reason.WINDOW_CLOSED, "the next step waits again"


def test_a_check_that_says_no_stops_the_rollout_before_any_traffic():
    world = checked("before-traffic")
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=False, message="12 of 50 answers right")
    world.run(120)
    assert world.status.phase is Phase.ROLLED_BACK and world.status.latest.result is Result.STOPPED
    assert "12 of 50 answers right" in world.status.message and shares(world) == {0}


def test_a_check_that_gives_no_verdict_in_time_is_no_yes():
    world = checked("before-traffic")
    world.gatekeeper.verdicts["evals"] = CheckFact(message="http://evals did not answer within 10 s")
    world.run(400)
    assert world.status.latest.result is Result.STOPPED and world.status.reason is Reason.CHECK_LATE
    assert "no verdict within 5m" in world.status.message and "did not answer" in world.status.message
    assert shares(world) == {0}


def test_a_slow_check_outlasts_the_deadline_of_the_other_preflight_checks():
    world = checked("before-traffic", timeout="2h")
    world.run(1800)
    assert world.status.phase is Phase.PREFLIGHT and world.status.reason is Reason.CHECK_RUNNING
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=True)
    world.run(60, until=Phase.OBSERVING)
    assert world.status.phase is Phase.OBSERVING


def test_a_check_is_asked_once_a_point_under_one_id_across_restarts():
    world = checked("before-step")
    world.run(60)
    assert world.status.reason is Reason.CHECK_RUNNING and shares(world) == {0}
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=True)
    world.run(4000, until=Phase.BAKING)
    points = [run.point for run in world.status.latest.checks]
    assert points == ["before-step-1", "before-step-2", "before-step-3", "before-step-4"]
    assert len(world.gatekeeper.asked) == 4


def test_where_to_poll_is_kept_for_whoever_comes_after_a_restart():
    world = checked("before-traffic")
    world.gatekeeper.verdicts["evals"] = CheckFact(where="http://evals/run/7", message="running")
    world.run(30)
    assert world.status.latest.checks[0].where == "http://evals/run/7"
    assert "running" in world.status.message


def test_a_check_that_says_no_in_mid_flight_takes_all_traffic_back():
    world = checked("before-promotion")
    world.run(9000, until=Phase.BAKING)
    world.run(400)
    assert world.status.reason is Reason.CHECK_RUNNING
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=False, message="no")
    world.run(10)
    assert world.status.latest.result is Result.STOPPED and world.router.share_of("v1") == 1.0


def test_a_late_check_in_mid_flight_pauses_and_resuming_asks_anew():
    world = checked("before-promotion")
    world.run(9000, until=Phase.PAUSED)
    assert world.status.reason is Reason.CHECK_LATE
    before = set(world.gatekeeper.asked)
    world.command("resume")
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=True)
    world.run(60, until=Phase.DRAINING)
    assert world.status.latest.result is Result.PROMOTED
    assert len(set(world.gatekeeper.asked) - before) == 1, "a new id: the service must not answer with the old run"


def test_a_retry_after_a_check_has_the_budget_it_had():
    world = checked("before-traffic")
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=False)
    world.run(120)
    world.command("retry")
    world.run(3)
    assert world.status.phase is Phase.PREFLIGHT and world.status.latest.retries == 0


def test_trying_another_version_in_between_does_not_make_a_failed_one_new():
    world = World(rate=50)
    world.behaviour["v2"] = Behaviour(tasks=0.6)
    world.run(1800, until=Phase.ROLLED_BACK)
    world.declare(version="v3")
    world.run(60, until=Phase.OBSERVING)
    world.command("abort")
    world.run(10)
    world.declare(version="v2")
    world.run(30)
    assert world.status.phase is Phase.ROLLED_BACK, "it is not tried again by itself"
    world.command("retry")
    world.run(3)
    assert world.status.candidate_version == "v2" and world.status.latest.retries == 1


def test_what_was_known_to_be_worse_keeps_its_retries_however_it_was_left():
    for left_by in ("abort", "supersede"):
        world = World(policy(reactions={"worse": "pause"}), rate=50)
        world.behaviour["v2"] = Behaviour(tasks=0.6)
        world.run(1800, until=Phase.PAUSED)
        if left_by == "abort":
            world.command("abort")
        else:
            world.declare(version="v3")
        world.run(30)
        assert world.status.failed == {"v2": 0}, left_by
    world.declare(version="v2")
    world.run(60)
    assert world.status.candidate_version != "v2", "it is not tried again by itself"


def test_a_status_of_the_release_before_keeps_its_retries():
    world = World(rate=50)
    world.behaviour["v2"] = Behaviour(tasks=0.6)
    world.run(1800, until=Phase.ROLLED_BACK)
    now = world.status_store.rollout
    older = status_with(now.status, failed={}, retries=1)
    world.status_store.rollout = type(now)(now.metadata, now.spec, older)
    world.command("retry")
    world.run(3)
    assert world.status.latest.retries == 2


def test_who_promoted_by_hand_is_named_and_nobody_else():
    world = World(rate=0.5)
    for _ in range(3):
        world.run(200, every_s=5)
        world.command("promote")
    world.run(600, every_s=5, until=Phase.DRAINING)
    world.command("promote")
    world.run(600, every_s=5, until=Phase.DRAINING)
    if world.status.latest.result is Result.PROMOTED:
        assert "by hand (ada)" in world.status.message
    assert world.status.latest.promoted_by == ("ada",)


def test_a_verdict_after_the_deadline_changes_nothing():
    world = checked("before-traffic")
    world.run(400)
    assert world.status.latest.result is Result.STOPPED
    world.gatekeeper.verdicts["evals"] = CheckFact(passed=True)
    world.run(120)
    assert world.status.phase is Phase.ROLLED_BACK and shares(world) == {0}


def test_young_outcomes_prove_nothing():
    kpis = [{"name": "tasks", "bad": "c", "total": "d", "margin": {"relative": "50%", "absolute": "5%"}}]
    young = World(policy(kpis=kpis), rate=50)
    late = World(policy(kpis=[{**kpis[0], "matures": "10m"}]), rate=50)
    for world in (young, late):
        world.run(60, until=Phase.OBSERVING)
        world.run(300)
    assert young.status.latest.evidence["tasks"].proof.e_value > 20
    assert late.status.latest.evidence["tasks"].proof.e_value == pytest.approx(1.0)
    assert late.status.latest.evidence["tasks"].all_c > 0, "they are counted, and harm is judged"
    late.run(9000, until=Phase.BAKING)
    took = late.clock.at - late.status.latest.started_at
    assert late.status.phase is Phase.BAKING and took > timedelta(minutes=10), "proof came once they were mature"


def late_failures(matures: str) -> World:
    """A version whose tasks fail five times as often, eight minutes after they began; two steps of five minutes."""
    steps = [{"weight": "20%", "for": "5m"}, {"weight": "50%", "for": "5m"}]
    margins = {
        "margin": {"relative": "10%", "absolute": "2%"},
        "promotionMargin": {"relative": "50%", "absolute": "4%"},
    }
    kpis = [{"name": "tasks", "bad": "c", "total": "d", "matures": matures, **margins}]
    world = World(policy(kpis=kpis, canary={"steps": steps, "bake": {"for": "1m"}}), rate=5)
    world.behaviour["v1"] = Behaviour(late_s=480)
    world.behaviour["v2"] = Behaviour(tasks=0.2, late_s=480)
    world.router.active = {}
    for _ in range(600):  # stable was in use long before
        world.pass_s(1)
    world.run(7200, until=Phase.DRAINING)
    return world


def test_failures_that_come_late_do_not_let_a_worse_version_through():
    assert late_failures("10m").status.latest.result is Result.ROLLED_BACK


def test_without_matures_young_outcomes_would_have_proved_it():
    """Without this, the test before could pass for some other reason."""
    assert late_failures("0s").status.latest.result is Result.PROMOTED


def test_young_outcomes_can_show_harm():
    kpis = [{"name": "tasks", "bad": "c", "total": "d", "matures": "1h", "margin": {"relative": "10%"}}]
    world = World(policy(kpis=kpis, canary={"steps": [{"weight": "50%", "for": "3h"}]}), rate=50)
    world.behaviour["v2"] = Behaviour(tasks=0.5)
    world.run(1200, until=Phase.ROLLED_BACK)
    assert world.status.latest.result is Result.ROLLED_BACK


def test_a_bake_lasts_until_its_outcomes_are_mature():
    kpis = [
        {"name": "tasks", "bad": "c", "total": "d", "matures": "15m", "margin": {"relative": "50%", "absolute": "5%"}}
    ]
    world = World(policy(kpis=kpis), rate=50)
    world.run(20_000, until=Phase.BAKING)
    began = world.clock.at
    world.run(3000, until=Phase.DRAINING)
    assert world.clock.at - began >= timedelta(minutes=15)


def test_a_candidate_that_has_cost_what_it_may_goes_back():
    world = World(policy(spendCap={"counter": "cost{version='$version'}", "atMost": 30}))
    world.behaviour["v2"] = Behaviour(cost=0.5)
    world.run(3600, until=Phase.ROLLED_BACK)
    assert world.status.reason is Reason.SPEND and world.status.latest.result is Result.ROLLED_BACK
    assert 30 < world.status.latest.spent < 60 and "has cost" in world.status.message


def test_stable_may_cost_what_it_likes():
    world = World(policy(spendCap={"counter": "cost{version='$version'}", "atMost": 1000}))
    world.behaviour["v1"] = Behaviour(cost=100.0)
    world.run(1200)
    assert world.status.latest.spent < 100 and world.status.latest.result is Result.PROMOTED


def test_a_spend_cap_can_pause_and_resuming_grants_the_sum_once_more():
    world = World(policy(spendCap={"counter": "cost{version='$version'}", "atMost": 30, "then": "pause"}))
    world.behaviour["v2"] = Behaviour(cost=0.5)
    world.run(3600, until=Phase.PAUSED)
    assert world.status.reason is Reason.SPEND
    first = world.status.latest.spent
    world.command("resume")
    world.run(3600, until=Phase.PAUSED)
    assert world.status.reason is Reason.SPEND and world.status.latest.spent > first + 25


def test_the_cap_is_watched_also_while_harm_waits_for_a_human():
    cap = {"counter": "c{v='$version'}", "atMost": 30}
    world = World(policy(spendCap=cap, reactions={"worse": "pause"}), rate=50)
    world.behaviour["v2"] = Behaviour(tasks=0.6, cost=0.05)
    world.run(3600, until=Phase.PAUSED)
    assert world.status.reason is Reason.WORSE and world.status.latest.spent < 30
    world.run(3600, until=Phase.ROLLED_BACK)
    assert world.status.reason is Reason.SPEND


def test_nobody_can_raise_the_weight_of_a_candidate_that_has_cost_what_it_may():
    steps = [{"weight": "10%", "for": "1m"}, {"weight": "50%", "for": "1m", "approval": "required"}]
    cap = {"counter": "c{v='$version'}", "atMost": 30, "then": "pause"}
    world = World(policy(canary={"steps": steps}, spendCap=cap))
    world.run(600, until=Phase.PAUSED)
    assert world.status.reason is Reason.APPROVAL
    world.behaviour["v2"] = Behaviour(cost=0.5)
    world.run(600)
    world.command("approve")
    world.run(30)
    assert world.status.phase is Phase.PAUSED and world.status.reason is Reason.SPEND
    assert world.status.latest.traffic.wanted_bp == 1000


def test_a_waiver_opens_the_way_for_one_move_only():
    world = World(policy(canary={"steps": [{"weight": "50%", "for": "1m"}], "bake": {"for": "1m"}}))
    world.gatekeeper.closed = "frozen until January"
    world.run(60)
    world.command("approve")
    world.run(3600, every_s=5)
    assert world.status.phase is Phase.OBSERVING and world.status.reason is Reason.WINDOW_CLOSED
    world.command("approve")
    world.run(600, until=Phase.DRAINING)
    assert world.status.latest.result is Result.PROMOTED
    assert "by hand" not in world.status.message, "only the window was waived, the evidence was in"


def test_a_check_that_is_given_up_is_not_told_as_late():
    world = checked("before-step")
    world.run(60)
    world.command("abort")
    world.run(900)
    assert not any("no verdict" in decision.message for decision in world.status_store.decisions)
    assert not world.status.latest.checks


def test_feedback_that_one_versions_users_give_far_more_often_is_not_compared():
    world = World(policy(kpis=[
        {"name": "errors", "bad": "a", "total": "b", "margin": {"relative": "50%", "absolute": "3%"}},
        {"name": "tasks", "bad": "c", "total": "d", "margin": {"relative": "50%", "absolute": "5%"}},
    ]), rate=50)  # fmt: skip
    world.metrics.responses = {"tasks"}
    world.behaviour["v2"] = Behaviour(answers=0.6, tasks=0.4)
    world.run(3600, until=Phase.PAUSED)
    assert world.status.reason is Reason.RESPONSES_DIFFER, world.status.message
    assert "respond at different rates" in world.status.message
    assert world.status.latest.result is None, "it asks a human, it never rolls back"
    world.behaviour["v2"] = Behaviour()
    world.command("resume")
    world.run(9000, until=Phase.DRAINING, every_s=5)
    assert world.status.latest.result is Result.PROMOTED, "resumed, the responses are compared anew"


def test_complaints_after_unequal_responses_are_still_harm_at_full_traffic():
    """What is counted anew is counted anew on both sides: a bound of old failures over new tasks would excuse anything."""
    steps = {"steps": [{"weight": "50%", "for": "5m"}], "bake": {"for": "1h"}}
    world = World(policy(kpis=[TASKS], canary=steps), rate=50)
    world.metrics.responses = {"tasks"}
    world.metrics.per_response = {"v1": (0.1, 0.1), "v2": (0.4, 0.1)}
    world.run(3600, until=Phase.PAUSED)
    assert world.status.reason is Reason.RESPONSES_DIFFER
    world.metrics.per_response["v2"] = (0.1, 0.1)
    world.command("resume")
    world.run(3600, until=Phase.BAKING)
    assert world.status.phase is Phase.BAKING
    world.metrics.per_response["v2"] = (0.1, 0.5)
    world.run(1800, until=Phase.ROLLED_BACK)
    assert world.status.phase is Phase.ROLLED_BACK


def test_fewer_users_who_speak_up_but_mostly_to_complain_are_no_harm():
    """Among the feedback twice as many complaints; among all tasks as many as ever: nobody knows."""
    worse = 0
    for seed in range(3):
        world = World(policy(kpis=[TASKS]), rate=50, seed=seed)
        world.metrics.responses = {"tasks"}
        world.metrics.per_response = {"v1": (0.3, 0.25), "v2": (0.12, 0.62)}
        world.run(3600, until=Phase.ROLLED_BACK)
        worse += world.status.latest.result is Result.ROLLED_BACK
    assert worse == 0


def test_more_complaints_by_both_counts_are_harm():
    world = World(policy(kpis=[TASKS]), rate=50)
    world.metrics.responses = {"tasks"}
    world.metrics.per_response = {"v1": (0.3, 0.2), "v2": (0.3, 0.5)}
    world.run(3600, until=Phase.ROLLED_BACK)
    assert world.status.latest.culprits == ("tasks",)


def test_feedback_that_both_give_equally_often_is_judged():
    world = World(rate=50)
    world.metrics.responses = {"tasks"}
    world.behaviour["v2"] = Behaviour(tasks=0.4)
    world.run(3600, until=Phase.ROLLED_BACK)
    assert world.status.latest.culprits == ("tasks",)
    assert not world.status.latest.evidence["tasks"].responses.differ


COST = {"name": "cost", "sum": "s", "total": "t", "margin": {"relative": "10%"}, "promotionMargin": {"relative": "25%"}}
TASKS = {"name": "tasks", "bad": "c", "total": "d", "margin": {"relative": "50%", "absolute": "5%"}}


def test_a_version_that_costs_more_for_a_task_is_rolled_back_by_its_mean():
    world = World(policy(kpis=[TASKS, COST]), rate=50)
    world.behaviour["v2"] = Behaviour(cost=0.02)
    world.run(3600, until=Phase.ROLLED_BACK)
    assert world.status.latest.culprits == ("cost",)
    assert "v2 0.02" in world.status.message and "asymptotic" in world.status.message


def test_a_version_that_costs_the_same_is_promoted_and_means_are_not_judged_without_stable():
    world = World(policy(kpis=[TASKS, COST]), rate=50)
    world.run(9000, until=Phase.BAKING)
    assert world.status.latest.evidence["cost"].proof.e_value >= 20
    harm = world.status.latest.evidence["cost"].harm
    world.run(200)
    assert world.status.latest.evidence["cost"].harm == harm
    world.run(900, until=Phase.DRAINING)
    assert world.status.latest.result is Result.PROMOTED


def test_means_of_young_outcomes_prove_nothing():
    world = World(policy(kpis=[TASKS, {**COST, "matures": "1h"}]), rate=50)
    world.run(1800)
    assert world.status.latest.evidence["tasks"].proof.e_value > 20
    assert world.status.latest.evidence["cost"].proof.e_value == pytest.approx(1.0)


def test_resuming_after_unequal_responses_at_full_traffic_keeps_the_reference_and_still_finds_harm():
    world = World(
        policy(kpis=[TASKS], canary={"steps": [{"weight": "50%", "for": "1m"}], "bake": {"for": "1h"}}), rate=50
    )
    world.metrics.responses = {"tasks"}
    world.behaviour["v2"] = Behaviour(answers=0.6)
    world.run(3600, until=Phase.PAUSED)
    assert world.status.reason is Reason.RESPONSES_DIFFER
    world.command("promote")
    world.run(600, until=Phase.BAKING)
    assert world.status.latest.evidence["tasks"].frozen_bound is not None
    world.behaviour["v2"] = Behaviour(answers=0.6, tasks=0.9)
    world.run(1800, until=Phase.ROLLED_BACK)
    assert world.status.phase is Phase.ROLLED_BACK and "frozen at most" in world.status.message


def test_an_abort_waits_for_no_metrics_page():
    world = World()
    world.run(60, until=Phase.OBSERVING)
    world.clock.pass_s(3600)
    world.command("abort")
    world.metrics.read = None  # whoever reads now fails
    world.reconcile()
    assert world.status.phase is Phase.ROLLING_BACK


def test_each_decision_carries_the_interval_of_the_difference():
    world = World(rate=50)
    world.behaviour["v2"] = Behaviour(tasks=0.07)
    world.run(240)
    figures = [each for each in world.status_store.decisions if each.kind == "sample"][-1].kpis["tasks"]
    assert figures.excess_low < 0.03 < figures.excess_high
    assert figures.excess_high - figures.excess_low < 0.2
