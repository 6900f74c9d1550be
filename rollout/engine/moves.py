"""What each phase does when it is its turn: one function a phase, at most one event a look."""

from __future__ import annotations

from collections.abc import Callable

from rollout.engine import gates, words
from rollout.engine.begin import PREFLIGHT_DEADLINE_S, ask_weight, begin
from rollout.engine.draft import Draft
from rollout.engine.evidence import frozen
from rollout.engine.gates import Closed
from rollout.engine.phases import Event
from rollout.engine.route import in_force, wanted_route
from rollout.model.status import HeldBy, Phase, Reason, Result, Traffic
from rollout.model.units import FULL_BP

TRAFFIC_TIMEOUT_S = 120.0
"""A weight that is not in force, or refuted by the requests, for this long needs a human."""


def move(draft: Draft) -> None:
    """Let the phase take its turn."""
    _TURNS[draft.status.phase](draft)


def _stable(draft: Draft) -> None:
    wanted, status = draft.spec.version, draft.status
    if status.stable_version is None:
        _find_stable(draft)
    elif wanted is not None and wanted not in (status.stable_version, status.declined_version):
        begin(draft, Event.START, f"{wanted} is wanted, {status.stable_version} is stable", retries=0)


def _find_stable(draft: Draft) -> None:
    """The stable version, where none is recorded: all the traffic's, or the only one there is."""
    owners = {
        route.candidate if route.candidate_bp == FULL_BP else route.stable
        for route in draft.facts.routes
        if route.stable and route.candidate_bp in (None, 0, FULL_BP)
    }
    if not owners and len(draft.facts.versions) == 1:
        owners = {draft.facts.versions[0]}
    if len(owners) == 1 and (owner := owners.pop()) in draft.facts.versions:
        draft.update(stable_version=owner, reason=Reason.SETTLED, message=f"{owner} is stable")
        draft.record("transition")
        return
    remedy = "say which: `rollout start VERSION --stable VERSION`, or write it as spec.version"
    draft.wait(Reason.STABLE_UNKNOWN, f"which version is stable cannot be told; {remedy}")


def _rolled_back(draft: Draft) -> None:
    wanted, status = draft.spec.version, draft.status
    if wanted is not None and wanted not in (status.candidate_version, status.stable_version, status.declined_version):
        begin(draft, Event.START, f"{wanted} is wanted, {status.stable_version} is stable", retries=0)


def _preflight(draft: Draft) -> None:
    looked = draft.facts.round is not None
    closed = gates.first_closed(gates.PREFLIGHT if looked else gates.PREFLIGHT_BETWEEN_LOOKS, draft)
    if closed is None and not looked:
        return  # what the last look found still stands
    if closed is None:
        message = f"{draft.status.candidate_version} and {draft.status.stable_version} answer and can be told apart"
        draft.go(Event.CHECKED, Reason.CHECKING, message)
    elif looked and draft.status.deadline is not None and draft.now >= draft.status.deadline:
        message = f"the checks before any traffic did not pass in {words.span(PREFLIGHT_DEADLINE_S)}: {closed.message}"
        draft.go(Event.REFUSED, Reason.PREFLIGHT_FAILED, message, result=Result.STOPPED)
    else:
        draft.wait(closed.reason, closed.message)


def _shifting(draft: Draft) -> None:
    status, step = draft.status, draft.step
    shown = f"step {status.step + 1} of {status.steps} ({words.weight(step.weight_bp)})"
    if step.approval == "required" and status.step not in status.approved:
        draft.hold(HeldBy.APPROVAL, Reason.APPROVAL, f"{shown} waits for an approval")
    elif status.traffic.wanted_bp != step.weight_bp:
        ask_weight(draft, step.weight_bp)
        draft.update(reason=Reason.WEIGHT_PENDING, message=f"asks for {shown}")
        draft.record("traffic")
    elif status.traffic.applied_at is not None:
        draft.go(Event.WEIGHT_IN_FORCE, Reason.WARMING_UP, f"{shown} is in force")
    else:
        _await_route(draft)


def _await_route(draft: Draft) -> None:
    closed = gates.route_is_in_force(draft)
    if closed is not None:
        _wait_or_give_up(draft, closed)


def _wait_or_give_up(draft: Draft, closed: Closed) -> None:
    """Wait at a closed gate; where it is the traffic that does not move, not for ever."""
    traffic = draft.status.traffic
    lasted_s = draft.since(traffic.off_since)
    if closed.reason in _OFF and traffic.off_since is not None and lasted_s >= TRAFFIC_TIMEOUT_S:
        message = f"{closed.message}, for {words.span(lasted_s)}"
        draft.hold(HeldBy.POLICY, Reason.TRAFFIC_NOT_SHIFTING, message)
    elif closed.reason is Reason.UNDECIDED:
        draft.hold(HeldBy.POLICY, Reason.UNDECIDED, closed.message)
    else:
        draft.wait(closed.reason, closed.message)


_OFF = (Reason.WEIGHT_PENDING, Reason.ROUTER_DOWN, Reason.TRAFFIC_NOT_SHIFTING, Reason.SAMPLE_RATIO)
"""Reasons to wait that are the traffic's, not the candidate's."""


