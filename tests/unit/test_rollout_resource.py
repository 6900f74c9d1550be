"""A Rollout resource as others may have left it."""

from __future__ import annotations

import pytest

from rollout.adapters.storage.rollout_resource import is_urgent, visible_status
from rollout.model.status.vocabulary import Phase


def resource(version: str | None = "v2", **status: object) -> dict[str, object]:
    return {"metadata": {"name": "agent"}, "spec": {"version": version}, "status": {"internal": "{half", **status}}


def test_what_people_see_of_a_release_is_enough_to_go_on_from():
    seen = visible_status(resource(phase="Observing", stableVersion="v1", candidateVersion="v3"))
    assert seen is not None and (seen.phase, seen.stable_version, seen.candidate_version) == ("Observing", "v1", "v3")


@pytest.mark.parametrize(("declared", "taken"), [("v2", "v2"), (None, "v1")])
def test_a_release_whose_version_was_taken_out_too_can_still_be_sent_back(declared, taken):
    seen = visible_status(resource(declared, phase="Observing", stableVersion="v1"))
    assert seen is not None and seen.candidate_version == taken


@pytest.mark.parametrize("phase", ["Stable", "RolledBack", "Pending"])
def test_at_rest_no_release_is_made_up(phase):
    seen = visible_status(resource(phase=phase, stableVersion="v1"))
    assert seen is not None and seen.candidate_version is None
    assert seen.phase == (Phase.STABLE if phase == "Pending" else phase)


def test_a_status_that_shows_nothing_readable_is_none_to_go_on_from():
    assert visible_status(resource(phase="Flying")) is None


@pytest.mark.parametrize(
    ("phase", "urgent"),
    [(None, False), ("Pending", False), ("Stable", False), ("RolledBack", False), ("Observing", True)],
)
def test_a_deletion_is_urgent_while_traffic_may_be_elsewhere(phase, urgent):
    deleted = resource(phase=phase)
    deleted["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert is_urgent(deleted) is urgent
