"""What a rollout looks like, as styled lines: pure, so that the live screen, `status` and the tests share it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rollout.engine import words
from rollout.engine.draft import read_pinned
from rollout.model.evidence import KpiEvidence
from rollout.model.policy import PolicySpec, digest
from rollout.model.rollout import Rollout
from rollout.model.status import Phase, Status
from rollout.model.units import FULL_BP

_ICONS = {
    Phase.STABLE: ("✔", "green"),
    Phase.ROLLED_BACK: ("✖", "red"),
    Phase.ROLLING_BACK: ("✖", "red"),
    Phase.PAUSED: ("॥", "yellow"),
    Phase.FROZEN: ("⚠", "yellow"),
}
_VERDICTS = {"worse": "red", "acceptable": "green", "no-data": "yellow", "source-error": "yellow"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text and how it is coloured; never by colour alone."""

    text: str = ""
    style: str = ""


def draw(rollout: Rollout, now: datetime, name: str | None = None) -> list[Line]:
    """Return the whole picture of a rollout."""
    status = rollout.status
    name = name or rollout.metadata.name
    lines = [_head(name, status, now)]
    if status.is_active and status.policy is not None:
        lines += [_steps(status, read_pinned(status.policy.text)), _traffic(status), Line()]
        lines += _kpis(status, read_pinned(status.policy.text))
        lines.append(Line())
    lines.append(Line(f"  why    {status.message}" if status.message else "  nothing was rolled out yet"))
    if status.next:
        lines.append(Line(f"  next   {status.next}"))
    if status.is_active and status.phase not in (Phase.ROLLING_BACK, Phase.SUPERSEDING, Phase.DRAINING):
        lines.append(Line(f"  stop   rollout abort {name}", "dim"))
    if status.last_command is not None and status.is_active:
        last = status.last_command
        said = "" if last.accepted else "refused: "
        lines.append(Line(f"  last   {last.verb} by {last.actor}: {said}{last.message}", "dim"))
    if _policy_changed(rollout):
        lines.append(Line("  note   the policy was changed since the start: the change counts for the next rollout"))
    return lines


def _head(name: str, status: Status, now: datetime) -> Line:
    icon, style = _ICONS.get(status.phase, ("◌", "cyan"))
    versions = status.stable_version or "?"
    if status.candidate_version and (status.is_active or status.phase is Phase.ROLLED_BACK):
        old = status.previous_version if status.phase is Phase.DRAINING else status.stable_version
        versions = f"{old} → {status.candidate_version}"
    since = f"   {words.span((now - status.started_at).total_seconds())}" if status.started_at else ""
    tries = f"   try {status.retries + 1}" if status.retries and status.is_active else ""
    return Line(
        f"{name}  {versions}   {icon} {status.phase}{tries}{since if status.is_active else ''}", f"bold {style}"
    )


def _steps(status: Status, policy: PolicySpec) -> Line:
    marks = []
    past_steps = status.phase in (Phase.BAKING, Phase.DRAINING) or status.resume_to is Phase.BAKING
    for index, step in enumerate(policy.canary.steps):
        done = index < status.step or past_steps
        mark = "✔" if done else "◌" if index == status.step and status.phase is not Phase.PREFLIGHT else "·"
        marks.append(f"{mark} {words.weight(step.weight_bp)}")
    marks.append("◌ 100 %" if past_steps else "· 100 %")
    return Line("  " + "   ".join(marks))


def _traffic(status: Status) -> Line:
    traffic, reached = status.traffic, status.split.reached
    in_force = "in force" if traffic.applied_at is not None else "asked for"
    seen = "no requests seen yet"
    if reached.share is not None:
        seen = f"{words.percent(reached.share)} of {reached.everyone:.0f} requests seen, {traffic.effective}"
    return Line(f"  share  {words.weight(traffic.wanted_bp)} {in_force}; {seen}")


def _kpis(status: Status, policy: PolicySpec) -> list[Line]:
    candidate, stable = status.candidate_version or "", status.stable_version or ""
    width = max(len(kpi.name) for kpi in policy.kpis)
    needed_harm = words.evidence(FULL_BP / policy.evidence.false_rollback_bp * 2.0**status.retries)
    needed_proof = words.evidence(FULL_BP / policy.evidence.false_promotion_bp)
    head = f"  {'KPI':<{width}}  {candidate + ' bad':<20}  {stable + ' bad':<20}  {'worse?':<13}  {'no worse?':<13}"
    lines = [Line(head, "dim")]
    for kpi in policy.kpis:
        state = status.evidence.get(kpi.name)
        if state is None:
            continue
        worse = f"{words.evidence(_harm(state))} of {needed_harm}"
        proof = f"{words.evidence(state.proof.e_value)} of {needed_proof}" if kpi.margin is not None else "-"
        cells = (
            f"  {kpi.name:<{width}}  {words.rate(state.bad_c, state.all_c):<20}  "
            f"{words.rate(state.bad_s, state.all_s):<20}  {worse:<13}  {proof:<13}"
        )
        tail = state.verdict + (" (advisory)" if kpi.advisory else "")
        tail += " (reference: frozen)" if state.frozen_bound is not None else ""
        lines.append(Line(f"{cells}  {tail}", _VERDICTS.get(state.verdict, "")))
    lines.append(Line(f"  {'together':<{width}}  {'':<20}  {'':<20}  {words.evidence(status.harm_e)} of {needed_harm}"))
    return lines


def _harm(state: KpiEvidence) -> float:
    return max(state.harm.e_value, state.bound.e_value if state.bound else 0.0)


def _policy_changed(rollout: Rollout) -> bool:
    declared, pinned = rollout.spec.policy, rollout.status.policy
    return bool(rollout.status.is_active and declared and pinned and digest(declared.canonical()) != pinned.digest)
