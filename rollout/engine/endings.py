"""How rollouts end: the bake, the drain, the way back. One function a phase, at most one event a look."""

from __future__ import annotations

from rollout.engine import gates, words
from rollout.engine.adopting import removable
from rollout.engine.advance import checks_agree_before_promotion
from rollout.engine.closed import first_closed
from rollout.engine.draft import Draft
from rollout.engine.fitness import route_is_in_force
from rollout.engine.phases import Event
from rollout.engine.route import is_restored, wanted_route
from rollout.engine.waiting import undecided, wait_or_give_up
from rollout.engine.wanting import failed_after
from rollout.model.status import Reason, Result, Traffic


def baking(draft: Draft) -> None:
    status = draft.status
    by_hand = status.steps in status.passed_by_human
    chain = gates.BAKE_AFTER_SWITCH if draft.way.switches and draft.way.proves else gates.BAKE
    if status.stable_passed_by:
        chain = gates.BAKE_PAST_STABLE
    closed = first_closed((route_is_in_force, checks_agree_before_promotion) if by_hand else chain, draft)
    at_most_s = draft.way.bake.at_most_s
    if closed is None:
        _promote(draft)
    elif closed.reason is Reason.COLLECTING and at_most_s and draft.watched_s >= at_most_s:
        undecided(draft, closed, at_most_s)
    else:
        wait_or_give_up(draft, closed)


def _promote(draft: Draft) -> None:
    status, standby_s = draft.status, draft.way.standby_s
    new, old = status.candidate_version, status.stable_version
    draft.go(
        Event.BAKED,
        Reason.PROMOTED,
        _promoted(draft),
        stable_version=new,
        previous_version=old,
        failed={version: tries for version, tries in status.failed.items() if version != new},
        result=Result.PROMOTED,
        deadline=draft.later(draft.policy.drain.deadline_s),
        standby_until=draft.later(standby_s) if standby_s else None,
    )
    for warning in status.warnings:
        draft.record("traffic", message=f"{new} is promoted, and still: {warning}", reason=Reason.PROMOTED)


def _promoted(draft: Draft) -> str:
    status = draft.status
    candidate, stable = status.candidate_version or "", status.stable_version or ""
    told = [
        words.compared(name, state.model_copy(update={"frozen_bound": None}), candidate, stable)
        for name, state in status.evidence.items()
        if state.all_c + state.all_s > 0
    ]
    how = f" by hand ({words.listed(status.promoted_by)})" if status.passed_by_human else ""
    if status.stable_passed_by:
        how = f" past {stable}, which was down, by {status.stable_passed_by}"
    return f"{candidate} is promoted{how}. {'; '.join(told)}".strip()


def draining(draft: Draft) -> None:
    status = draft.status
    old = status.previous_version or ""
    active = sum(route.active.get(old, 0) for route in draft.facts.routes)
    reachable = all(route.reachable for route in draft.facts.routes)
    late = status.deadline is not None and draft.now >= status.deadline
    wanted, adopted = wanted_route(status), any(route.is_adopted for route in draft.facts.routes)
    restored = wanted is None or is_restored(wanted, draft.facts.routes, leaving=draft.facts.leaving)
    if late or (active == 0 and (restored if adopted else reachable)):
        told = f"no request is left on {old}"
        if active:
            told = f"the drain's time is over; {active} requests on {old} are left to end"
        draft.go(Event.DRAINED, Reason.PROMOTED, told, traffic=Traffic())
        draft.update(message=status.message)
    elif active:
        draft.update(reason=Reason.DRAINING, next=f"{active} requests are still under way on {old}")


def rolling_back(draft: Draft) -> None:
    _to_stable(draft)
    if _stable_has_all(draft) and not (draft.facts.leaving and removable(draft)):
        result = draft.status.result or Result.ROLLED_BACK
        why = draft.status.message
        draft.go(Event.RESTORED, draft.status.reason, _restored(draft), result=result)
        draft.update(message=why)
        if result is Result.ROLLED_BACK:
            draft.update(failed=failed_after(draft.status, always=True))


def superseding(draft: Draft) -> None:
    _to_stable(draft)
    if _stable_has_all(draft):
        draft.go(Event.RESTORED, Reason.SUPERSEDED, _restored(draft), candidate_version=None, traffic=Traffic())


def _restored(draft: Draft) -> str:
    """Say what is back; what a route gives to others than our versions was never this release's to take back."""
    beside = [f"{route.name}: {route.problem}" for route in draft.facts.routes if route.reachable and route.problem]
    if not beside:
        return f"all traffic is back on {draft.status.stable_version}"
    return f"all that the candidate had is back on {draft.status.stable_version}, but {words.listed(beside)}"


def _to_stable(draft: Draft) -> None:
    """Ask for the candidate's weight to be 0. Nothing can stand in the way: no gate, no metrics, no store."""
    if draft.status.traffic.wanted_bp != 0 or draft.status.traffic.preview_header is not None:
        draft.update(traffic=Traffic(wanted_bp=0, asked_at=draft.now), window_since=None)


def _stable_has_all(draft: Draft) -> bool:
    """Whether the route sends everything to stable, seen after we asked for it: a weight may still be on its way."""
    wanted, asked_at = wanted_route(draft.status), draft.status.traffic.asked_at
    if wanted is None or asked_at == draft.now:
        return False
    adopted = any(route.is_adopted for route in draft.facts.routes)
    if adopted and asked_at is None:
        return True  # it was never moved
    return is_restored(wanted, draft.facts.routes, leaving=draft.facts.leaving)
