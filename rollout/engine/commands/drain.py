"""Drain by hand: nobody waits any longer for the conversations of a version that lost."""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.commands.answer import CommandRefused, because
from rollout.engine.context import PlanContext
from rollout.engine.facts import Command
from rollout.model.status.vocabulary import Reason


def drain(context: PlanContext, command: Command) -> str:
    """End the drain of a version now, as the command says: its conversations are ended, or go on with stable."""
    status, version = context.status, command.version or ""
    draining = status.draining.get(version)
    if version == status.stable_version:
        raise CommandRefused(f"{version} is the stable version: it is in use")
    if status.is_active and version == status.candidate_version:
        raise CommandRefused(f"{version} is being released: abort the release first")
    if draining is None or draining.done:
        names = ", ".join(name for name, other in status.draining.items() if not other.done)
        raise CommandRefused(f"{version or 'no version'} is not draining; draining: {names or 'none'}")
    if command.then not in ("handOver", "end"):
        raise CommandRefused("the command does not say what becomes of its conversations: --then handOver, or end")
    if command.then == "handOver" and not draining.may_move:
        raise CommandRefused(
            f"no contract says that {status.stable_version} can go on with them. To end them: --then end"
        )
    many = messages.open_conversations(draining.open)
    fate = "are ended" if command.then == "end" else f"go on with {status.stable_version}"
    message = f"the drain of {version} is ended {because(command)}: {many} {fate}"
    context.update(draining={**status.draining, version: draining.changed(then=command.then, done=True)})
    context.record("traffic", actor=command.actor, message=message, reason=Reason.DRAINED)
    return message
