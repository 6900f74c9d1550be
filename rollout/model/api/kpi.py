"""KPIs: what is counted, and how much worse is too much."""

from typing import Annotated

from pydantic import Field, StrictBool, StringConstraints

from rollout.model.base import Document
from rollout.model.units import FULL_BP, Count, Duration, Name, Percent
from rollout.stats import RateMargin

Selector = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class Margin(Document):
    """How much worse counts as the same: ``p_c <= (1 + relative) p_s + absolute``, or an odds ratio of 1 + odds."""

    relative_bp: Percent = Field(default=0, alias="relative", description="Relative to stable's rate.")
    absolute_bp: Percent = Field(default=0, alias="absolute", description="In percentage points.")
    odds_bp: Percent | None = Field(default=None, alias="odds", description="As a ratio of odds, for rates above 20 %.")

    @property
    def rate(self) -> RateMargin:
        """The margin between two rates, as fractions."""
        return RateMargin(1.0 + self.relative_bp / FULL_BP, self.absolute_bp / FULL_BP)

    @property
    def odds_ratio(self) -> float | None:
        """The greatest odds ratio that still counts as the same; None for a margin between rates."""
        return None if self.odds_bp is None else 1.0 + self.odds_bp / FULL_BP


class Kpi(Document):
    """One thing to judge, for both versions at the same time: a rate of bad outcomes among all, or a mean.

    Either a preset, or `total` and one of `bad`, `good` (counters of outcomes) or `sum` (a sum over all outcomes, as
    `_sum` of a histogram; judged by its mean, asymptotically).
    """

    name: Name = Field(description="The name shown in messages.")
    preset: str | None = Field(default=None, description="A KPI that is known by name, such as agent-tasks.")
    with_: dict[str, str] = Field(
        default_factory=dict, alias="with", max_length=16, description="What the preset is filled in with."
    )
    bad: Selector | None = Field(default=None, description="Selector of the counter of bad outcomes.")
    good: Selector | None = Field(default=None, description="Selector of the counter of good outcomes.")
    sum: Selector | None = Field(default=None, description="Selector of the sum over all outcomes; its mean is judged.")
    total: Selector | None = Field(default=None, description="Selector of the counter of all outcomes.")
    among: Selector | None = Field(
        default=None, description="Selector of the counter of what could have led to an outcome."
    )
    matures_s: Duration = Field(
        default=0.0,
        alias="matures",
        description="How old outcomes must be before they count as evidence for the candidate.",
    )
    margin: Margin | None = Field(
        default=None, description="How much worse than stable the candidate may be. More than this is harm."
    )
    promotion_margin: Margin | None = Field(
        default=None, description="The margin within which the candidate must be proved no worse. Without it, margin."
    )
    at_most_bp: Percent | None = Field(
        default=None, alias="atMost", description="The highest share of bad outcomes, whatever stable does."
    )
    weight: Count = Field(default=1, ge=1, le=100, description="How much it counts beside the other KPIs.")
    advisory: StrictBool = Field(default=False, description="Show it, and let nothing depend on it.")

    @property
    def proof_margin(self) -> Margin | None:
        """What promotion must prove: `promotionMargin`, else `margin`."""
        return self.promotion_margin or self.margin

    @property
    def is_mean(self) -> bool:
        """Whether it is judged by the mean of sums: no bounds hold exactly, so it is labelled asymptotic."""
        return self.sum is not None
