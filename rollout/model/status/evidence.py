"""Evidence as it is kept between samples: e-processes, dispersion, totals and the counters' last values."""

from datetime import datetime
from enum import StrEnum
from typing import TypedDict, Unpack

from pydantic import Field

from rollout.model.base import Record
from rollout.stats import Batches, Difference, Dispersion, Reached, Responses, SampleRatio, Wealth


class KpiVerdict(StrEnum):
    """What one sample says of one KPI."""

    WORSE = "worse"
    ACCEPTABLE = "acceptable"
    UNDECIDED = "undecided"
    NO_DATA = "no-data"
    SOURCE_ERROR = "source-error"


class KpiEvidence(Record):
    """One KPI's evidence over the whole rollout.

    Attributes:
        harm, proof: against and for the candidate, compared with stable.
        bound, stable_bound: against `atMost`, for the candidate and for stable.
        carried_c, carried_s: failures that came in before their trials (counted at the next sample).
        idle_s: seconds since both versions last had outcomes.
        seen: whether they had any at this weight.
        frozen_bound: stable's upper bound, once it is fixed.
        difference: of the rates, for people.
        batches: for a mean of sums.
        responses: for outcomes that people give of their own accord.
        per_asked, frozen_asked: the same failures over all that could have been answered, against harm, and stable's
            bound on that.
        asked_bad_s: stable's failures in it.
    """

    harm: Wealth
    proof: Wealth
    bound: Wealth | None = None
    stable_bound: Wealth | None = None
    dispersion: Dispersion = Dispersion()
    bad_c: float = 0.0
    all_c: float = 0.0
    bad_s: float = 0.0
    all_s: float = 0.0
    carried_c: float = 0.0
    carried_s: float = 0.0
    idle_s: float = 0.0
    seen: bool = False
    frozen_bound: float | None = None
    difference: Difference = Difference()
    batches: Batches | None = None
    responses: Responses | None = None
    per_asked: Wealth | None = None
    frozen_asked: float | None = None
    asked_bad_s: float = 0.0
    verdict: KpiVerdict = KpiVerdict.UNDECIDED
    problem: str = ""

    def changed(self, **changes: "Unpack[KpiChanges]") -> "KpiEvidence":
        """Return it with other fields."""
        return self.model_copy(update=changes)


class KpiChanges(TypedDict, total=False):
    """Fields of `KpiEvidence` with new values. A test keeps the two equal."""

    harm: Wealth
    proof: Wealth
    bound: Wealth | None
    stable_bound: Wealth | None
    dispersion: Dispersion
    bad_c: float
    all_c: float
    bad_s: float
    all_s: float
    carried_c: float
    carried_s: float
    idle_s: float
    seen: bool
    frozen_bound: float | None
    difference: Difference
    batches: Batches | None
    responses: Responses | None
    per_asked: Wealth | None
    frozen_asked: float | None
    asked_bad_s: float
    verdict: KpiVerdict
    problem: str


class Ledger(Record):
    """The last value of every counter series, so that a restart neither loses nor counts anything twice.

    Attributes:
        values: by KPI, then by series.
        births: when each page's process started (unix seconds), where it says so.
        pages: those that were ever read.
        read_at: when each KPI was last read.
        doubts: processes that may have begun anew, as the last reading of a source that may lag has it.
        mark: which samples were read last.
    """

    values: dict[str, dict[str, float]] = Field(default_factory=dict)
    births: dict[str, float] = Field(default_factory=dict)
    pages: tuple[str, ...] = ()
    read_at: dict[str, datetime] = Field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    mark: str = ""


class PinArrival(Record):
    """Whether pins arrive, as agents see it.

    Attributes:
        unpinned: turns of open conversations that came without their pin.
        begun: conversations that began meanwhile.
    """

    unpinned: float = 0.0
    begun: float = 0.0


class TrafficEvidence(Record):
    """Evidence about the split itself."""

    ratio: SampleRatio = SampleRatio()
    reached: Reached = Reached()