def _observing(draft: Draft) -> None:
    status = draft.status
    by_hand = status.step in status.passed_by_human
    chain = (gates.route_is_in_force,) if by_hand else gates.STEP
    closed = gates.first_closed(chain, draft)
    if closed is None:
        _pass_step(draft, "by hand" if by_hand else "")
    elif closed.reason is Reason.COLLECTING and _out_of_time(draft):
        _undecided(draft, closed)
    else:
        _wait_or_give_up(draft, closed)


def _out_of_time(draft: Draft) -> bool:
    at_most_s = draft.step.at_most_s
    return at_most_s is not None and draft.since(draft.status.window_since) >= at_most_s


def _undecided(draft: Draft, closed: Closed) -> None:
    """The step's time is over and the evidence is not in. Never into promotion without it."""
    reaction = draft.policy.reactions.undecided
    message = f"undecided after {words.span(draft.step.at_most_s or 0)}: {closed.message}"
    if reaction == "rollback":
        draft.go(Event.ROLL_BACK, Reason.UNDECIDED, message)
    elif reaction == "advance" and not draft.is_last_step:
        _pass_step(draft, "undecided, as the policy allows")
    else:
        draft.hold(HeldBy.POLICY, Reason.UNDECIDED, message)


def _pass_step(draft: Draft, how: str) -> None:
    status = draft.status
    shown = f"step {status.step + 1} of {status.steps} ({words.weight(draft.step.weight_bp)}) passed"
    message = f"{shown}, {how}" if how else shown
    if draft.is_last_step:
        draft.update(evidence=frozen(status.evidence, draft.policy.evidence))
        draft.go(Event.LAST_STEP_PASSED, Reason.WEIGHT_PENDING, f"{message}; next is all traffic to the candidate")
        ask_weight(draft, FULL_BP)
    else:
        draft.go(Event.STEP_PASSED, Reason.WEIGHT_PENDING, message, step=status.step + 1)


def _baking(draft: Draft) -> None:
    status = draft.status
    by_hand = status.steps in status.passed_by_human
    chain = (gates.route_is_in_force,) if by_hand else gates.BAKE
    closed = gates.first_closed(chain, draft)
    if closed is not None:
        _wait_or_give_up(draft, closed)
        return
    new, old = status.candidate_version, status.stable_version
    draft.go(
        Event.BAKED,
        Reason.PROMOTED,
        _promoted(draft),
        stable_version=new,
        previous_version=old,
        result=Result.PROMOTED,
        deadline=draft.later(draft.policy.drain.deadline_s),
    )


def _promoted(draft: Draft) -> str:
    status = draft.status
    candidate, stable = status.candidate_version or "", status.stable_version or ""
    told = [
        words.compared(name, state.model_copy(update={"frozen_bound": None}), candidate, stable)
        for name, state in status.evidence.items()
        if state.all_c + state.all_s > 0
    ]
    how = " by hand" if status.passed_by_human else ""
    return f"{candidate} is promoted{how}. {'; '.join(told)}"


def _draining(draft: Draft) -> None:
    status = draft.status
    old = status.previous_version or ""
    active = sum(route.active.get(old, 0) for route in draft.facts.routes)
    reachable = all(route.reachable for route in draft.facts.routes)
    late = status.deadline is not None and draft.now >= status.deadline
    if (reachable and active == 0) or late:
        told = f"no request is left on {old}"
        if active:
            told = f"the drain's time is over; {active} requests on {old} are left to end"
        draft.go(Event.DRAINED, Reason.PROMOTED, told, traffic=Traffic())
        draft.update(message=status.message)
    elif active:
        draft.update(reason=Reason.DRAINING, next=f"{active} requests are still under way on {old}")


def _rolling_back(draft: Draft) -> None:
    _to_stable(draft)
    if _stable_has_all(draft):
        result = draft.status.result or Result.ROLLED_BACK
        why = draft.status.message
        draft.go(Event.RESTORED, draft.status.reason, f"all traffic is on {draft.status.stable_version}", result=result)
        draft.update(message=why)


def _superseding(draft: Draft) -> None:
    _to_stable(draft)
    if _stable_has_all(draft):
        message = f"all traffic is back on {draft.status.stable_version}"
        draft.go(Event.RESTORED, Reason.SUPERSEDED, message, candidate_version=None, traffic=Traffic())


def _to_stable(draft: Draft) -> None:
    """Ask for the candidate's weight to be 0. Nothing can stand in the way: no gate, no metrics, no store."""
    if draft.status.traffic.wanted_bp != 0:
        draft.update(traffic=Traffic(wanted_bp=0, asked_at=draft.now), window_since=None)


def _stable_has_all(draft: Draft) -> bool:
    """Whether the route sends everything to stable, seen after we asked for it: a weight may still be on its way."""
    wanted, asked_at = wanted_route(draft.status), draft.status.traffic.asked_at
    if wanted is None or asked_at == draft.now:
        return False
    return in_force(wanted, draft.facts.routes)


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
    Phase.BAKING: _baking,
    Phase.DRAINING: _draining,
    Phase.ROLLING_BACK: _rolling_back,
    Phase.ROLLED_BACK: _rolled_back,
    Phase.PAUSED: _paused,
    Phase.FROZEN: _frozen,
    Phase.SUPERSEDING: _superseding,
}
