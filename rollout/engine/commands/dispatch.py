"""What people ask for in mid-flight. Each command is carried out at most once; a stale one is refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rollout.engine.check_runs import forget_late
from rollout.engine.commands.answer import SPEC_PAUSED, CommandRefused, because
from rollout.engine.commands.approve import approve
from rollout.engine.commands.drain import drain
from rollout.engine.commands.promote import compare_anew, promote
from rollout.engine.commands.retry import is_under_way, retry
from rollout.engine.commands.undo import undo
from rollout.engine.context import PlanContext
from rollout.engine.eligibility import failed_after, is_harmful
from rollout.engine.facts import Command
from rollout.engine.gates.evidence import reference_is_known
from rollout.engine.identities import accept_drift
from rollout.engine.start import PREFLIGHT_DEADLINE_S, open_window
from rollout.engine.transitions import Event, allows
from rollout.model.status.decision import CommandOutcome
from rollout.model.status.evidence import PinArrival, TrafficEvidence
from rollout.model.status.status import ANSWERS_KEPT, COMMANDS_KEPT, Status
from rollout.model.status.vocabulary import HeldBy, Phase, Reason, Result

Carry = Callable[[PlanContext, Command], str]
"""Carries a command out and returns what became of it; raises `CommandRefused` with the reason."""


def carry_all(context: PlanContext) -> None:
    """Carry out the pending commands, abort before all others, then the oldest first."""
    waiting = [command for command in context.facts.commands if command.id not in context.status.handled]
    waiting.sort(key=lambda item: (item.verb != "abort", item.at, item.id))
    # No more than the ring of handled ids holds: the rest waits for the next turn, and none is carried out twice.
    for command in waiting[:COMMANDS_KEPT]:
        try:
            _expected(context, command)
            message, accepted = _VERBS[command.verb](context, command), True
        except CommandRefused as refused:
            message, accepted = str(refused), False
        outcome = _outcome(command, message, accepted=accepted, at=context.now)
        context.answers.append(outcome)
        context.update(
            last_command=outcome,
            answers=(*context.status.answers, outcome)[-ANSWERS_KEPT:],
            handled=_kept(context, command.id),
        )
        answer = message if accepted else f"refused: {message}"
        context.record(
            "command",
            actor=command.actor,
            message=f"{command.verb}: {answer}",
            verb=command.verb,
            refused=not accepted,
        )


def refused(status: Status, waiting: tuple[Command, ...], why: str, now: datetime) -> Status:
    """Return a status in which commands are answered with a refusal, where no rollout can be planned at all."""
    for command in waiting[:COMMANDS_KEPT]:
        outcome = _outcome(command, why, accepted=False, at=now)
        changes = {"last_command": outcome, "answers": (*status.answers, outcome)[-ANSWERS_KEPT:]}
        status = status.model_copy(update={**changes, "handled": (*status.handled, command.id)[-COMMANDS_KEPT:]})
    return status


def _outcome(command: Command, message: str, *, accepted: bool, at: datetime) -> CommandOutcome:
    return CommandOutcome(
        id=command.id,
        verb=command.verb,
        actor=command.actor,
        reason=command.reason,
        accepted=accepted,
        message=message,
        at=at,
    )


def _kept(context: PlanContext, newest: str) -> tuple[str, ...]:
    """Return the ring of handled ids; what is still asked for is forgotten last, or it would be carried out again."""
    asked = {command.id for command in context.facts.commands}
    ring = (*context.status.handled, newest)
    over = max(0, len(ring) - COMMANDS_KEPT)
    forgotten = [id_ for id_ in ring[:-1] if id_ not in asked][:over]
    return tuple(id_ for id_ in ring if id_ not in forgotten)[-COMMANDS_KEPT:]


def _expected(context: PlanContext, command: Command) -> None:
    """Refuse a command that was meant for another moment, or an undo for another version.

    An abort is never late, and a drain names its version.
    """
    if command.verb in ("abort", "drain"):
        return
    if command.verb == "undo":
        if command.version not in (None, context.status.stable_version):
            raise CommandRefused(
                f"the command is to undo {command.version}, but {context.status.stable_version} is stable now"
            )
        return
    status, release = context.status, context.release
    if command.verb == "retry" and is_under_way(context, command):
        return
    if command.phase is not None and command.phase != status.phase:
        raise CommandRefused(f"the command is for {command.phase}, but the release is now {status.phase}")
    if command.plan is not None and release.policy is not None and command.plan != release.policy.digest:
        raise CommandRefused("the command is for another release, which has another policy")
    if command.step is not None and command.step != release.step:
        raise CommandRefused(
            f"the command is for step {command.step + 1}, but the release is now at step {release.step + 1}"
        )


def _abort(context: PlanContext, command: Command) -> str:
    if context.status.phase is Phase.ROLLING_BACK:
        return "already rolling back"
    if not allows(context.status.phase, Event.ROLL_BACK):
        return _nothing_to_abort(context.status)
    message = f"aborted {because(command)}"
    context.go(
        Event.ROLL_BACK,
        Reason.ABORTED,
        message,
        actor=command.actor,
        release=context.changed(result=Result.ABORTED),
        declined_version=context.spec.version,
        failed=failed_after(context.status),
    )
    return f"all new conversations go back to {context.status.stable_version}"


def _nothing_to_abort(status: Status) -> str:
    """Say so: what was asked for holds already. Refused where the release is over, and its version has the traffic."""
    if status.latest.result is Result.PROMOTED and status.previous_version:
        raise CommandRefused(_promoted(status))
    where = f"all conversations are on {status.stable_version}" if status.stable_version else "no version is stable"
    return f"nothing to abort: the rollout is {status.phase}, {where}"


def _promoted(status: Status) -> str:
    return f"nothing to abort: {status.stable_version} is promoted already; to go back: rollout undo"


def _pause(context: PlanContext, command: Command) -> str:
    if context.status.phase is Phase.PAUSED:
        raise CommandRefused(f"it is paused already: {context.status.message}")
    if not allows(context.status.phase, Event.HOLD):
        raise CommandRefused(f"nothing to pause: the rollout is {context.status.phase}")
    context.hold(HeldBy.HUMAN, Reason.PAUSED_BY_HUMAN, f"paused {because(command)}", actor=command.actor)
    return "the weight stays. Harm is still judged"


def _resume(context: PlanContext, command: Command) -> str:
    status = context.status
    if status.phase is not Phase.PAUSED:
        raise CommandRefused(f"it is not paused: the rollout is {status.phase}")
    if status.held_by is HeldBy.APPROVAL:
        raise CommandRefused("it waits for an approval: use approve")
    if status.held_by is HeldBy.SPEC:
        raise CommandRefused(SPEC_PAUSED)
    if is_harmful(status):
        raise CommandRefused("the evidence still shows harm. Abort the release, or promote the step to accept the harm")
    if status.reason is Reason.UNDECIDED and status.resume_to is Phase.BAKING and reference_is_known(context):
        raise CommandRefused("more time brings no evidence. Promote the step to accept this, or abort the release")
    context.go(Event.RESUME, Reason.CHECKING, f"resumed {because(command)}", actor=command.actor)
    _refresh(context, status.reason)
    return "the release continues"


def _refresh(context: PlanContext, held_for: Reason) -> None:
    """Let what a pause was for begin anew, so that it does not pause again at once for the same past."""
    status = context.status
    renewed = {name: state.changed(idle_s=0.0) for name, state in context.release.evidence.items()}
    off_since = context.now if context.release.traffic.off_since else None
    context.update_release(evidence=renewed, trouble=None, trouble_since=None)
    context.update_traffic(off_since=off_since, effective="unconfirmed")
    if status.phase is Phase.PREFLIGHT:
        context.update_release(deadline=context.later(PREFLIGHT_DEADLINE_S), next_sample_at=None)
    elif held_for is Reason.TRAFFIC_NOT_SHIFTING:
        context.update_release(split=TrafficEvidence())
        open_window(context)
    elif held_for is Reason.UNDECIDED:
        context.update_release(window_since=context.now)
    elif held_for is Reason.IDENTITY_CHANGED:
        accept_drift(context)
    elif held_for is Reason.CHECK_LATE:
        forget_late(context)
    elif held_for is Reason.RESPONSES_DIFFER:
        compare_anew(context)
    elif held_for is Reason.PINS_LOST:
        context.update_release(arrival=PinArrival())
    elif held_for is Reason.SPEND:
        context.update_release(spend_allowed=context.release.spent)


_VERBS: dict[str, Carry] = {
    "abort": _abort,
    "pause": _pause,
    "resume": _resume,
    "approve": approve,
    "promote": promote,
    "retry": retry,
    "undo": undo,
    "drain": drain,
}
