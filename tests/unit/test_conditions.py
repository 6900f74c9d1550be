"""What a status means to kubectl wait, Argo CD and Flux: one truth at a time, and times that move only with it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollout.engine.conditions import conditions_of
from rollout.engine.facts import Trouble
from rollout.model.status.cluster_status import ClusterStatus
from rollout.model.status.conditions import MESSAGE_MAX, ConditionType
from rollout.model.status.roles import RoleVersions
from rollout.model.status.status import Status
from rollout.model.status.traffic import Traffic
from rollout.model.status.vocabulary import Phase, Reason, Result
from tests.statuses import status_with
from tests.world import World

NOW = World().clock.at
BASE = Status(stable_version="v1", message="because")


def told(status: Status, wanted: str | None = "v1", **more):
    conditions = conditions_of(status, wanted, more.pop("before", ()), generation=3, now=more.pop("now", NOW), **more)
    shown = ClusterStatus.of(status, conditions, generation=3)
    return shown, {condition.type: condition for condition in shown.conditions}


def truth(status: Status, wanted: str | None = "v1", **more):
    _, by = told(status, wanted, **more)
    return tuple(
        by[kind].status
        for kind in (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED, ConditionType.PAUSED)
    )


CASES = {
    "nothing is wanted but what is stable": (BASE, "v1", ("True", "False", "False", "False")),
    "another version is wanted and about to start": (BASE, "v2", ("False", "True", "False", "False")),
    "it is under way": (
        status_with(BASE, phase=Phase.OBSERVING, candidate_version="v2"),
        "v2",
        ("False", "True", "False", "False"),
    ),
    "it waits for a human": (
        status_with(BASE, phase=Phase.PAUSED, candidate_version="v2"),
        "v2",
        ("False", "False", "False", "True"),
    ),
    "it is frozen": (
        status_with(BASE, phase=Phase.FROZEN, candidate_version="v2"),
        "v2",
        ("False", "False", "True", "False"),
    ),
    "it was rolled back": (
        status_with(BASE, phase=Phase.ROLLED_BACK, candidate_version="v2", result=Result.ROLLED_BACK, failed={"v2": 0}),
        "v2",
        ("False", "False", "True", "False"),
    ),
    "it is promoted and drains": (
        status_with(BASE, phase=Phase.DRAINING, stable_version="v2", candidate_version="v2"),
        "v2",
        ("True", "False", "False", "False"),
    ),
    "it was rolled back, and the stable version is wanted again": (
        status_with(BASE, phase=Phase.ROLLED_BACK, candidate_version="v2", failed={"v2": 0}),
        "v1",
        ("True", "False", "False", "False"),
    ),
    "no stable version is known": (Status(), "v1", ("False", "False", "True", "False")),
}


@pytest.mark.parametrize("case", CASES)
def test_each_state_has_one_answer(case):
    status, wanted, expected = CASES[case]
    assert truth(status, wanted) == expected


def test_a_fault_in_the_spec_is_stalled_and_keeps_what_is_ready():
    wrong = Trouble(Reason.INVALID_SPEC, "spec.routes: is no list")
    assert truth(BASE, "v2", trouble=wrong)[:3] == ("False", "False", "True")
    assert told(BASE, "v2", trouble=wrong)[1][ConditionType.STALLED].message == "spec.routes: is no list"


def test_times_move_only_when_the_answer_does():
    shown, _ = told(BASE)
    later = NOW + timedelta(hours=1)
    again, by = told(status_with(BASE, message="other words"), before=shown.conditions, now=later)
    assert {each.last_transition_time for each in again.conditions} == {NOW} and by[
        ConditionType.READY
    ].message == "other words"
    _, changed = told(BASE, "v2", before=shown.conditions, now=later)
    assert changed[ConditionType.READY].last_transition_time == later
    assert changed[ConditionType.PAUSED].last_transition_time == NOW


@pytest.mark.parametrize(
    ("effective", "expected"), [("confirmed", "True"), ("refuted", "False"), ("unconfirmed", "Unknown")]
)
def test_whether_traffic_is_where_it_should_be_is_what_the_requests_show(effective, expected):
    traffic = Traffic(wanted_bp=1000, effective=effective)
    status = status_with(BASE, phase=Phase.OBSERVING, candidate_version="v2", traffic=traffic)
    assert told(status, "v2")[1][ConditionType.TRAFFIC_EFFECTIVE].status == expected
    assert told(BASE)[1][ConditionType.TRAFFIC_EFFECTIVE].status == "Unknown"


def test_every_condition_is_about_the_generation_that_was_seen_and_no_message_is_too_long():
    shown, _ = told(status_with(BASE, message="x" * 5000, role_versions=RoleVersions(stable="v1", candidate="v2")))
    assert {each.observed_generation for each in shown.conditions} == {3} and shown.observed_generation == 3
    assert max(len(each.message) for each in shown.conditions) <= MESSAGE_MAX
    assert {each.type for each in shown.conditions} == set(ConditionType)


def test_people_see_the_candidates_share_and_its_step():
    status = status_with(
        BASE, phase=Phase.OBSERVING, candidate_version="v2", steps=3, step=1, traffic=Traffic(wanted_bp=1050)
    )
    shown, _ = told(status, "v2")
    assert (shown.weight, shown.step_label) == ("10.5%", "2/3")
    assert (told(BASE)[0].weight, told(BASE)[0].step_label) == ("", "")
