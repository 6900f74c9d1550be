"""Conditions: what other programs in a cluster read, in kstatus' words. Reasons are a closed set."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from rollout.model.base import Record
from rollout.model.status import Reason, Status

MESSAGE_MAX = 1024
"""Longer messages are cut: the whole one is in `status.message` and in the full record."""


class ConditionType(StrEnum):
    """What is asked. Ready: the wanted version is promoted. Stalled: nothing will move by itself."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    PAUSED = "Paused"
    TRAFFIC_EFFECTIVE = "TrafficEffective"
    STATE_COMPATIBLE = "StateCompatible"
    IDENTITY_DRIFT = "IdentityDrift"


class Condition(Record):
    """One answer, about one generation of the spec."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: Reason
    message: str = Field(max_length=MESSAGE_MAX)
    last_transition_time: datetime
    observed_generation: int = 0


class ClusterStatus(Status):
    """Status as it stands in a cluster: what the controller goes by, and a view of it for people and programs.

    controller: the lease of the controller that carries it out, as `namespace/name`.
    """

    observed_generation: int = 0
    controller: str = ""
    weight: str = ""
    step_label: str = ""
    conditions: tuple[Condition, ...] = Field(default=(), max_length=len(ConditionType))
