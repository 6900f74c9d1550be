"""The sentences that say why. One place, so that every screen, record and exit tells the same story."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.model import wording
from rollout.model.status.evidence import KpiEvidence
from rollout.model.units import format_percent

span = wording.span


def percent(fraction: float) -> str:
    """Write a fraction for people: three digits are enough."""
    value = fraction * 100
    return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %" if value >= 1 else f"{value:.2g} %"


def weight(basis_points: int) -> str:
    """Write a weight for people."""
    return format_percent(basis_points).replace("%", " %")


def count(value: float) -> str:
    return f"{value:.0f}"


def evidence(e_value: float) -> str:
    """Write an e-value for people."""
    if e_value >= 1000:
        return "over 1000"
    return f"{e_value:.0f}" if e_value >= 10 else f"{e_value:.1f}"


def rate(bad: float, trials: float) -> str:
    """``48 of 190 (25 %)``."""
    shown = f"{count(bad)} of {count(trials)}"
    return f"{shown} ({percent(bad / trials)})" if trials > 0 else shown


def mean(total: float, trials: float) -> str:
    """``0.042 on average (190)``."""
    return f"{total / trials:.3g} on average ({count(trials)})" if trials > 0 else "none"


def compared(name: str, state: KpiEvidence, candidate: str, stable: str) -> str:
    """``task-success: v2 48 of 190 (25 %) bad, v1 31 of 590 (5.3 %)``."""
    if state.batches is not None:
        means = f"{candidate} {mean(state.bad_c, state.all_c)}, {stable} {mean(state.bad_s, state.all_s)}"
        return f"{name}: {means}, asymptotic"
    text = f"{name}: {candidate} {rate(state.bad_c, state.all_c)} bad, {stable} {rate(state.bad_s, state.all_s)}"
    if state.frozen_bound is not None:
        text += f", reference: frozen at most {percent(state.frozen_bound)}"
    return text


def harmed(
    culprits: Iterable[str],
    states: dict[str, KpiEvidence],
    candidate: str,
    stable: str,
    harm_e: float,
    threshold: float,
) -> str:
    """Say which KPIs got worse, with counts, rates and evidence."""
    named = "; ".join(compared(name, states[name], candidate, stable) for name in culprits)
    needed = f"Evidence of harm: {evidence(harm_e)} over all KPIs, {evidence(threshold)} needed"
    return f"{candidate} is worse than {stable}. {named}. {needed}"


def between(low: float, high: float, *, relative: bool) -> str:
    """``-0.3 to +1.2 pp``; for means ``-5 to +31 % (asymptotic)``."""
    unit = "% (asymptotic)" if relative else "pp"
    shown = [f"{end:+.0f}" if abs(end) >= 10 else f"{end:+.1f}" for end in (low * 100, high * 100)]
    return f"{shown[0]} to {shown[1]} {unit}"


def listed(names: Iterable[str]) -> str:
    names = list(names)
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def requests_left(left: float, version: str) -> str:
    """``about 234 more requests of v2``."""
    return f"about {left:,.0f} more request{'' if round(left) == 1 else 's'} of {version}"


def conversations(count: int) -> str:
    """``1 conversation``, ``12 conversations``."""
    return f"{count} conversation{'' if count == 1 else 's'}"


def works_at_any_weight(worker: str, version: str) -> str:
    return (
        f"the Deployment {worker} has no Service: if it takes jobs from a queue, it takes them at any weight."
        f" Let it go by its role, or scale it to 0 until {version} is promoted"
    )


def open_conversations(count: int | None, problem: str = "") -> str:
    """The same, or that their number is not known, and why."""
    if count is not None:
        return conversations(count)
    return f"an unknown number of conversations{f' ({problem})' if problem else ''}"
