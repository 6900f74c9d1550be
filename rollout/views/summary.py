"""From a rollout to its overview: what a terminal shows, from the same views as the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from math import inf

from rollout.engine import messages
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.views.conversations import census, draining_text
from rollout.views.kpi import KpiView
from rollout.views.overview import GateOverview, KpiOverview, Overview, VersionOverview, WeightOverview
from rollout.views.release import ReleaseView, under_way

UNTOLD_AFTER_S = 10.0


def overview_of(rollout: Rollout, now: datetime) -> Overview:
    """Return what a terminal shows of a rollout."""
    status, view = rollout.status, under_way(rollout, (), now)
    active = status.is_active
    return Overview(
        name=rollout.metadata.name,
        versions=_versions(status, view),
        headline=view.headline,
        tone=view.tone,
        active=active,
        tries=status.latest.retries,
        started_at=view.started_at.timestamp() if view.started_at else None,
        message=view.message,
        next=view.next,
        left=view.outlook.left(now),
        steps=tuple((step.label, step.state) for step in view.steps) if active or view.tone == "bad" else (),
        weight=_weight(view),
        kpis=tuple(_kpi(view, kpi) for kpi in view.kpis),
        arms=(view.candidate, view.previous),
        worse=_worse(view),
        harm_done=view.harm_done,
        harm=_harm(view),
        gates=tuple(GateOverview(gate.name, gate.state, gate.tone, gate.message) for gate in view.gates),
        conversations=tuple(_conversations(status, view)),
        state="; ".join(part for part in (view.verdicts, census(status)) if part) if active else "",
        roles=_roles(status),
        pins=str(status.pins) if status.pins else "",
        notes=tuple((note, status.blocked is not None and note == status.blocked.message) for note in view.notes),
        last=_last(status),
        untold=_untold(status, now),
        stoppable=active and status.phase not in (Phase.ROLLING_BACK, Phase.SUPERSEDING, Phase.DRAINING),
    )


def _versions(status: Status, view: ReleaseView) -> str:
    if view.candidate and (status.is_active or status.phase is Phase.ROLLED_BACK):
        return f"{view.previous} → {view.candidate}"
    return status.stable_version or "?"


def _weight(view: ReleaseView) -> WeightOverview | None:
    current = view.current
    if current is None:
        return None
    return WeightOverview(current.intended, current.label, current.state, current.seen, current.counted)


def _kpi(view: ReleaseView, kpi: KpiView) -> KpiOverview:
    left, figures = view.outlook.by_kpi.get(kpi.name), kpi.judged.figures
    needed = ""
    if left is not None and len(view.outlook.by_kpi) > 1:
        needed = "cannot be proved at this rate" if left == inf else messages.requests_left(left, view.candidate)
    bad = "" if figures.asymptotic else " bad"
    return KpiOverview(
        name=kpi.name,
        worse=kpi.worse,
        proved=kpi.proved,
        harm_done=kpi.harm_done,
        proof_done=1.0 if kpi.proved == "yes" else kpi.proof_done,
        candidate=f"{kpi.candidate}{bad if figures.all_c > 0 else ''}",
        stable=f"{kpi.stable}{bad if figures.all_s > 0 else ''}",
        problem=kpi.judged.problem,
        left=needed,
        statistics=_statistics(kpi),
    )


def _statistics(kpi: KpiView) -> str:
    """Say the numbers that the words stand for."""
    judged, figures = kpi.judged, kpi.judged.figures
    proof = "" if kpi.proof_done is None else f", proof {messages.evidence(figures.proof_e)}"
    interval = f"; 95 % interval {kpi.difference}" if judged.low is not None else ""
    allowed = f", {_limit(judged.harm_limit, judged.scale)} allowed" if judged.harm_limit is not None else ""
    frozen = ", reference: frozen" if figures.reference == "frozen" else ""
    return f"harm {messages.evidence(figures.harm_e)}{proof}, phi {figures.phi:.1f}{interval}{allowed}{frozen}"


def _limit(limit: float, scale: str) -> str:
    match scale:
        case "rate":
            return f"up to {messages.percent(limit)}"
        case "relative":
            return f"{limit * 100:+.0f} %"
        case _:
            return f"{limit * 100:+.1f} pp"


def _worse(view: ReleaseView) -> str:
    """Say whether the candidate is worse over all KPIs: that is what a rollback is decided by."""
    if view.harm_done >= 1.0:
        return "yes"
    judged = any(kpi.worse in ("yes", "no", "suspected") and not kpi.judged.advisory for kpi in view.kpis)
    return "no" if judged else "not known"


def _untold(status: Status, now: datetime) -> str:
    """Say whom news has not reached that is more than news: it was tried, and is tried again."""
    late = [notice for notice in status.notices if (now - notice.at).total_seconds() > UNTOLD_AFTER_S]
    targets = dict.fromkeys(target for notice in late for target in notice.pending)
    kinds = dict.fromkeys(notice.kind for notice in late)
    return f"{messages.listed(targets)} could not be told yet of {messages.listed(kinds)}" if late else ""


def _harm(view: ReleaseView) -> str:
    needed = f"harm {messages.evidence(view.harm_e)} of {messages.evidence(view.harm_needed_e)} that a rollback needs"
    return f"{needed}; proof needs {messages.evidence(view.proof_needed_e)} of each KPI"


def _conversations(status: Status, view: ReleaseView) -> Iterator[VersionOverview]:
    for one in view.conversations:
        drain = status.draining.get(one.version) if one.role == "draining" else None
        if drain is not None:
            ends_at = drain.deadline.timestamp() if drain.deadline and not (drain.done or drain.late) else None
            yield VersionOverview(one.version, one.role, draining_text(drain), ends_at, drain.then)
        elif status.is_active:
            yield VersionOverview(one.version, one.role, f"{one.new} of new ones; started ones {one.open}")


def _roles(status: Status) -> str:
    """Say what runs behind the Services of roles, and which of them serves the stable version."""
    versions = status.role_versions
    if versions is None:
        return ""
    both = f"{versions.stable or '?'} behind the stable Service, {versions.candidate or '?'} behind the candidate's"
    return f"{both}, which serves" if versions.serving == "candidate" else both


def _last(status: Status) -> str:
    last = status.last_command
    if last is None or not status.is_active:
        return ""
    return f"{last.verb} by {last.actor}: {'' if last.accepted else 'refused: '}{last.message}"
