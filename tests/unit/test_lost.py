"""What becomes of a release whose evidence cannot be read any more."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rollout.engine.rollback.lost import without_evidence
from rollout.model.status.status import Status
from rollout.model.status.traffic import Traffic
from rollout.model.status.vocabulary import Phase, Reason
from tests.statuses import status_with

SINCE = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("phase", [Phase.OBSERVING, Phase.PAUSED, Phase.FROZEN, Phase.DRAINING])
def test_a_release_without_its_evidence_goes_back_to_stable_whatever_it_was_doing(phase: Phase) -> None:
    before = status_with(
        phase=phase,
        phase_since=SINCE,
        stable_version="v1",
        candidate_version="v2",
        traffic=Traffic(wanted_bp=5000, asked_at=SINCE),
    )
    after = without_evidence(before)
    assert (after.phase, after.reason, after.latest.traffic.wanted_bp) == (Phase.ROLLING_BACK, Reason.FAULT, 0)
    assert after.latest.traffic.asked_at == SINCE, "the finalizer stays until the traffic is back"
    assert "cannot be judged" in after.message


@pytest.mark.parametrize("status", [Status(), status_with(stable_version="v1"), status_with(phase=Phase.PREFLIGHT)])
def test_where_nothing_is_under_way_there_is_nothing_to_go_back_from(status: Status) -> None:
    assert without_evidence(status) == status
