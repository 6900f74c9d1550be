"""RolloutPolicy: how a release is judged, and what follows. Field names carry units; the YAML's do not."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StringConstraints

from rollout.model.base import Document
from rollout.model.units import FULL_BP, Duration, Name, Percent
from rollout.stats import RateMargin

PINNED_MAX_BYTES = 16 * 1024

Selector = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class Step(Document):
    """One weight of the candidate, and what must hold before the next."""

    weight_bp: Percent = Field(alias="weight")
    for_s: Duration = Field(default=0.0, alias="for")
    until: Literal["evidence"] | None = None
    at_most_s: Duration | None = Field(default=None, alias="atMost")
    approval: Literal["required"] | None = None


class Bake(Document):
    """How long the candidate is watched at 100 % while stable is still warm."""

    for_s: Duration = Field(default=0.0, alias="for")


class Canary(Document):
    """Shift traffic in steps."""

    steps: tuple[Step, ...] = Field(min_length=1, max_length=20)
    bake: Bake = Bake()


class Margin(Document):
    """How much worse counts as the same: ``p_c <= (1 + relative) p_s + absolute``, or an odds ratio of 1 + odds."""

    relative_bp: Percent = Field(default=0, alias="relative")
    absolute_bp: Percent = Field(default=0, alias="absolute")
    odds_bp: Percent | None = Field(default=None, alias="odds")

    @property
    def rate(self) -> RateMargin:
        """The margin between two rates, as fractions."""
        return RateMargin(1.0 + self.relative_bp / FULL_BP, self.absolute_bp / FULL_BP)

    @property
    def odds_ratio(self) -> float | None:
        """The greatest odds ratio that still counts as the same; None for a margin between rates."""
        return None if self.odds_bp is None else 1.0 + self.odds_bp / FULL_BP

    @property
    def is_zero(self) -> bool:
        """Whether it leaves no room: nothing can be proved within it."""
        return not (self.relative_bp or self.absolute_bp or self.odds_bp)


class Kpi(Document):
    """One thing to judge: the rate of bad outcomes among all, for both versions at the same time.

    Either a preset, or two counters: `total` and one of `bad`, `good`.
    """

    name: Name
    preset: str | None = None
    with_: dict[str, str] = Field(default_factory=dict, alias="with", max_length=16)
    bad: Selector | None = None
    good: Selector | None = None
    total: Selector | None = None
    margin: Margin | None = None
    promotion_margin: Margin | None = None
    at_most_bp: Percent | None = Field(default=None, alias="atMost")
    weight: int = Field(default=1, ge=1, le=100)
    advisory: StrictBool = False

    @property
    def proof_margin(self) -> Margin | None:
        """What promotion must prove: `promotionMargin`, else `margin`."""
        return self.promotion_margin or self.margin


class Evidence(Document):
    """Error rates over the whole rollout, all KPIs and any number of looks; and how to look."""

    false_rollback_bp: Percent = Field(default=500, alias="falseRollback")
    false_promotion_bp: Percent = Field(default=500, alias="falsePromotion")
    dispersion: Literal["learn"] | Decimal = "learn"
    look_every_s: Duration = Field(default=30.0, alias="lookEvery")
    warm_up_s: Duration = Field(default=30.0, alias="warmUp")


class Move(StrEnum):
    """What the engine may do of its own accord."""

    HOLD = "hold"
    PAUSE = "pause"
    FREEZE = "freeze"
    ROLLBACK = "rollback"
    ADVANCE = "advance"


class Escalation(Document):
    """Do one thing at once, another if it lasts."""

    then: Literal["hold"] = "hold"
    after_s: Duration = Field(alias="after")
    do: Literal["pause", "rollback"]


class Reactions(Document):
    """What follows from each verdict that is not `acceptable`."""

    worse: Literal["rollback", "freeze", "pause"] = "rollback"
    no_data: Literal["hold", "pause", "rollback"] | Escalation = "hold"
    source_down: Literal["hold", "pause", "rollback"] | Escalation = "hold"
    undecided: Literal["pause", "advance", "rollback"] = "pause"
    environment: Literal["hold", "pause", "rollback"] | Escalation = "hold"


class Drain(Document):
    """How long an old version's requests may take to end."""

    deadline_s: Duration = Field(default=86_400.0, alias="deadline")
    then: Literal["keep"] = "keep"


class PolicySpec(Document):
    """The policy itself, pinned whole at the start of a rollout."""

    canary: Canary
    kpis: tuple[Kpi, ...] = Field(min_length=1, max_length=16)
    evidence: Evidence = Evidence()
    reactions: Reactions = Reactions()
    drain: Drain = Drain()

    def canonical(self) -> str:
        """Return the one text that stands for this policy: defaults filled in, keys sorted."""
        import json  # noqa: PLC0415  only when a rollout starts

        return json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """Return the versioned fingerprint of a canonical text."""
    return "sha256:v1:" + hashlib.sha256(text.encode()).hexdigest()
