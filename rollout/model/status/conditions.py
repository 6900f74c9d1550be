"""Conditions: what other programs in a cluster read, in kstatus' words. Reasons are a closed set."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from rollout.model.base import Record
from rollout.model.status.vocabulary import Reason

MESSAGE_MAX = 1024
"""Longer messages are cut: the whole one is in `status.message` and in the full record."""


class ConditionType(StrEnum):
    """The type of the condition. Ready: the wanted version is promoted. Stalled: nothing will move by itself."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    PAUSED = "Paused"
    TRAFFIC_EFFECTIVE = "TrafficEffective"
    STATE_COMPATIBLE = "StateCompatible"
    IDENTITY_DRIFT = "IdentityDrift"
    DRAINING = "Draining"
    DRAINED = "Drained"
    ROLES_SETTLED = "RolesSettled"


class Condition(Record):
    """One answer, about one generation of the spec."""

    type: ConditionType = Field(description="The type of the condition.")
    status: Literal["True", "False", "Unknown"] = Field(description="The status of the condition.")
    reason: Reason = Field(description="The reason, as one word for programs.")
    message: str = Field(max_length=MESSAGE_MAX, description="The reason, for people.")
    last_transition_time: datetime = Field(description="When the answer last changed.")
    observed_generation: int = Field(default=0, description="The generation of the spec that the answer is about.")
