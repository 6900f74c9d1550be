"""What each phase does when it is its turn: one function a phase, at most one event a look."""

from __future__ import annotations

from collections.abc import Callable

from rollout.engine import endings, gates, words
from rollout.engine.advance import (
    checks_agree_before_all,
    checks_agree_before_step,
    checks_agree_before_traffic,
    spend_is_granted,
    step_is_approved,
    switch_is_approved,
    window_is_open,
    window_is_open_for_all,
)
from rollout.engine.begin import PREFLIGHT_DEADLINE_S, ask_weight, begin
from rollout.engine.books import frozen
from rollout.engine.closed import Closed, Gate, first_closed
from rollout.engine.draft import Draft
from rollout.engine.fitness import route_is_in_force
from rollout.engine.phases import Event
from rollout.engine.waiting import undecided, wait_or_give_up
from rollout.engine.wanting import DOWN_LOOKS, starts_by_itself
from rollout.model.status import HeldBy, Phase, Reason, Result
from rollout.model.units import FULL_BP


def move(draft: Draft) -> None:
    """Let the phase take its turn."""
    _TURNS[draft.status.phase](draft)


def _stable(draft: Draft) -> None:
    if draft.status.stable_version is None:
        _find_stable(draft)
    else:
        _start_if_wanted(draft)


def _start_if_wanted(draft: Draft) -> bool:
    """Start a rollout of the declared version, unless it is stable, was turned down, or has failed."""
    wanted, status = draft.spec.version, draft.status
    if wanted is None or draft.facts.barred or not starts_by_itself(status, wanted):
        return False
    begin(draft, Event.START, f"{wanted} is wanted, {status.stable_version} is stable", candidate=wanted, retries=0)
    return True


def _find_stable(draft: Draft) -> None:
    """The stable version, where none is recorded: all the traffic's, or the only one there is."""
    owners = {route.owner for route in draft.facts.routes}
    if draft.spec.is_local:
        owners.discard(None)  # an Envoy that has not been started yet says nothing
    if not owners and draft.spec.is_local and len(draft.facts.versions) == 1:
        owners = {draft.facts.versions[0]}
    if len(owners) == 1 and (owner := owners.pop()) is not None and owner in draft.facts.versions:
        draft.update(stable_version=owner, reason=Reason.SETTLED, message=f"{owner} is stable")
        draft.record("transition")
        return
    draft.wait(Reason.STABLE_UNKNOWN, f"which version is stable cannot be told: {_why_unknown(draft)}")


def _why_unknown(draft: Draft) -> str:
    """Say what was found, never a guess at something else."""
    if draft.spec.is_local:
        return "say which: `rollout start VERSION --stable VERSION`, or write it as spec.version"
    told = []
    for route in draft.facts.routes:
        if not route.reachable:
            told.append(f"{route.name}: {route.problem}")
        elif route.owner is None:
            seen = [f"{version} has {words.weight(share)}" for version, share in sorted((route.shares or {}).items())]
            told.append(f"{route.name}: {words.listed(seen) or 'no backend is of a version'}; give one all the weight")
        elif route.owner not in draft.facts.versions:
            told.append(f"{route.name}: {route.owner} has all the weight, and {route.owner} {draft.facts.no_backend}")
        else:
            told.append(f"{route.name}: {route.owner} has all the weight")
    return "; ".join(told)


def _rolled_back(draft: Draft) -> None:
    _start_if_wanted(draft)


def _draining(draft: Draft) -> None:
    if not _start_if_wanted(draft):
        endings.draining(draft)


def _preflight(draft: Draft) -> None:
    looked = draft.facts.round is not None
    if looked:
        _stable_is_back(draft)
    closed = first_closed(gates.PREFLIGHT if looked else gates.PREFLIGHT_BETWEEN_LOOKS, draft)
    found_by_looking = (Reason.STABLE_DOWN, Reason.NOT_READY, Reason.WAKING_UP)
    stands = closed is None or (closed.reason is Reason.STATE_UNKNOWN and draft.status.reason in found_by_looking)
    if stands and not looked:
        return  # what the last look found still stands
    if closed is not None and closed.reason is Reason.STATE_INCOMPATIBLE:
        draft.go(Event.REFUSED, closed.reason, closed.message, result=Result.STOPPED)  # no waiting mends that
        return
    if closed is None:
        draft.update(deadline=draft.later(PREFLIGHT_DEADLINE_S))  # others' checks have time limits of their own
        _checked(draft)
    elif closed.reason is Reason.STABLE_DOWN:
        _stable_is_down(draft, closed)
    elif looked and draft.status.deadline is not None and draft.now >= draft.status.deadline:
        message = f"the checks before any traffic did not pass in {words.span(PREFLIGHT_DEADLINE_S)}: {closed.message}"
        draft.go(Event.REFUSED, Reason.PREFLIGHT_FAILED, message, result=Result.STOPPED)
    else:
        draft.wait(closed.reason, closed.message)


def _stable_is_back(draft: Draft) -> None:
    """Take it back that stable may be passed, once it answers again: then the release goes its usual way."""
    stable = draft.status.stable_version or ""
    if stable in draft.facts.asleep or draft.facts.ready.get(stable):
        return
    if draft.status.stable_passed_by:
        draft.record("transition", message=f"{stable} answers again: the release goes its usual way")
        draft.update(stable_passed_by="")
    if draft.status.stable_down_looks:
        draft.update(stable_down_looks=0)


