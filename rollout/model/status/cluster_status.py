"""A status as it stands in a cluster: what people see, and one text for what only the controller uses."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import Field

from rollout.model.status.conditions import Condition, ConditionType
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.model.units import format_percent

INTERNAL = (
    "policy", "wiring", "counters", "evidence", "split", "arrival", "contracts", "decisions", "checks", "bases",
    "rules", "added", "state", "handled", "answers", "identities", "windowSince", "sampledAt", "nextSampleAt",
    "samplesInWindow", "woken", "served",
    "notices", "notified",
    "passedByHuman", "promotedBy", "harmAccepted", "approved", "windowWaived", "capacityWaived", "checkTries", "gapS",
    "spendAllowed",
    "stableDownSamples", "resumeTo", "unreadySamples", "troubleSince", "trouble", "troubleMessage",
)  # fmt: skip
"""Fields of a status that only the controller goes by: in a cluster they are one text, so that people see theirs."""


PENDING = "Pending"
"""The phase as people see it as long as no version is known to be stable."""


INTERNAL_MAX = 1_000_000
"""etcd holds 1.5 MiB an object."""


def packed(status: Status) -> dict[str, Any]:
    """Return a status as it is written: what only the controller goes by is one JSON text, `internal`."""
    plain = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    kept = {key: plain[key] for key in INTERNAL if key in plain}
    shown = {key: value for key, value in plain.items() if key not in kept}
    if status.phase is Phase.STABLE and not status.stable_version:
        kept["phase"], shown["phase"] = plain["phase"], PENDING
    return {**shown, "internal": json.dumps(kept, sort_keys=True, separators=(",", ":"))}


def unpacked(status: dict[str, Any]) -> dict[str, Any]:
    """Return a status as it was before it was packed; one that was written otherwise as it is. Raises ValueError."""
    text = status.get("internal")
    if not isinstance(text, str):
        return status
    kept = json.loads(text)
    if not isinstance(kept, dict):
        raise ValueError("internal is no object")  # noqa: TRY004  what is wrong is the text
    return {**{key: value for key, value in status.items() if key != "internal"}, **kept}


class ClusterStatus(Status):
    """Status as it stands in a cluster: what the controller goes by, and a view of it for people and programs.

    Attributes:
        controller: the lease of the controller that carries it out, as `namespace/name`.
    """

    observed_generation: int = Field(default=0, description="The generation of the spec that this status is about.")
    controller: str = Field(
        default="", description="The lease of the controller that carries the rollout out, as namespace/name."
    )
    roles: dict[str, str] = Field(
        default_factory=dict,
        description="The role of each version in use (stable, candidate, draining), as in the ConfigMap NAME-roles.",
    )
    weight: str = Field(default="", description="The candidate's weight, while a release is under way.")
    step_label: str = Field(default="", description="The current step of how many.")
    conditions: tuple[Condition, ...] = Field(
        default=(), max_length=len(ConditionType), description="Answers for other programs, in kstatus' words."
    )

    @classmethod
    def of(
        cls,
        status: Status,
        conditions: tuple[Condition, ...],
        *,
        generation: int,
        controller: str = "",
        roles: Mapping[str, str] = MappingProxyType({}),
    ) -> "ClusterStatus":
        """Return a status as it stands in a cluster."""
        release, active = status.latest, status.is_active
        return cls(
            **dict(status),
            observed_generation=generation,
            controller=controller,
            roles=dict(roles),
            weight=format_percent(release.traffic.wanted_bp) if active else "",
            step_label=f"{min(release.step + 1, release.steps)}/{release.steps}" if active else "",
            conditions=conditions,
        )
