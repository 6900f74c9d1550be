"""What may be changed of a status, and of its release, is what each of them has, with the same types."""

from typing import get_type_hints

import pytest

from rollout.model.status.changes import ReleaseChanges, StatusChanges
from rollout.model.status.conversations import Draining, DrainingChanges
from rollout.model.status.evidence import KpiChanges, KpiEvidence
from rollout.model.status.release import Release
from rollout.model.status.status import Status
from rollout.model.status.traffic import Traffic, TrafficChanges

ONLY_BY_AN_EVENT = ("phase", "phase_since")


@pytest.mark.parametrize(
    ("changes", "model"),
    [
        (StatusChanges, Status),
        (ReleaseChanges, Release),
        (TrafficChanges, Traffic),
        (KpiChanges, KpiEvidence),
        (DrainingChanges, Draining),
    ],
)
def test_a_change_can_name_every_field_of_its_model_and_no_other(changes, model):
    fields = {name: field.annotation for name, field in model.model_fields.items() if name not in ONLY_BY_AN_EVENT}
    assert get_type_hints(changes) == fields


def test_no_field_of_a_release_is_called_like_one_of_the_status_since_both_are_written_side_by_side():
    assert not Release.model_fields.keys() & Status.model_fields.keys()
