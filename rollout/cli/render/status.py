"""What a rollout looks like, as styled lines: pure, so that the live screen, `status` and the tests share it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import datetime

from rollout.engine import messages
from rollout.engine.analysis.evidence import harm_evidence, interval, rate_interval
from rollout.engine.strategy import strategy_of
from rollout.model.agent_state import Axis
from rollout.model.api.kpi import Kpi
from rollout.model.api.policy import PolicySpec
from rollout.model.pinned import pinned_policy
from rollout.model.rollout import Rollout
from rollout.model.status.evidence import KpiEvidence
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Result
from rollout.model.units import FULL_BP
from rollout.views.conversations import draining

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


def draw(rollout: Rollout, now: datetime, width: int = 80) -> list[Line]:
    """Return the whole picture of a rollout; no line is wider than `width`, but for a table that needs 80."""
    status, name = rollout.status, rollout.metadata.name
    lines = [_head(name, status, now)]
    policy = pinned_policy(status)
    if status.is_active and policy is not None:
        lines += [_steps(status, policy), *labelled("share", _traffic(status), width)]
    if status.latest.result is not None or status.is_active:
        lines += _kpis(status)
        lines += labelled("diff", _differences(status), width, "dim")
        lines += labelled("spend", _spend(status), width, "dim")
        lines += labelled("state", _state(status), width, "dim")
    lines += labelled("roles", _roles(status), width, "dim")
    lines += labelled("pins", str(status.pins) if status.pins else "", width, "dim")
    for version, drain in status.draining.items():
        lines += labelled("drain", f"{version}: {draining(drain, now)}", width)
    lines += labelled("why", status.message or "nothing was rolled out yet", width)
    lines += labelled("next", status.next, width)
    if status.is_active and status.phase not in (Phase.ROLLING_BACK, Phase.SUPERSEDING, Phase.DRAINING):
        lines += labelled("stop", f"rollout abort {name}", width, "dim")
    if status.last_command is not None and status.is_active:
        last = status.last_command
        prefix = "" if last.accepted else "refused: "
        lines += labelled("last", f"{last.verb} by {last.actor}: {prefix}{last.message}", width, "dim")
    notes = [
        *status.latest.warnings,
        *(messages.works_at_any_weight(worker, status.candidate_version or "") for worker in status.latest.workers),
    ]
    for note in notes if status.is_active else ():
        lines += labelled("note", note, width)
    if status.blocked is not None:
        lines += labelled("stuck", status.blocked.message, width, "bold red")
    if _policy_changed(rollout):
        lines += labelled(
            "note", "the policy has changed since this release started. The change counts for the next release", width
        )
    return lines


def _roles(status: Status) -> str:
    """Say what runs behind the Services of roles, and which of them serves the stable version."""
    versions = status.role_versions
    if versions is None:
        return ""
    both = f"{versions.stable or '?'} behind the stable Service, {versions.candidate or '?'} behind the candidate's"
    return f"{both}, which serves" if versions.serving == "candidate" else both


def labelled(label: str, text: str, width: int, style: str = "") -> list[Line]:
    """Return a labelled text, wrapped under itself; nothing for nothing."""
    wrapped = textwrap.wrap(text, max(40, width - 9))
    return [Line(f"  {label if not index else '':<5}  {part}", style) for index, part in enumerate(wrapped)]


def _head(name: str, status: Status, now: datetime) -> Line:
    icon, style = _ICONS.get(status.phase, ("◌", "cyan"))
    versions = status.stable_version or "?"
    if status.candidate_version and (status.is_active or status.phase is Phase.ROLLED_BACK):
        old = status.previous_version if status.phase is Phase.DRAINING else status.stable_version
        versions = f"{old} → {status.candidate_version}"
    since = f"   {messages.span((now - status.latest.started_at).total_seconds())}" if status.latest.started_at else ""
    tries = f"   try {status.latest.retries + 1}" if status.latest.retries and status.is_active else ""
    return Line(
        f"{name}  {versions}   {icon} {status.phase}{tries}{since if status.is_active else ''}", f"bold {style}"
    )


def _steps(status: Status, policy: PolicySpec) -> Line:
    marks = []
    past_steps = status.phase in (Phase.BAKING, Phase.DRAINING) or status.resume_to is Phase.BAKING
    for index, step in enumerate(strategy_of(policy, undoing=status.latest.undoing).steps):
        done = index < status.latest.step or past_steps
        mark = "✔" if done else "◌" if index == status.latest.step and status.phase is not Phase.PREFLIGHT else "·"
        marks.append(f"{mark} {messages.weight(step.weight_bp) if step.weight_bp else 'preview'}")
    marks.append("◌ 100 %" if past_steps else "· 100 %")
    return Line("  " + "   ".join(marks))


def _traffic(status: Status) -> str:
    traffic, reached = status.latest.traffic, status.latest.split.reached
    state = "effective" if traffic.applied_at is not None else "pending"
    seen = "no requests counted yet at this weight"
    if reached.share is not None:
        seen = f"{messages.percent(reached.share)} of {reached.everyone:.0f} requests seen, {traffic.effective}"
    return f"{messages.weight(traffic.wanted_bp)} {state}; {seen}"


def _kpis(status: Status) -> list[Line]:
    """Return the table of evidence; it stays after the end, until the next rollout."""
    policy, candidate = pinned_policy(status), status.candidate_version or ""
    if policy is None or not status.latest.evidence:
        return []
    stable = (status.previous_version if status.latest.result is Result.PROMOTED else status.stable_version) or ""
    width = max(12, *(len(kpi.name) for kpi in policy.kpis))
    needed = FULL_BP / policy.evidence.false_rollback_bp * 2.0**status.latest.retries
    head = f"  {'bad outcomes':<{width}} {candidate:<15} {stable:<15}  {'harm':<6} {'proof':<6}"
    states = ((kpi, status.latest.evidence.get(kpi.name)) for kpi in policy.kpis)
    rows = [_kpi(kpi, state, width) for kpi, state in states if state is not None]
    proof = messages.evidence(FULL_BP / policy.evidence.false_promotion_bp)
    text = (
        f"harm at {messages.evidence(needed)} (all KPIs: {messages.evidence(status.latest.harm_e)}), proof at {proof}"
    )
    return [Line(), Line(head, "dim"), *rows, Line(f"  {text}", "dim"), Line()]


def _spend(status: Status) -> str:
    policy = pinned_policy(status)
    cap = policy.spend_cap if policy else None
    if cap is None or status.latest.undoing:
        return ""
    granted = cap.at_most + (status.latest.spend_allowed or 0.0)
    return f"{status.latest.spent:g} of {granted:g} allowed before promotion"


def _state(status: Status) -> str:
    """Say whether conversations can go over and back, and whether that is over."""
    state = status.latest.state
    if state is None or state.verdict is None:
        return ""
    from rollout.engine.state.live import settle  # the whole comparison of contracts: only where there is a verdict

    settled = settle(state, watched=state.census is not None)
    verdicts = ", ".join(f"{axis} {settled.of(axis)}" for axis in Axis)
    census = state.census
    seen = ""
    if census is not None:
        seen = (
            census.problem
            or f"{messages.conversations(census.threads)} counted{'' if census.complete else ', not all'}"
        )
        seen = f"; {seen}"
    if state.no_return_at is None:
        return f"{verdicts}{seen}"
    many = "" if state.affected is None else f", {messages.conversations(state.affected)} would not be readable"
    return f"{verdicts}{seen}; past the point of no return since {state.no_return_at:%H:%M:%S}Z{many}"


def _differences(status: Status) -> str:
    """Say how much more fails in the candidate, or costs, with the uncertainty; nothing while nothing was compared."""
    lines, alone = [], []
    policy = pinned_policy(status)
    settings = policy.evidence if policy else None
    for name, state in status.latest.evidence.items():
        low, high = interval(state)
        if low is not None and high is not None and high - low < WIDEST:
            lines.append(f"{name} {messages.between(low, high, relative=state.batches is not None)}")
        elif low is None and settings and state.frozen_bound is not None and state.all_c > 0 and state.batches is None:
            own = " to ".join(messages.percent(end) for end in rate_interval(state, settings))
            alone.append(f"{name} {own}, stable was at most {messages.percent(state.frozen_bound)}")
    if alone:
        return f"candidate only, 95 % interval: {'; '.join(alone)}"
    return f"candidate minus stable, 95 % interval: {'; '.join(lines)}" if lines else ""


WIDEST = 1.95
"""An interval wider than this says nothing: rates differ by at most 2."""


def _kpi(kpi: Kpi, state: KpiEvidence, width: int) -> Line:
    fine = _evidence(state.proof.e_value) if kpi.margin is not None else "-"
    silent = state.responses is not None and state.responses.doubtful
    verdict = "advisory" if kpi.advisory else "silent: responses differ" if silent else state.verdict
    shown = _mean if kpi.is_mean else _rate
    tail = ", frozen" if state.frozen_bound is not None and not kpi.advisory else ""
    cells = (
        f"{kpi.name:<{width}} {shown(state.bad_c, state.all_c):<15} {shown(state.bad_s, state.all_s):<15}  "
        f"{_evidence(_harm(state)):<6} {fine:<6} {verdict}{tail}"
    )
    return Line(f"  {cells}", _VERDICTS.get(verdict, ""))


def _evidence(e_value: float) -> str:
    return ">1000" if e_value >= 1000 else messages.evidence(e_value)


def _rate(bad: float, trials: float) -> str:
    """``58/227 26 %``: as narrow as it can be."""
    return f"{bad:.0f}/{trials:.0f} {messages.percent(bad / trials)}" if trials > 0 else "-"


def _mean(total: float, trials: float) -> str:
    """``ø 0.042/190``: the mean, and of how many."""
    return f"ø {total / trials:.3g}/{trials:.0f}" if trials > 0 else "-"


def _harm(state: KpiEvidence) -> float:
    return max(harm_evidence(state), state.bound.e_value if state.bound else 0.0)


def _policy_changed(rollout: Rollout) -> bool:
    declared, pinned = rollout.spec.policy, pinned_policy(rollout.status)
    if not (rollout.status.is_active and declared and pinned):
        return False
    # Read anew, both have the defaults of this release: an upgrade is no edit.
    return declared.canonical() != pinned.canonical()
