"""Undo: back to the version before."""

from __future__ import annotations

from rollout.engine.commands.answer import CommandRefused, because
from rollout.engine.context import PlanContext
from rollout.engine.facts import Command
from rollout.engine.start import begin
from rollout.engine.transitions import Event
from rollout.model.status.traffic import Traffic
from rollout.model.status.vocabulary import Phase, Reason, Result


def undo(context: PlanContext, command: Command) -> str:
    """Go back to the version before: at once while it is still ready, else by a rollout of its own."""
    status = context.status
    back, new = status.previous_version, status.stable_version
    if status.phase not in (Phase.STABLE, Phase.DRAINING, Phase.ROLLED_BACK):
        raise CommandRefused(f"{status.candidate_version} is not promoted yet: rollout abort sends everything back")
    if back is None and context.release.result is Result.UNDONE:
        raise CommandRefused(f"it was undone already: {new} is stable")
    if back is None or new is None:
        raise CommandRefused("no version was promoted here before, so there is none to go back to")
    if back not in context.facts.versions:
        raise CommandRefused(f"{back} {context.facts.no_backend}; then undo")
    asleep = back in context.facts.asleep
    if not asleep and (problem := context.facts.ready.get(back)):
        raise CommandRefused(f"{back} does not answer, so nothing is sent there: {problem}")
    if status.phase is not Phase.ROLLED_BACK and context.is_standby and not asleep:
        traffic = Traffic(asked_at=context.now, off_since=context.now)  # everything is where it must not stay
        context.go(
            Event.UNDO,
            Reason.UNDONE,
            f"undone {because(command)}",
            actor=command.actor,
            stable_version=back,
            previous_version=None,
            standby_until=None,
            declined_version=_turned_down(context, new),
            release=context.changed(candidate_version=new, result=Result.UNDONE, traffic=traffic),
        )
        return f"all new conversations go back to {back} at once"
    message = f"back from {new} to {back}, {because(command)}"
    declined = _turned_down(context, new)
    begin(context, Event.START, message, candidate=back, retries=0, undoing=True, actor=command.actor)
    context.update(declined_version=declined)
    how = "by the policy's quick way" if context.policy.undo else "by the policy's steps (it declares no `undo`)"
    return f"{back} is no longer kept ready, so a rollout to it begins, {how}"


def _turned_down(context: PlanContext, undone: str) -> str | None:
    """Return the declared version that is not to start by itself: what is undone, or has failed; no newer wish."""
    status, wanted = context.status, context.spec.version
    failed = status.candidate_version if status.phase is Phase.ROLLED_BACK else None
    return wanted if wanted in (undone, failed) else status.declined_version
