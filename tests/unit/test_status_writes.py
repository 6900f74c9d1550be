"""What is written of a status at once, and what waits for the schedule."""

from __future__ import annotations

import pytest

from rollout.adapters.storage.held_statuses import HeldStatuses, WriteTimings
from rollout.engine.status_writes import RELEASE_WAITS, STATUS_WAITS, conditions_must_be_written, must_be_written
from rollout.model.status.conditions import Condition, ConditionType
from rollout.model.status.decision import Decision
from rollout.model.status.evidence import KpiEvidence, KpiVerdict
from rollout.model.status.release import Release
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Reason
from rollout.stats.mixture import Wealth
from rollout.testing import EPOCH

KPI = KpiEvidence(harm=Wealth((0.5, 0.5)), proof=Wealth((0.5, 0.5)))
RELEASE = Release(candidate_version="v2", evidence={"errors": KPI})
STATUS = Status(phase=Phase.OBSERVING, stable_version="v1", release=RELEASE)


def with_release(**changes: object) -> Status:
    return STATUS.model_copy(update={"release": RELEASE.model_copy(update=changes)})


def decided(kind: str) -> Decision:
    return Decision(
        at=EPOCH, phase=Phase.OBSERVING, step=0, weight_bp=500, kind=kind, reason=Reason.HOLDING, message=kind
    )


@pytest.mark.parametrize("name", sorted(set(Status.model_fields) - STATUS_WAITS))
def test_each_field_of_a_status_is_written_when_it_changes(name):
    assert must_be_written(STATUS, STATUS.model_copy(update={name: object()}))


@pytest.mark.parametrize("name", sorted(set(Release.model_fields) - RELEASE_WAITS))
def test_each_field_of_a_release_is_written_when_it_changes(name):
    assert must_be_written(STATUS, with_release(**{name: object()}))


@pytest.mark.parametrize("name", sorted(RELEASE_WAITS - {"evidence"}))
def test_what_a_sample_moves_waits(name):
    assert name in Release.model_fields
    assert not must_be_written(STATUS, with_release(**{name: object()}))


def test_evidence_waits_until_it_says_something_else():
    more = KPI.changed(all_c=10.0, harm=Wealth((2.0, 0.5)))
    assert not must_be_written(STATUS, with_release(evidence={"errors": more}))
    for change in (
        {"verdict": KpiVerdict.WORSE},
        {"problem": "away"},
        {"seen": True},
        {"frozen_bound": 0.1},
        {"frozen_asked": 0.1},
    ):
        assert must_be_written(STATUS, with_release(evidence={"errors": KPI.changed(**change)})), change
    assert must_be_written(STATUS, with_release(evidence={}))


def test_decisions_are_written_unless_they_are_samples():
    seen = STATUS.model_copy(update={"decisions": (decided("transition"),)})
    assert must_be_written(STATUS, seen)
    more = seen.model_copy(update={"decisions": (decided("transition"), decided("sample"))})
    assert not must_be_written(seen, more)
    pushed_out = seen.model_copy(update={"decisions": (decided("sample"),)})
    assert not must_be_written(seen, pushed_out)


def test_a_release_that_begins_or_ends_is_written():
    none = STATUS.model_copy(update={"release": None})
    assert must_be_written(none, STATUS) and must_be_written(STATUS, none)


def test_the_sentence_of_a_condition_waits_and_its_answer_does_not():
    def condition(**changes: object) -> tuple[Condition, ...]:
        one = Condition(
            type=ConditionType.READY,
            status="False",
            reason=Reason.HOLDING,
            message="5 minutes more",
            last_transition_time=EPOCH,
        )
        return (one.model_copy(update=changes),)

    assert not conditions_must_be_written(condition(), condition(message="4 minutes more"))
    for change in ({"status": "True"}, {"reason": Reason.WORSE}, {"observed_generation": 7}):
        assert conditions_must_be_written(condition(), condition(**change)), change
    assert conditions_must_be_written((), condition())


def rollout(name: str = "agent", **status: object) -> dict[str, object]:
    return {"metadata": {"namespace": "default", "name": name, "uid": "u1"}, "status": {"phase": "Stable", **status}}


def test_what_is_held_counts_as_long_as_the_status_is_the_one_it_was_made_from():
    statuses = HeldStatuses()
    statuses.hold(rollout(), STATUS, ())
    assert statuses.of(rollout()).status is STATUS and statuses.unwritten() == ["default/agent"]
    assert statuses.of(rollout(stableVersion="v7")).status.stable_version == "v7", "somebody has written it"
    statuses.hold(rollout(), STATUS, ())
    other = rollout()
    other["metadata"]["uid"] = "u2"
    assert statuses.of(other).status.release is None, "another Rollout of the same name"
    statuses.hold(rollout(), STATUS, ())
    statuses.wrote(rollout(stableVersion="v1"), STATUS, ())
    assert statuses.unwritten() == []


def test_evidence_is_written_at_its_soonest_spaced_and_always_at_its_latest():
    now = [1000.0]
    statuses = HeldStatuses(WriteTimings(soonest_s=15.0, latest_s=60.0, spacing_s=1.0), lambda: now[0])
    one, two = (statuses.of(rollout(name)) for name in ("one", "two"))
    now[0] += 14.0
    assert not statuses.may_be_due(one)
    now[0] += 1.0
    assert statuses.may_be_due(one) and statuses.is_due(one)
    assert not statuses.is_due(two), "within a second of the other"
    now[0] += 1.0
    assert statuses.is_due(two)
    now[0] += 44.0
    assert statuses.is_due(one) and statuses.is_due(two), "neither waits longer than a minute"