def _stable_is_down(draft: Draft, closed: Closed) -> None:
    """The candidate may be the fix: the policy, or a human, may send everything to it; nobody is locked out."""
    status = draft.status
    draft.update(stable_down_looks=status.stable_down_looks + 1)
    if draft.policy.reactions.stable_down == "promote" and draft.status.stable_down_looks >= DOWN_LOOKS:
        draft.update(stable_passed_by="the policy")
        draft.record("transition", message=f"{closed.message}. The policy says: promote past it")
    elif status.deadline is not None and draft.now >= status.deadline:
        draft.hold(HeldBy.POLICY, closed.reason, closed.message)
    else:
        draft.wait(closed.reason, closed.message)


def _checked(draft: Draft) -> None:
    """Both versions are fit; let others have their word before any traffic, unless they want to see a preview."""
    skips_preview = draft.is_preview and not draft.status.stable_passed_by
    closed = None if skips_preview else checks_agree_before_traffic(draft)
    if closed is None and draft.status.stable_passed_by:
        _past_stable(draft)
    elif closed is None:
        message = f"{draft.status.candidate_version} and {draft.status.stable_version} answer and can be told apart"
        draft.go(Event.CHECKED, Reason.CHECKING, message, wiring=draft.spec.wiring())
    elif closed.reason in (Reason.CHECK_FAILED, Reason.CHECK_LATE):
        draft.go(Event.REFUSED, closed.reason, closed.message, result=Result.STOPPED)
    else:
        draft.wait(closed.reason, closed.message)


def _past_stable(draft: Draft) -> None:
    """Send everything to the candidate: there is no stable version to compare it with, and somebody has said so."""
    status = draft.status
    message = f"{status.stable_version} is down; all traffic goes to {status.candidate_version}"
    by = status.stable_passed_by
    draft.go(Event.STABLE_PASSED, Reason.WEIGHT_PENDING, f"{message}, by {by}", wiring=draft.spec.wiring())
    draft.update(step=max(0, status.steps - 1), evidence=frozen(draft.status.evidence, draft.policy.evidence))
    ask_weight(draft, FULL_BP)


ADVANCE: tuple[Gate, ...] = (spend_is_granted, checks_agree_before_step, step_is_approved, window_is_open)
"""Before a step's weight is asked for: first what others say, which whoever approves will want to know."""

ADVANCE_TO_ALL: tuple[Gate, ...] = (
    spend_is_granted,
    checks_agree_before_all,
    switch_is_approved,
    window_is_open_for_all,
)


def _shifting(draft: Draft) -> None:
    status, step = draft.status, draft.step
    if status.traffic.asked_at is None or status.traffic.wanted_bp != step.weight_bp:
        closed = None if step.weight_bp == 0 else first_closed(ADVANCE, draft)
        if closed is not None:
            wait_or_give_up(draft, closed)
            return
        ask_weight(draft, step.weight_bp, draft.preview_header if step.weight_bp == 0 else None)
        draft.update(reason=Reason.WEIGHT_PENDING, message=f"asks for {draft.shown_step}")
        draft.record("traffic")
    elif status.traffic.applied_at is not None:
        draft.go(Event.WEIGHT_IN_FORCE, Reason.WARMING_UP, f"{draft.shown_step} is in force")
    elif (closed := route_is_in_force(draft)) is not None:
        wait_or_give_up(draft, closed)


def _observing(draft: Draft) -> None:
    by_hand = draft.status.step in draft.status.passed_by_human
    closed = first_closed(_chain(draft, by_hand=by_hand), draft)
    at_most_s = draft.step.at_most_s
    out_of_time = at_most_s is not None and draft.watched_s >= at_most_s
    if closed is None:
        _pass_step(draft, "by hand" if by_hand else "")
    elif closed.reason is Reason.COLLECTING and at_most_s is not None and out_of_time:
        if undecided(draft, closed, at_most_s):
            _pass_step(draft, "undecided, as the policy allows")
    else:
        wait_or_give_up(draft, closed)


def _chain(draft: Draft, *, by_hand: bool) -> tuple[Gate, ...]:
    if draft.is_preview:
        return gates.PREVIEW_BY_HAND if by_hand else gates.PREVIEW
    return (route_is_in_force,) if by_hand else gates.STEP


def _pass_step(draft: Draft, how: str) -> None:
    """Go on to the next step; after the last one everything moves, once whoever has a say agrees."""
    status = draft.status
    message = f"{draft.shown_step} passed, {how}" if how else f"{draft.shown_step} passed"
    if not draft.is_last_step:
        draft.go(Event.STEP_PASSED, Reason.WEIGHT_PENDING, message, step=status.step + 1)
        return
    closed = first_closed(ADVANCE_TO_ALL, draft)
    if closed is not None:
        wait_or_give_up(draft, closed)
        return
    draft.update(evidence=frozen(draft.status.evidence, draft.policy.evidence))
    draft.go(Event.LAST_STEP_PASSED, Reason.WEIGHT_PENDING, f"{message}; next is all traffic to the candidate")
    ask_weight(draft, FULL_BP)


def _paused(draft: Draft) -> None:
    if draft.status.held_by is HeldBy.SPEC and not draft.spec.paused:
        draft.go(Event.RESUME, Reason.CHECKING, "spec.paused is false again")


def _frozen(_: Draft) -> None:
    """Nothing moves by itself: only abort or retry."""


_TURNS: dict[Phase, Callable[[Draft], None]] = {
    Phase.STABLE: _stable,
    Phase.PREFLIGHT: _preflight,
    Phase.SHIFTING: _shifting,
    Phase.OBSERVING: _observing,
    Phase.BAKING: endings.baking,
    Phase.DRAINING: _draining,
    Phase.ROLLING_BACK: endings.rolling_back,
    Phase.ROLLED_BACK: _rolled_back,
    Phase.PAUSED: _paused,
    Phase.FROZEN: _frozen,
    Phase.SUPERSEDING: endings.superseding,
}
