"""How a command is answered: refused with a reason, or in the name of whoever asked."""

from __future__ import annotations

from rollout.engine.facts import Command

SPEC_PAUSED = "spec.paused is true: set it to false"


class CommandRefused(Exception):  # noqa: N818
    """A command that cannot be carried out now."""


def because(command: Command) -> str:
    """Return who asked for it, and why."""
    return f"by {command.actor}" + (f": {command.reason}" if command.reason else "")
