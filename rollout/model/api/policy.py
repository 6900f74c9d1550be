"""RolloutPolicy: how a release is judged, and what follows. Field names carry units; the YAML's do not."""

import hashlib
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, StrictBool, model_validator
from pydantic.config import JsonDict

from rollout.model.api.gates import Gates
from rollout.model.api.kpi import Kpi, Selector
from rollout.model.api.notifications import Notifications
from rollout.model.api.strategy import BlueGreen, Canary, Undo
from rollout.model.base import FORMER_NAMES, Document
from rollout.model.units import Duration, Percent

PINNED_MAX_BYTES = 16 * 1024


class Evidence(Document):
    """Error rates over the whole rollout, all KPIs and any number of samples, and how samples are taken."""

    false_rollback_bp: Percent = Field(
        default=500,
        alias="falseRollback",
        description="The chance that a healthy candidate is ever rolled back, over the whole release.",
    )
    false_promotion_bp: Percent = Field(
        default=500,
        alias="falsePromotion",
        description="The chance that a candidate beyond the margin is proved no worse.",
    )
    dispersion: Literal["learn"] | Decimal = Field(
        default="learn",
        json_schema_extra={"x-kubernetes-int-or-string": True},
        description="How clustered outcomes are: a number from 1 on, or learn.",
    )
    sample_every_s: Duration = Field(default=30.0, alias="sampleEvery", description="How often a sample is taken.")
    warm_up_s: Duration = Field(
        default=30.0, alias="warmUp", description="How long after a change of weight nothing counts."
    )

    @model_validator(mode="before")
    @classmethod
    def _by_former_name(cls, raw: Any) -> Any:
        """Read what was declared, or pinned, under a former name."""
        if not isinstance(raw, dict):
            return raw
        named = {name: raw[former] for name, former in FORMER_NAMES.items() if former in raw}
        return {**named, **{name: value for name, value in raw.items() if name not in FORMER_NAMES.values()}}


class Worse(Document):
    """The reaction to harm, and what becomes of conversations that the candidate has begun."""

    then: Literal["rollback", "freeze", "pause"] = Field(default="rollback", description="The reaction to harm.")
    started: Literal["stay", "move"] = Field(
        default="stay",
        description="Whether pinned conversations of the candidate stay on it until they end, or move to stable, "
        "which they do only where stable can go on with them.",
    )


class Escalation(Document):
    """Do one thing at once, another if it lasts."""

    then: Literal["hold"] = Field(default="hold", description="What follows at once.")
    after_s: Duration = Field(alias="after", description="After how long something else follows.")
    do: Literal["pause", "rollback"] = Field(description="What follows then.")


_WORD_OR_ESCALATION: JsonDict = {"x-kubernetes-preserve-unknown-fields": True}
"""A word or an object: no structural schema can say that, so lint and the controller check it."""


class Reactions(Document):
    """What follows from each verdict that is not `acceptable`."""

    worse: Literal["rollback", "freeze", "pause"] | Worse = Field(
        default="rollback", json_schema_extra=_WORD_OR_ESCALATION, description="The reaction to harm."
    )
    no_data: Literal["hold", "pause", "rollback"] | Escalation = Field(
        default="hold", json_schema_extra=_WORD_OR_ESCALATION, description="The reaction to missing data."
    )
    source_down: Literal["hold", "pause", "rollback"] | Escalation = Field(
        default="hold",
        json_schema_extra=_WORD_OR_ESCALATION,
        description="The reaction to metrics that cannot be read.",
    )
    undecided: Literal["pause", "advance", "rollback"] = Field(
        default="pause", description="The reaction to a step that ends without evidence."
    )
    stable_down: Literal["hold", "promote"] = Field(
        default="hold",
        description="Whether a candidate is promoted past a stable version that is down, or waits for a human.",
    )
    environment: Literal["hold", "pause", "rollback"] | Escalation = Field(
        default="hold",
        json_schema_extra=_WORD_OR_ESCALATION,
        description="The reaction when both versions break their bound.",
    )

    drift: Literal["warn", "pause", "rollback"] = Field(
        default="warn",
        description="The reaction when a version becomes another one during its release: its images, environment, "
        "ConfigMaps, Secrets or annotations. Only a change of the candidate rolls back; one of stable pauses then.",
    )

    @property
    def harm(self) -> Worse:
        """The reaction to harm, also where it was written as one word."""
        return Worse(then=self.worse) if isinstance(self.worse, str) else self.worse


class Drain(Document):
    """How the version that lost is let go: it gets no new conversations, and keeps its own until they end."""

    deadline_s: Duration = Field(
        default=86_400.0, alias="deadline", description="After this long conversations are not waited for any more."
    )
    then: Literal["keep", "handOver", "end"] = Field(
        default="keep",
        description="What becomes of conversations that are open then: kept where they are, handed over to the stable "
        "version if it can go on with them, or ended.",
    )
    scale_down: StrictBool = Field(
        default=False, description="Whether the version is scaled to 0 once nothing refers to it. It needs deployment."
    )


class Capacity(Document):
    """How many ready endpoints the candidate needs before it gets a share."""

    at_least_bp: Percent = Field(
        default=8000,
        alias="atLeast",
        description="Before each weight the candidate has at least this share of the ready endpoints that the stable "
        "version would need for it; of a version with an autoscaler, its minReplicas are enough. 0% asks for one.",
    )


class SpendCap(Document):
    """How much the candidate may cost until it is promoted, in the counter's own unit."""

    counter: Selector = Field(description="Selector of the counter of what the candidate costs.")
    at_most: float = Field(
        gt=0, allow_inf_nan=False, strict=True, description="The most it may cost, in the counter's unit."
    )
    then: Literal["rollback", "pause"] = Field(default="rollback", description="The reaction when the cap is reached.")


class PolicySpec(Document):
    """The policy itself, pinned whole at the start of a rollout. Exactly one strategy: `canary` or `blueGreen`."""

    canary: Canary | None = Field(default=None, description="Shift traffic in steps.")
    blue_green: BlueGreen | None = Field(
        default=None, description="Preview the candidate, then switch all traffic at once."
    )
    undo: Undo | None = Field(default=None, description="The quick way back to the version before.")
    gates: Gates = Field(default=Gates.model_construct(), description="What else must hold before traffic moves.")
    kpis: tuple[Kpi, ...] = Field(min_length=1, max_length=16, description="The KPIs that the candidate is judged by.")
    evidence: Evidence = Field(
        default=Evidence.model_construct(), description="How much evidence is needed, and how samples are taken."
    )
    reactions: Reactions = Field(default=Reactions.model_construct(), description="The reaction to each verdict.")
    drain: Drain = Field(
        default=Drain.model_construct(), description="How long requests under way on the old version may take to end."
    )
    capacity: Capacity = Field(
        default=Capacity.model_construct(), description="The capacity that the candidate needs before a share."
    )
    spend_cap: SpendCap | None = Field(
        default=None, description="How much the candidate may cost until it is promoted."
    )

    notifications: Notifications | None = Field(default=None, description="Who is told of a release, and of what.")

    def canonical(self) -> str:
        """Return the one text that stands for this policy: defaults filled in, keys sorted."""
        import json  # noqa: PLC0415  only when a rollout starts

        return json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """Return the versioned fingerprint of a canonical text."""
    return "sha256:v1:" + hashlib.sha256(text.encode()).hexdigest()
