"""The gates of a release for people: what must hold before traffic moves, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rollout.engine import messages
from rollout.engine.strategy import strategy_of
from rollout.model.agent_state import Axis, Compatibility, CompatibilityVerdict, Severity
from rollout.model.api.policy import PolicySpec
from rollout.model.status.release import Release
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import HeldBy, Phase, Reason
from rollout.views.kpi import Tone

_CHECKS: dict[str, Tone] = {"passed": "good", "failed": "bad", "late": "wait", "running": "none"}
_COMPATIBLE: dict[Severity, Tone] = {
    Severity.OK: "good",
    Severity.RISK: "wait",
    Severity.UNKNOWN: "wait",
    Severity.BREAK: "bad",
}


@dataclass(frozen=True, slots=True)
class GateView:
    """One gate: its name, where it stands in a word, and why."""

    name: str
    state: str
    tone: Tone
    message: str = ""


def gates(status: Status, policy: PolicySpec) -> tuple[GateView, ...]:
    """Return the gates that a release passes, in the order in which they are asked."""
    release = status.latest
    return (
        *_state(release.state, policy),
        *_endpoints(status),
        *_effective(release),
        *_approval(status, policy),
        *_windows(status, policy),
        *_checks(release),
        *_spending(release, policy),
    )


def _state(state: Compatibility | None, policy: PolicySpec) -> Iterator[GateView]:
    if policy.gates.state is None and state is None:
        return
    if state is None or state.verdict is None:
        yield GateView("state contracts", "not compared", "wait", state.problem if state else "")
        return
    verdict = settled(state)
    assert verdict is not None
    worst = max((verdict.of(axis) for axis in Axis), key=lambda severity: severity.rank)
    each_way = ", ".join(f"{axis} {verdict.of(axis)}" for axis in Axis)
    yield GateView("state contracts", str(worst), _COMPATIBLE[worst], each_way)


def settled(state: Compatibility | None) -> CompatibilityVerdict | None:
    """Return what the contracts come to, with what a census of live conversations has cleared."""
    if state is None or state.verdict is None:
        return None
    from rollout.engine.state.live import settle  # noqa: PLC0415  the whole comparison: only where there is a verdict

    return settle(state, watched=state.census is not None)


def _endpoints(status: Status) -> Iterator[GateView]:
    for version, counted in status.latest.endpoints.items():
        ready = counted.ready
        yield GateView(f"endpoints of {version}", f"{ready} ready", "good" if ready else "bad")


def _effective(release: Release) -> Iterator[GateView]:
    traffic, reached = release.traffic, release.split.reached
    if traffic.asked_at is None:
        return
    weight = messages.weight(traffic.wanted_bp)
    if traffic.applied_at is None:
        yield GateView("weight effective", "pending", "wait", f"{weight} is set, and not effective in the router yet")
        return
    tones: dict[str, Tone] = {"confirmed": "good", "unconfirmed": "none", "refuted": "bad"}
    share = "" if reached.share is None else f"{messages.percent(reached.share)} of {reached.everyone:.0f} requests"
    yield GateView("requests show the weight", traffic.effective, tones[traffic.effective], share)


def _approval(status: Status, policy: PolicySpec) -> Iterator[GateView]:
    release = status.latest
    strategy = strategy_of(policy, undoing=release.undoing)
    for index, step in enumerate(strategy.steps):
        if step.approval == "required":
            yield _approved(status, index, f"approval of step {index + 1} ({messages.weight(step.weight_bp)})")
    if strategy.switch_approval:
        yield _approved(status, len(strategy.steps) - 1, "approval of the switch")


def _approved(status: Status, index: int, name: str) -> GateView:
    if index in status.latest.approved:
        return GateView(name, "approved", "good")
    if status.held_by is HeldBy.APPROVAL and status.latest.step == index:
        return GateView(name, "waits for an approval", "wait")
    return GateView(name, "not asked yet", "none")


def _windows(status: Status, policy: PolicySpec) -> Iterator[GateView]:
    if policy.gates.windows or policy.gates.freezes:
        closed = status.reason is Reason.WINDOW_CLOSED
        message = status.message if closed else ""
        state: tuple[str, Tone] = (
            ("closed", "wait") if closed else ("holds nothing up", "none")
        )  # asked before a move only
        yield GateView("release window", *state, message)


def _checks(release: Release) -> Iterator[GateView]:
    for run in release.checks:
        yield GateView(f"check {run.name} ({run.point})", run.state, _CHECKS[run.state], run.message)


def _spending(release: Release, policy: PolicySpec) -> Iterator[GateView]:
    cap = policy.spend_cap
    if cap is None or release.undoing:
        return
    allowed = cap.at_most + (release.spend_allowed or 0.0)
    reached = release.spent >= allowed
    yield GateView("spend cap", "reached" if reached else "below", "bad" if reached else "good",
                   f"{release.spent:g} of {allowed:g}")  # fmt: skip


def is_shown(phase: Phase) -> bool:
    """Whether gates mean anything in a phase: while a release is under way."""
    return phase not in (Phase.STABLE, Phase.ROLLED_BACK, Phase.DRAINING)
