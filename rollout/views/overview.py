"""What a terminal shows of a rollout, in words and numbers: plain data, which can be kept beside the status.

Nothing here is imported but the standard library: whoever only looks need not know what a status is made of. Times are
unix seconds, and become spans when it is drawn.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from rollout.model.wording import span

FORMAT = 1
"""Of the text that is kept: another one is not read."""


@dataclass(frozen=True)
class KpiOverview:
    """One KPI.

    Attributes:
        harm_done, proof_done: how far the evidence has come, 0 to 1.
        left: how many more requests its proof needs, in words; empty where nothing can be said.
        statistics: the numbers that the words stand for.
    """

    name: str
    worse: str
    proved: str
    harm_done: float
    proof_done: float | None
    candidate: str
    stable: str
    problem: str
    left: str
    statistics: str


@dataclass(frozen=True)
class GateOverview:
    name: str
    state: str
    tone: str
    message: str


@dataclass(frozen=True)
class VersionOverview:
    """The conversations of one version.

    Attributes:
        ends_at: when a drain is over at the latest, and `then` what follows.
    """

    version: str
    role: str
    text: str
    ends_at: float | None = None
    then: str = ""


@dataclass(frozen=True)
class WeightOverview:
    """The candidate's share: what is intended, and what the requests show; seen is None where none were counted."""

    intended: float
    label: str
    state: str
    seen: float | None
    counted: str


@dataclass(frozen=True)
class Left:
    """What is left until the next decision.

    Attributes:
        requests: so many more of the candidate, in words; empty where evidence is not waited for.
        due_at: not before; None where nobody knows.
        latest_at: when the step is given up, or passed undecided; None where it waits for ever.
    """

    requests: str = ""
    due_at: float | None = None
    latest_at: float | None = None

    def message(self, now: float) -> str:
        """Say it in a line; empty where there is nothing to say."""
        due_s = None if self.due_at is None else max(0.0, self.due_at - now)
        parts = []
        if self.requests:
            parts.append(f"{self.requests}{f' (~{span(due_s)})' if due_s is not None else ''}")
        elif due_s:
            parts.append(f"in {span(due_s)}")
        latest_s = 0.0 if self.latest_at is None else self.latest_at - now
        if latest_s > 0 and (self.requests or not due_s or latest_s < due_s):
            parts.append(f"in {span(latest_s)} at the latest")
        return ", ".join(parts)


@dataclass(frozen=True)
class Overview:
    """A rollout as a terminal shows it.

    Attributes:
        versions: which ones it is about, such as ``v1 → v2``.
        worse: whether the candidate is, over all KPIs, in a word.
        untold: what people do not know of yet, in words.
        steps: each with its weight, and whether it is passed, current or ahead.
        harm, proof: the evidence over all KPIs and what a proof needs, in numbers.
        notes: each with whether traffic is stuck for it.
        stoppable: whether an abort would change anything.
    """

    name: str
    versions: str
    headline: str
    tone: str
    active: bool
    tries: int
    started_at: float | None
    message: str
    next: str
    left: Left
    steps: tuple[tuple[str, str], ...]
    weight: WeightOverview | None
    kpis: tuple[KpiOverview, ...]
    arms: tuple[str, str]
    worse: str
    harm_done: float
    harm: str
    gates: tuple[GateOverview, ...]
    conversations: tuple[VersionOverview, ...]
    state: str
    roles: str
    pins: str
    notes: tuple[tuple[str, bool], ...]
    last: str
    untold: str
    stoppable: bool

    def text(self) -> str:
        """Return it as text, to be kept."""
        return json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":"))


def read(text: str) -> Overview | None:
    """Return what was kept; None for nothing, and for what is damaged or of another release."""
    try:
        raw: dict[str, Any] = json.loads(text or "{}")
        return _read(raw) if raw.pop("format", None) == FORMAT else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _read(raw: dict[str, Any]) -> Overview:
    return Overview(
        **{
            **raw,
            "left": Left(**raw["left"]),
            "weight": WeightOverview(**raw["weight"]) if raw["weight"] else None,
            "kpis": tuple(KpiOverview(**kpi) for kpi in raw["kpis"]),
            "gates": tuple(GateOverview(**gate) for gate in raw["gates"]),
            "conversations": tuple(VersionOverview(**one) for one in raw["conversations"]),
        }
    )
