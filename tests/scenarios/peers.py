"""What other progressive delivery controllers prove end to end, as far as it applies here; run over both wirings."""

from __future__ import annotations

from datetime import datetime

from tests.scenarios.suite import HOLDS, blue_green, policy

QUICK_BAKE = {"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "300ms"}}


def releases(made):
    """The finished releases, the oldest first."""
    if made.place == "cluster":
        return made.releases()
    return made.store.releases("agent", 50)


def ended(made, *results):
    made.until(lambda _: [release.result for release in releases(made)] == list(results))
    return releases(made)


def test_an_aborted_version_is_tried_again_and_promoted_by_hand(world):
    made = world(policy=policy(canary=QUICK_BAKE))
    made.observing()
    assert made.ask("abort")["accepted"]
    made.phase("RolledBack")
    made.all_on("v1")
    assert made.ask("retry")["accepted"]
    made.phase("Observing")
    made.until(lambda status: status["evidence"]["task-success"]["allS"] > 200)
    assert made.ask("promote")["accepted"]
    assert made.settled("v2")["result"] == "promoted"
    first, second = ended(made, "aborted", "promoted")
    assert (first.candidate, second.candidate) == ("v2", "v2") and first.ended_at <= second.started_at


def test_a_version_is_promoted_whole_from_its_first_step(world):
    steps = [{"weight": weight, "for": "10m"} for weight in ("10%", "20%", "50%")]
    made = world(policy=policy(canary={"steps": steps, "bake": {"for": "300ms"}}))
    made.observing()
    for step in range(3):
        made.until(lambda status, step=step: status["phase"] == "Observing" and status.get("step", 0) == step)
        made.until(lambda status: status["evidence"].get("task-success", {}).get("allS", 0) > 200)
        assert made.ask("promote")["accepted"]
    made.settled("v2")
    made.all_on("v2")


def test_two_bad_versions_in_a_row_leave_stable_what_it_was(world):
    made = world()
    made.fails |= {"v2": 0.6, "v3": 0.6}
    made.settled("v1")
    made.want("v2")
    made.phase("RolledBack")
    made.list_third()
    made.want("v3")
    made.until(lambda status: status["phase"] == "RolledBack" and status["candidateVersion"] == "v3")
    made.all_on("v1")
    assert set(made.status()["failed"]) == {"v2", "v3"}
    ended(made, "rolled-back", "rolled-back")


def test_a_good_version_follows_a_bad_one(world):
    made = world()
    made.fails["v2"] = 0.6
    made.settled("v1")
    made.want("v2")
    made.phase("RolledBack")
    made.list_third()
    made.want("v3")
    assert made.settled("v3")["previousVersion"] == "v1"
    ended(made, "rolled-back", "promoted")


def test_another_version_while_a_release_is_paused_goes_back_to_stable_first(world):
    made = world(policy=policy(canary=HOLDS))
    made.observing()
    assert made.ask("pause")["accepted"]
    made.list_third()
    made.want("v3")
    made.until(lambda status: status.get("candidateVersion") == "v3" and status["phase"] == "Observing")
    assert made.shares().get("v2", 0) == 0 and made.status()["stableVersion"] == "v1"
    assert ended(made, "superseded")[0].candidate == "v2"


def test_two_releases_alternate_between_the_same_two_places(world):
    made = world()
    made.settled("v1")
    for version in ("v2", "v1", "v2"):
        made.want(version)
        made.settled(version)
        made.all_on(version)
    ended(made, "promoted", "promoted", "promoted")


def test_a_policy_may_go_from_a_switch_to_steps_between_releases(world):
    made = world(policy=blue_green())
    made.settled("v1")
    made.want("v2")
    made.settled("v2")
    made.let_policy(policy(canary=QUICK_BAKE))
    made.list_third()
    made.want("v3")
    made.until(lambda status: status["phase"] == "Observing" and status["traffic"]["appliedBp"] == 5000)
    made.until(lambda status: status["evidence"].get("task-success", {}).get("allS", 0) > 200)
    assert made.ask("promote")["accepted"]
    made.settled("v3")
    made.all_on("v3")


def test_a_preview_that_fails_leaves_users_where_they_are_and_the_next_version_is_released(world):
    strict = blue_green(kpis=[{"name": "down", "preset": "agent-tasks", "margin": {"absolute": "5%"}}])
    made = world(policy=strict)
    made.fails["v2"] = 0.9
    made.settled("v1")
    made.want("v2")
    made.until(lambda status: status["phase"] == "RolledBack")
    made.all_on("v1")
    made.list_third()
    made.want("v3")
    made.settled("v3")


def test_a_pause_is_told_apart_from_the_time_that_a_release_took(world):
    made = world(policy=policy(canary=QUICK_BAKE))
    made.observing()
    made.until(lambda status: status["evidence"]["task-success"]["allS"] > 200)
    assert made.ask("pause")["accepted"]
    paused_at = datetime.fromisoformat(made.status()["phaseSince"])
    made.until(lambda _: (datetime.now(paused_at.tzinfo) - paused_at).total_seconds() > 1.5)
    assert made.ask("resume")["accepted"]
    made.phase("Observing")
    assert made.ask("promote")["accepted"]
    made.settled("v2")
    (release,) = ended(made, "promoted")
    took_s = (release.ended_at - release.started_at).total_seconds()
    assert 1.4 < release.paused_s < took_s, (release.paused_s, took_s)


def test_a_release_that_never_paused_says_so(world):
    made = world()
    made.settled("v1")
    made.want("v2")
    made.settled("v2")
    (release,) = ended(made, "promoted")
    assert release.paused_s == 0.0 and release.started_at < release.ended_at


def test_a_promoted_version_that_is_aborted_stays_promoted(world):
    made = world()
    made.settled("v1")
    made.want("v2")
    made.settled("v2")
    answer = made.ask("abort")
    assert not answer["accepted"] and "to go back: rollout undo" in answer["message"]
    made.all_on("v2")
    ended(made, "promoted")
