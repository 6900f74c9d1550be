"""`plan`: the one function that decides. It performs no I/O, reads no clock and draws no random number.

    observe -> plan -> apply -> verify -> record

The same facts always give the same plan; the daemon, the CLI, the property tests and the crash tests all call this.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rollout.engine import messages
from rollout.engine.commands.dispatch import carry_all
from rollout.engine.context import PlanContext
from rollout.engine.effects import Effect, SetWeight
from rollout.engine.eligibility import failed_after, starts_by_itself
from rollout.engine.facts import Facts, RouteFacts
from rollout.engine.gates.checks import follow
from rollout.engine.gates.evidence import reference_is_known
from rollout.engine.phases.turns import take_turn
from rollout.engine.rollback.triggers import react
from rollout.engine.routes.adoption import add_backends, leave, note_identities, note_routes, wake
from rollout.engine.routes.blocked import note_blocked
from rollout.engine.routes.wanted import in_force, is_as_wanted, is_restored, wanted_route
from rollout.engine.sampling import look, wrong_split
from rollout.engine.start import open_window
from rollout.engine.state.compatibility import note_state
from rollout.engine.transitions import OBSERVED, Event, allows
from rollout.model.api.policy import PolicySpec
from rollout.model.rollout import Rollout
from rollout.model.status.decision import Decision
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import HeldBy, Phase, Reason, Result

DRIFTS_MAX = 5
"""A foreign edit of our weights is put back this often, then the rollout freezes: somebody means it."""

AT_ONCE_S = 0.05
"""How soon to look again after something changed."""

IDLE_S = 1.0
"""How soon to look for commands and for the router's answer when nothing changes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from what was observed.

    status: to be written before any effect. effects: in order, idempotent. decisions: for the full record.
    again_s: when to look again, in seconds.
    """

    status: Status
    effects: tuple[Effect, ...]
    decisions: tuple[Decision, ...]
    again_s: float


def is_look_due(status: Status, now: datetime) -> bool:
    """Whether counters are to be read now: in time, or because the clock has stepped back."""
    if status.phase not in OBSERVED:
        return False
    stepped_back = status.latest.sampled_at is not None and now < status.latest.sampled_at
    return stepped_back or status.latest.next_sample_at is None or now >= status.latest.next_sample_at


def plan(rollout: Rollout, policy: PolicySpec, facts: Facts, now: datetime) -> Plan:
    """Decide what follows from the facts.

    policy: as declared now; once a rollout has begun the pinned one in `rollout.status` is in force instead.
    now: an aware time. Raises nothing: bad facts are facts.
    """
    context = PlanContext(rollout, policy, facts, now)
    carry_all(context)
    _follow_spec(context)
    note_routes(context)
    note_identities(context)
    _follow_traffic(context)
    follow(context)
    note_state(context)
    look(context)
    react(context)
    take_turn(context)
    note_blocked(context)
    context.update(next=_next(context))
    effects = _effects(context)
    status = context.finish(effects)
    again_s = _again_s(rollout.status, status, effects, now, sampling=facts.sampling)
    return Plan(status, effects, tuple(context.decisions), again_s)


def _follow_spec(context: PlanContext) -> None:
    """React to what is declared: another version, or a pause."""
    wanted = context.spec.version
    if context.status.declined_version not in (None, wanted):
        context.update(declined_version=None)  # somebody has changed their mind: the next time it is wanted anew
    status = context.status
    if (
        status.is_active
        and wanted is not None
        and wanted not in (status.candidate_version, status.declined_version)
        and (not context.release.undoing or starts_by_itself(status, wanted))
        and status.phase not in (Phase.SUPERSEDING, Phase.ROLLING_BACK, Phase.DRAINING)
    ):
        message = f"{wanted} is wanted instead of {status.candidate_version}: first back to {status.stable_version}"
        context.go(Event.SUPERSEDE, Reason.SUPERSEDED, message, failed=failed_after(status))
    elif context.spec.paused and status.phase is not Phase.PAUSED and allows(status.phase, Event.HOLD):
        context.hold(HeldBy.SPEC, Reason.PAUSED_BY_HUMAN, "spec.paused is true")


def _follow_traffic(context: PlanContext) -> None:
    """Notice that a weight came into force, or that somebody else changed it."""
    wanted, traffic = wanted_route(context.status), context.release.traffic
    if wanted is None or not context.status.is_active or wanted.candidate is None:
        return
    if in_force(wanted, context.facts.routes):
        if traffic.applied_at is None:
            changes = {"applied_at": context.now, "applied_bp": wanted.candidate_bp, "off_since": None}
            context.update_release(traffic=traffic.model_copy(update=changes))
            if context.release.window_since is not None:
                open_window(context)
        elif traffic.off_since is not None and not wrong_split(context.status):
            context.update_release(traffic=traffic.model_copy(update={"off_since": None}))
            context.record("traffic", message=f"the route is as wanted again: {wanted}")
        return
    down = [route for route in context.facts.routes if not route.reachable]
    foreign = [route for route in context.facts.routes if route.reachable and not is_as_wanted(wanted, route)]
    if traffic.off_since is None:
        traffic = traffic.model_copy(update={"off_since": context.now})
        context.update_release(traffic=traffic)
        if down:
            says = "does not answer" if down[0].reason is Reason.ROUTER_DOWN else "cannot be used"
            context.record("traffic", message=f"the route {down[0].name} {says}: {down[0].problem}")
    if traffic.applied_at is not None and foreign and not down:
        _put_back(context, wanted)


def _put_back(context: PlanContext, wanted: SetWeight) -> None:
    """Answer a foreign edit: put the weight back a few times, then freeze."""
    traffic = context.release.traffic
    drifts = traffic.drifts + 1
    context.update_release(traffic=traffic.model_copy(update={"applied_at": None, "drifts": drifts}))
    seen = "; ".join(_seen(route) for route in context.facts.routes)
    message = f"somebody else changed the route ({seen}); wanted: {wanted}"
    if drifts > DRIFTS_MAX and allows(context.status.phase, Event.FREEZE):
        context.go(Event.FREEZE, Reason.WEIGHT_DRIFT, f"{message}; put back {DRIFTS_MAX} times in vain")
    else:
        context.record("traffic", message=message)


def _seen(route: RouteFacts) -> str:
    if route.shares is None:
        return f"{route.name} has {route.candidate or 'no candidate'} at {messages.weight(route.candidate_bp or 0)}"
    shares = [f"{version} at {messages.weight(share)}" for version, share in sorted(route.shares.items())]
    return f"{route.name} has {messages.listed(shares) or 'no version of ours'}"


def _effects(context: PlanContext) -> tuple[Effect, ...]:
    """Return what brings the world to where the status wants it; nothing where it is there already."""
    woken = wake(context)
    wanted = wanted_route(context.status)
    if any(route.is_adopted for route in context.facts.routes) and not context.status.is_active:
        return leave(context, wanted)  # at rest a route belongs to those whose it is
    return (*woken, *_route_effects(context, wanted))


def _route_effects(context: PlanContext, wanted: SetWeight | None) -> tuple[Effect, ...]:
    if wanted is None:
        return ()
    going_back = context.status.phase in (Phase.ROLLING_BACK, Phase.SUPERSEDING)
    if going_back and context.release.traffic.asked_at == context.now:
        return (wanted,)  # also where the route looks right already: what we asked before may not have arrived yet
    if context.facts.leaving and context.status.phase is Phase.ROLLING_BACK:
        return leave(context, wanted) if is_restored(wanted, context.facts.routes, leaving=True) else (wanted,)
    if in_force(wanted, context.facts.routes):
        return ()
    if any(route.is_adopted for route in context.facts.routes):
        if context.status.phase is Phase.PREFLIGHT:
            return add_backends(context, wanted)
        if all(route.gone or (route.reachable and is_as_wanted(wanted, route)) for route in context.facts.routes):
            return ()  # written: whoever carries the route out has to take it up
    frozen_by_drift = context.status.phase is Phase.FROZEN and all(route.reachable for route in context.facts.routes)
    return () if frozen_by_drift else (wanted,)


def _next(context: PlanContext) -> str:
    """Say what comes next, for people."""
    status, steps, release = context.status, context.strategy.steps, context.release
    match status.phase:
        case Phase.PREFLIGHT:
            return f"then {context.shown_step}"
        case Phase.SHIFTING | Phase.OBSERVING if context.is_last_step:
            return f"then all traffic to {status.candidate_version}"
        case Phase.SHIFTING | Phase.OBSERVING:
            return f"then step {release.step + 2}: {messages.weight(steps[release.step + 1].weight_bp)}"
        case Phase.BAKING:
            return f"then {status.candidate_version} is promoted"
        case Phase.PAUSED if status.held_by is HeldBy.APPROVAL:
            return "rollout approve, or rollout abort"
        case Phase.PAUSED if status.held_by is HeldBy.SPEC:
            return "set spec.paused to false, or rollout abort"
        case Phase.PAUSED if status.reason is Reason.STABLE_DOWN:
            return f"rollout promote --reason … sends everything to {status.candidate_version}, or rollout abort"
        case Phase.PAUSED if status.reason in (Reason.WORSE, Reason.CANDIDATE_DOWN):
            return "rollout abort, or rollout promote to pass the step knowingly"
        case Phase.PAUSED if (
            status.reason is Reason.UNDECIDED and status.resume_to is Phase.BAKING and reference_is_known(context)
        ):  # no time helps
            return "rollout promote to pass it knowingly, or rollout abort"
        case Phase.PAUSED:
            return "rollout resume, or rollout abort"
        case Phase.FROZEN:
            return "rollout abort, or rollout retry"
        case Phase.ROLLING_BACK | Phase.SUPERSEDING:
            return f"all new conversations go to {status.stable_version}"
        case Phase.ROLLED_BACK if release.result is Result.UNDONE:
            return f"start another version, or rollout retry for {status.candidate_version}"
        case Phase.ROLLED_BACK:
            return "rollout retry, or start another version"
        case Phase.STABLE if context.spec.version in status.failed:
            return f"{context.spec.version} failed before: rollout retry, or declare another version"
        case Phase.STABLE if context.is_standby:
            until = f"{status.standby_until:%Y-%m-%d %H:%M}Z"
            return f"{status.previous_version} stays ready until {until}: rollout undo goes back at once"
        case Phase.DRAINING:
            return status.next
        case _:
            return ""


def _again_s(before: Status, after: Status, effects: tuple[Effect, ...], now: datetime, *, sampling: bool) -> float:
    if before.phase is not after.phase or before.latest.traffic.wanted_bp != after.latest.traffic.wanted_bp:
        return AT_ONCE_S
    if effects:
        return IDLE_S / 4
    if sampling or after.latest.next_sample_at is None or after.phase not in OBSERVED:
        return IDLE_S
    return min(IDLE_S, max(AT_ONCE_S, (after.latest.next_sample_at - now).total_seconds()))
