"""What people ask for in mid-flight. Each command is carried out at most once; a stale one is refused with a reason."""

from __future__ import annotations

from collections.abc import Callable

from rollout.engine.begin import ask_weight, begin
from rollout.engine.draft import Draft
from rollout.engine.evidence import fresh
from rollout.engine.facts import Command
from rollout.engine.phases import Event, allows
from rollout.model.status import COMMANDS_KEPT, CommandOutcome, HeldBy, Phase, Reason, Result

Carry = Callable[[Draft, Command], str]
"""Carries a command out and returns what became of it; raises `Refused` with the reason."""


class Refused(Exception):  # noqa: N818
    """A command that cannot be carried out now."""


def carry_all(draft: Draft) -> None:
    """Carry out the pending commands, abort before all others, then the oldest first."""
    for command in sorted(draft.facts.commands, key=lambda each: (each.verb != "abort", each.at, each.id)):
        if command.id in draft.status.handled:
            continue
        try:
            _expected(draft, command)
            message, accepted = _VERBS[command.verb](draft, command), True
        except Refused as refused:
            message, accepted = str(refused), False
        outcome = CommandOutcome(
            id=command.id,
            verb=command.verb,
            actor=command.actor,
            reason=command.reason,
            accepted=accepted,
            message=message,
            at=draft.now,
        )
        draft.update(last_command=outcome, handled=(*draft.status.handled, command.id)[-COMMANDS_KEPT:])
        said = "" if accepted else "refused: "
        draft.record("command", actor=command.actor, message=f"{command.verb}: {said}{message}")


def _expected(draft: Draft, command: Command) -> None:
    """Refuse a command that was meant for another moment. An abort is never too late."""
    if command.verb == "abort":
        return
    status = draft.status
    if command.phase is not None and command.phase != status.phase:
        raise Refused(f"it was meant for {command.phase}, but the rollout is {status.phase} by now")
    if command.step is not None and command.step != status.step:
        raise Refused(f"it was meant for step {command.step + 1}, but step {status.step + 1} is in force by now")


def _because(command: Command) -> str:
    return f"by {command.actor}" + (f": {command.reason}" if command.reason else "")


def _abort(draft: Draft, command: Command) -> str:
    if draft.status.phase is Phase.ROLLING_BACK:
        return "already rolling back"
    if not allows(draft.status.phase, Event.ROLL_BACK):
        raise Refused(f"nothing to abort: the rollout is {draft.status.phase}")
    message = f"aborted {_because(command)}"
    draft.go(Event.ROLL_BACK, Reason.ABORTED, message, actor=command.actor, result=Result.ABORTED)
    return f"all new conversations go back to {draft.status.stable_version}"


def _pause(draft: Draft, command: Command) -> str:
    if draft.status.phase is Phase.PAUSED:
        raise Refused(f"it is paused already: {draft.status.message}")
    if not allows(draft.status.phase, Event.HOLD):
        raise Refused(f"nothing to pause: the rollout is {draft.status.phase}")
    draft.hold(HeldBy.HUMAN, Reason.PAUSED_BY_HUMAN, f"paused {_because(command)}", actor=command.actor)
    return "the weight stays as it is; harm is still watched for"


def _resume(draft: Draft, command: Command) -> str:
    status = draft.status
    if status.phase is not Phase.PAUSED:
        raise Refused(f"it is not paused: the rollout is {status.phase}")
    if status.held_by is HeldBy.APPROVAL:
        raise Refused("it waits for an approval: use approve")
    if status.held_by is HeldBy.SPEC:
        raise Refused("spec.paused is true: set it to false")
    if status.reason in (Reason.WORSE, Reason.CANDIDATE_DOWN):
        raise Refused("the evidence that it is worse stands: abort it, or promote the step knowingly")
    renewed = {name: state.model_copy(update={"idle_s": 0.0}) for name, state in status.evidence.items()}
    window = draft.now if status.reason is Reason.UNDECIDED else status.window_since
    draft.go(
        Event.RESUME,
        Reason.CHECKING,
        f"resumed {_because(command)}",
        actor=command.actor,
        evidence=renewed,
        window_since=window,
        trouble=None,
        trouble_since=None,
        traffic=status.traffic.model_copy(update={"asked_at": draft.now}),
    )
    return "goes on"


def _approve(draft: Draft, command: Command) -> str:
    status = draft.status
    if status.phase is not Phase.PAUSED or status.held_by is not HeldBy.APPROVAL:
        raise Refused("no approval is waited for")
    message = f"step {status.step + 1} approved {_because(command)}"
    approved = (*status.approved, status.step)
    draft.go(Event.RESUME, Reason.CHECKING, message, actor=command.actor, approved=approved)
    return message


def _promote(draft: Draft, command: Command) -> str:
    status = draft.status
    where = status.resume_to if status.phase is Phase.PAUSED else status.phase
    if status.phase is Phase.PAUSED and status.held_by is HeldBy.APPROVAL:
        raise Refused("it waits for an approval: use approve")
    if where not in (Phase.OBSERVING, Phase.BAKING):
        raise Refused(f"no step to pass: the rollout is {where}")
    passed = status.steps if where is Phase.BAKING else status.step
    draft.update(passed_by_human=(*status.passed_by_human, passed))
    message = f"passed by hand {_because(command)}"
    if status.phase is Phase.PAUSED:
        draft.go(Event.RESUME, Reason.CHECKING, message, actor=command.actor)
    return "this step is passed without waiting for its evidence"


def _retry(draft: Draft, command: Command) -> str:
    status = draft.status
    if status.phase is Phase.ROLLED_BACK:
        if draft.spec.version != status.candidate_version:
            raise Refused(f"{status.candidate_version} is not the wanted version any more")
        begin(draft, Event.RETRY, f"tried again {_because(command)}", retries=status.retries + 1)
        return f"{status.candidate_version} starts again, with half the budget for false rollbacks"
    if status.phase is Phase.FROZEN:
        draft.update(evidence=fresh(draft.policy), harm_e=1.0, culprits=(), environment=(), passed_by_human=())
        message = f"thawed {_because(command)}"
        draft.go(Event.RETRY, Reason.CHECKING, message, actor=command.actor, retries=status.retries + 1)
        ask_weight(draft, min(draft.step.weight_bp, status.traffic.wanted_bp))
        return "goes on at this step with fresh evidence and half the budget for false rollbacks"
    raise Refused(f"nothing to try again: the rollout is {status.phase}")


_VERBS: dict[str, Carry] = {
    "abort": _abort,
    "pause": _pause,
    "resume": _resume,
    "approve": _approve,
    "promote": _promote,
    "retry": _retry,
}
