"""Which changes of a status are written at once, and which may wait.

What people or a restart need is written when it changes. Evidence waits: it follows from the counters, whose last
values stand beside it. Whoever reads an old status reads the counters anew, and counts all that has come in since.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollout.model.status.conditions import Condition
from rollout.model.status.decision import Decision
from rollout.model.status.evidence import KpiEvidence
from rollout.model.status.release import Release
from rollout.model.status.status import Status

STATUS_WAITS = frozenset({"message", "next", "decisions", "release"})
RELEASE_WAITS = frozenset({
    "counters", "evidence", "split", "arrival", "harm_e", "sampled_at", "next_sample_at", "samples_in_window", "gap_s",
    "spent", "unready_samples", "stable_down_samples", "endpoints",
})  # fmt: skip
"""Fields that move with every sample. All others are written at once, also those that are still to be invented."""

_STATUS_NOW = tuple(name for name in Status.model_fields if name not in STATUS_WAITS)
_RELEASE_NOW = tuple(name for name in Release.model_fields if name not in RELEASE_WAITS)


def must_be_written(written: Status, status: Status) -> bool:
    """Whether a status differs from the written one in what people or a restart need."""
    return (
        _differ(written, status, _STATUS_NOW)
        or (written.release is None) != (status.release is None)
        or _differ(written.latest, status.latest, _RELEASE_NOW)
        or _verdicts(written.latest.evidence) != _verdicts(status.latest.evidence)
        or (
            status.decisions is not written.decisions
            and any(decision not in written.decisions for decision in _kept(status.decisions))
        )
    )


def conditions_must_be_written(written: Iterable[Condition], conditions: Iterable[Condition]) -> bool:
    """Whether an answer, its reason or its generation differs; the sentence of an answer may wait."""
    return _answers(written) != _answers(conditions)


def _differ(one: Status | Release, other: Status | Release, names: Iterable[str]) -> bool:
    if one is other:
        return False
    before, after = one.__dict__, other.__dict__
    return any(before[name] is not after[name] and before[name] != after[name] for name in names)


def _verdicts(evidence: dict[str, KpiEvidence]) -> list[tuple[object, ...]]:
    """What a sample says of each KPI, and the bounds that are fixed once: no later counter tells them again."""
    return [
        (name, kpi.verdict, bool(kpi.problem), kpi.seen, kpi.frozen_bound, kpi.frozen_asked)
        for name, kpi in evidence.items()
    ]


def _kept(decisions: tuple[Decision, ...]) -> Iterable[Decision]:
    """Decisions that are no sample's."""
    return (decision for decision in decisions if decision.kind != "sample")


def _answers(conditions: Iterable[Condition]) -> list[tuple[object, ...]]:
    return [(answer.type, answer.status, answer.reason, answer.observed_generation) for answer in conditions]
