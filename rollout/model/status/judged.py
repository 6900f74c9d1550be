"""One KPI as it was judged: its figures beside what was allowed. What people see while it runs, and afterwards."""

from typing import Literal

from rollout.model.base import Record
from rollout.model.status.decision import KpiFigures


class JudgedKpi(Record):
    """The figures of one KPI, and the limits that they are held against.

    Attributes:
        scale: what `low`, `high` and the limits are. difference: of the two rates, candidate minus stable, as
            fractions. relative: of the two means, as a fraction of stable's. rate: the candidate's own rate, where
            there is no concurrent stable version.
        low, high: the interval, at 95 % and at any time; None while nothing can be said.
        harm_limit: above it the candidate is worse; None for a KPI without a margin.
        proof_limit: below it promotion wants the candidate to be; None likewise.
    """

    figures: KpiFigures
    scale: Literal["difference", "relative", "rate"] = "difference"
    low: float | None = None
    high: float | None = None
    harm_limit: float | None = None
    proof_limit: float | None = None
    advisory: bool = False
    problem: str = ""
