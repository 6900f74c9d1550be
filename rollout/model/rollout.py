"""One rollout whole: what is declared and what has become of it."""

from dataclasses import dataclass

from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.status.status import Status


@dataclass(frozen=True, slots=True)
class Rollout:
    """A Rollout resource: metadata and spec as declared, status as recorded."""

    metadata: Metadata
    spec: RolloutSpec
    status: Status = Status.model_construct()
