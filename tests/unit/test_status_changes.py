"""What may be changed of a status is what a status has, with the same types."""

from typing import get_type_hints

from rollout.model.status.changes import StatusChanges
from rollout.model.status.status import Status


def test_a_change_can_name_every_field_of_a_status_and_no_other():
    fields = {name: field.annotation for name, field in Status.model_fields.items()}
    assert get_type_hints(StatusChanges) == fields
