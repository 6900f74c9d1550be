"""RolloutPolicy: how a release is judged, and what follows. Field names carry units; the YAML's do not."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from rollout.model.base import Document
from rollout.model.gating import Gates
from rollout.model.kpi import Kpi, Selector
from rollout.model.strategy import BlueGreen, Canary, Undo
from rollout.model.units import Duration, Percent

PINNED_MAX_BYTES = 16 * 1024


class Evidence(Document):
    """Error rates over the whole rollout, all KPIs and any number of looks; and how to look."""

    false_rollback_bp: Percent = Field(default=500, alias="falseRollback")
    false_promotion_bp: Percent = Field(default=500, alias="falsePromotion")
    dispersion: Literal["learn"] | Decimal = Field(
        default="learn", json_schema_extra={"x-kubernetes-int-or-string": True}
    )
    look_every_s: Duration = Field(default=30.0, alias="lookEvery")
    warm_up_s: Duration = Field(default=30.0, alias="warmUp")


class Escalation(Document):
    """Do one thing at once, another if it lasts."""

    then: Literal["hold"] = "hold"
    after_s: Duration = Field(alias="after")
    do: Literal["pause", "rollback"]


_WORD_OR_ESCALATION: JsonDict = {"x-kubernetes-preserve-unknown-fields": True}
"""A word or an object: no structural schema can say that, so lint and the daemon look at it."""


class Reactions(Document):
    """What follows from each verdict that is not `acceptable`."""

    worse: Literal["rollback", "freeze", "pause"] = "rollback"
    no_data: Literal["hold", "pause", "rollback"] | Escalation = Field(
        default="hold", json_schema_extra=_WORD_OR_ESCALATION
    )
    source_down: Literal["hold", "pause", "rollback"] | Escalation = Field(
        default="hold", json_schema_extra=_WORD_OR_ESCALATION
    )
    undecided: Literal["pause", "advance", "rollback"] = "pause"
    stable_down: Literal["hold", "promote"] = "hold"
    environment: Literal["hold", "pause", "rollback"] | Escalation = Field(
        default="hold", json_schema_extra=_WORD_OR_ESCALATION
    )


class Drain(Document):
    """How long an old version's requests may take to end."""

    deadline_s: Duration = Field(default=86_400.0, alias="deadline")
    then: Literal["keep"] = "keep"


class SpendCap(Document):
    """How much the candidate may cost until it is promoted, in the counter's own unit."""

    counter: Selector
    at_most: float = Field(gt=0, allow_inf_nan=False)
    then: Literal["rollback", "pause"] = "rollback"


class PolicySpec(Document):
    """The policy itself, pinned whole at the start of a rollout. Exactly one strategy: `canary` or `blueGreen`."""

    canary: Canary | None = None
    blue_green: BlueGreen | None = None
    undo: Undo | None = None
    gates: Gates = Gates()
    kpis: tuple[Kpi, ...] = Field(min_length=1, max_length=16)
    evidence: Evidence = Evidence()
    reactions: Reactions = Reactions()
    drain: Drain = Drain()
    spend_cap: SpendCap | None = None

    def canonical(self) -> str:
        """Return the one text that stands for this policy: defaults filled in, keys sorted."""
        import json  # noqa: PLC0415  only when a rollout starts

        return json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """Return the versioned fingerprint of a canonical text."""
    return "sha256:v1:" + hashlib.sha256(text.encode()).hexdigest()
