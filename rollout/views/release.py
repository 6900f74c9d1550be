"""One release for people: the one under way, or one that is over. Both look the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from rollout.engine import messages
from rollout.engine.analysis.judged import judged
from rollout.engine.analysis.verdict import Thresholds
from rollout.engine.strategy import strategy_of
from rollout.model.agent_state import CompatibilityVerdict, Finding
from rollout.model.api.policy import PolicySpec
from rollout.model.pinned import pinned_policy
from rollout.model.rollout import Rollout
from rollout.model.status.decision import Decision
from rollout.model.status.finished_release import FinishedRelease
from rollout.model.status.judged import JudgedKpi
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Result
from rollout.views import kpi, weights
from rollout.views.conversations import ConversationsView, census, conversations
from rollout.views.gates import GateView, gates, is_shown, settled
from rollout.views.kpi import KpiView, Tone
from rollout.views.outlook import NOTHING, Outlook, outlook

POLICY_CHANGED = "the policy has changed since this release started. The change counts for the next release"

_PHASES: dict[Phase, Tone] = {
    Phase.STABLE: "good",
    Phase.ROLLED_BACK: "bad",
    Phase.ROLLING_BACK: "bad",
    Phase.PAUSED: "wait",
    Phase.FROZEN: "wait",
}


@dataclass(frozen=True, slots=True)
class StepView:
    """One step: its weight, and whether it is passed, current or ahead."""

    label: str
    state: str


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """A release as every screen shows it.

    Attributes:
        headline: the phase, or how it ended, in a word.
        harm_done: how far the evidence of harm over all KPIs has come, 0 to 1.
        ended_at: None while it is under way.
        outlook: what is left until the next decision.
        current: the candidate's weight now; None where no release is under way.
    """

    previous: str
    candidate: str
    headline: str
    tone: Tone
    message: str
    next: str
    outlook: Outlook
    started_at: datetime | None
    ended_at: datetime | None
    paused_s: float
    steps: tuple[StepView, ...]
    current: weights.CurrentWeight | None
    weights: weights.WeightSeries | None
    kpis: tuple[KpiView, ...]
    harm_e: float
    harm_needed_e: float
    harm_done: float
    proof_needed_e: float
    gates: tuple[GateView, ...]
    findings: tuple[Finding, ...]
    verdicts: str
    conversations: tuple[ConversationsView, ...]
    census: str
    notes: tuple[str, ...]


def under_way(rollout: Rollout, decisions: Iterable[Decision], now: datetime) -> ReleaseView:
    """Return the release under way, or the last one with what is left of it; the decisions are its own."""
    status, policy = rollout.status, pinned_policy(rollout.status)
    release = status.latest
    promoted = release.result is Result.PROMOTED
    needed = Thresholds.of(policy.evidence, release.retries) if policy else Thresholds(0.0, 0.0)
    verdict = release.state.verdict if release.state else None
    return ReleaseView(
        previous=(status.previous_version if promoted else status.stable_version) or "?",
        candidate=status.candidate_version or "",
        headline=str(status.phase),
        tone="bad" if status.blocked else _PHASES.get(status.phase, "none"),
        message=status.message or "nothing was rolled out yet",
        next=status.next,
        outlook=outlook(status, now),
        started_at=release.started_at,
        ended_at=None if status.is_active else status.phase_since,
        paused_s=release.paused_s,
        steps=_steps(status, policy) if policy else (),
        current=weights.current(release.traffic, release.split.reached) if _shifts(status) else None,
        weights=_weights(status, decisions, now),
        kpis=_kpis(judged(policy, release.evidence), needed.harm, needed.proof) if policy else (),
        harm_e=release.harm_e,
        harm_needed_e=needed.harm,
        harm_done=kpi.done(release.harm_e, needed.harm),
        proof_needed_e=needed.proof,
        gates=gates(status, policy) if policy and is_shown(status.phase) else (),
        findings=verdict.findings if verdict else (),
        verdicts=_verdicts(settled(release.state)),
        conversations=conversations(status, now),
        census=census(status),
        notes=_notes(rollout),
    )


def _weights(status: Status, decisions: Iterable[Decision], now: datetime) -> weights.WeightSeries | None:
    began = status.latest.started_at
    if began is None:
        return None
    end = now if status.is_active else status.phase_since or now
    wanted_bp = status.latest.traffic.wanted_bp if _shifts(status) else None
    return weights.series(decisions, began, max(began, end), wanted_bp)


def _shifts(status: Status) -> bool:
    """Whether traffic is still split: once a version is promoted, it is not."""
    return status.is_active and status.phase is not Phase.DRAINING


def ended(release: FinishedRelease, decisions: Iterable[Decision]) -> ReleaseView:
    """Return a release that is over; the decisions are its own."""
    return ReleaseView(
        previous=release.previous,
        candidate=release.candidate,
        headline=f"{release.result}{' (undo)' if release.undoing else ''}",
        tone=result_tone(release.result),
        message=release.message,
        next="",
        outlook=NOTHING,
        started_at=release.started_at,
        ended_at=release.ended_at,
        paused_s=release.paused_s,
        steps=tuple(
            StepView(_label(weight_bp), _past(index, release.reached))
            for index, weight_bp in enumerate(release.steps_bp)
        ),
        current=None,
        weights=weights.series(decisions, release.started_at, release.ended_at),
        kpis=_kpis(release.kpis, release.harm_needed_e, release.proof_needed_e),
        harm_e=release.harm_e,
        harm_needed_e=release.harm_needed_e,
        harm_done=kpi.done(release.harm_e, release.harm_needed_e),
        proof_needed_e=release.proof_needed_e,
        gates=(),
        findings=release.state.findings if release.state else (),
        verdicts=_verdicts(release.state),
        conversations=(),
        census="",
        notes=(),
    )


def _past(index: int, reached: int) -> str:
    return "passed" if index < reached else "stopped here" if index == reached else "not reached"


def result_tone(result: Result) -> Tone:
    """Return how a result is coloured; it is always written out too."""
    if result is Result.PROMOTED:
        return "good"
    return "bad" if result in (Result.ROLLED_BACK, Result.STOPPED) else "wait"


def phase_tone(status: Status) -> Tone:
    """Return how a phase is coloured; it is always written out too."""
    return "bad" if status.blocked else _PHASES.get(status.phase, "none")


def _kpis(kpis: Mapping[str, JudgedKpi], harm_needed_e: float, proof_needed_e: float) -> tuple[KpiView, ...]:
    return tuple(kpi.view(name, entry, harm_needed_e, proof_needed_e) for name, entry in kpis.items())


def _label(weight_bp: int) -> str:
    return messages.weight(weight_bp) if weight_bp else "preview"


def _steps(status: Status, policy: PolicySpec) -> tuple[StepView, ...]:
    release = status.latest
    past = status.phase in (Phase.BAKING, Phase.DRAINING) or status.resume_to is Phase.BAKING
    promoted = release.result is Result.PROMOTED
    failed = status.goes_back or status.phase is Phase.ROLLED_BACK
    steps = []
    for index, step in enumerate(strategy_of(policy, undoing=release.undoing).steps):
        passed = index < release.step or past or promoted
        here = index == release.step and status.phase is not Phase.PREFLIGHT
        state = "passed" if passed else "ahead"
        if here and not passed:
            state = "stopped here" if failed else "current" if status.is_active else state
        steps.append(StepView(_label(step.weight_bp), state))
    steps.append(StepView("100 %", "passed" if promoted else "current" if past else "ahead"))
    return tuple(steps)


def _verdicts(verdict: CompatibilityVerdict | None) -> str:
    if verdict is None:
        return ""
    return f"backward {verdict.backward}, forward {verdict.forward}, hop {verdict.hop}"


def _notes(rollout: Rollout) -> tuple[str, ...]:
    status = rollout.status
    if not status.is_active:
        return ()
    candidate = status.candidate_version or ""
    blocked = (status.blocked.message,) if status.blocked else ()
    workers = (messages.works_at_any_weight(worker, candidate) for worker in status.latest.workers)
    changed = (POLICY_CHANGED,) if _policy_changed(rollout) else ()
    return (*blocked, *status.latest.warnings, *workers, *changed)


def _policy_changed(rollout: Rollout) -> bool:
    declared, pinned = rollout.spec.policy, pinned_policy(rollout.status)
    # Read anew, both have the defaults of this release: an upgrade is no edit.
    return bool(declared and pinned and declared.canonical() != pinned.canonical())
