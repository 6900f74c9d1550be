"""Approve: a human lets the next move happen that waits for one, or for a window or endpoints."""

from __future__ import annotations

from rollout.engine.commands.answer import CommandRefused, because
from rollout.engine.context import PlanContext
from rollout.engine.facts import Command
from rollout.engine.transitions import Event
from rollout.model.status.vocabulary import HeldBy, Phase, Reason


def approve(context: PlanContext, command: Command) -> str:
    status = context.status
    if status.reason in (Reason.WINDOW_CLOSED, Reason.CAPACITY) and status.phase in (Phase.SHIFTING, Phase.OBSERVING):
        return _waive(context, command)
    if status.phase is not Phase.PAUSED or status.held_by is not HeldBy.APPROVAL:
        raise CommandRefused("no approval is pending")
    what = "the switch" if context.strategy.switches else f"step {context.release.step + 1}"
    message = f"{what} approved {because(command)}"
    approved = (*context.release.approved, context.release.step)
    context.go(Event.RESUME, Reason.CHECKING, message, actor=command.actor, release=context.changed(approved=approved))
    return message


def _waive(context: PlanContext, command: Command) -> str:
    """Let one move pass that waits for a release window, or for endpoints of the candidate."""
    status, release = context.status, context.release
    move = release.step if status.phase is Phase.SHIFTING else release.steps
    is_window = status.reason is Reason.WINDOW_CLOSED
    what = "the release window is" if is_window else "the capacity that the candidate lacks is"
    if move in (release.window_waived if is_window else release.capacity_waived):
        raise CommandRefused(f"{what} waived for this move already")
    if is_window:
        context.update_release(window_waived=(*release.window_waived, move))
    else:
        context.update_release(capacity_waived=(*release.capacity_waived, move))
    return f"{what} waived for this one move, {because(command)}"
