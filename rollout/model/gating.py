"""Gates people declare: when a rollout may advance, and what else must agree."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from rollout.model.base import Document
from rollout.model.state import StateGate
from rollout.model.units import Duration, Name

When = Literal["before-traffic", "before-step", "before-promotion"]
"""before-traffic: before the first user; blue-green: while it can be previewed. before-step: before each weight, and
before the switch. before-promotion: at the end of the bake."""

WebhookUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s?#@]+(/[^\s#]*)?$", max_length=2000)]
Argument = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", max_length=2000)]


class Window(Document):
    """A time that begins as `cron` says, in `timezone`, and lasts `for` (elapsed time, whatever the clocks do)."""

    cron: str
    for_s: Duration = Field(alias="for")
    timezone: str = "UTC"
    name: str = ""


class FromEnv(Document):
    """A secret in an environment variable of the controller: it is never written down."""

    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,100}$")]


class Auth(Document):
    bearer: FromEnv


class Webhook(Document):
    """Ask somebody else: POST, then poll what a 202 names, until a verdict or the timeout."""

    name: Name
    url: WebhookUrl
    when: When = "before-traffic"
    timeout_s: Duration = Field(default=600.0, alias="timeout")
    poll_every_s: Duration = Field(default=5.0, alias="pollEvery")
    auth: Auth | None = None


class CommandGate(Document):
    """Run a program: exit 0 is yes, anything else is no."""

    name: Name
    run: tuple[Argument, ...] = Field(min_length=1, max_length=64)
    when: When = "before-traffic"
    timeout_s: Duration = Field(default=600.0, alias="timeout")


class Gates(Document):
    """Windows open the way for more traffic, freezes bar it; checks must agree."""

    windows: tuple[Window, ...] = Field(default=(), max_length=20)
    freezes: tuple[Window, ...] = Field(default=(), max_length=20)
    webhooks: tuple[Webhook, ...] = Field(default=(), max_length=10)
    commands: tuple[CommandGate, ...] = Field(default=(), max_length=10)
    state: StateGate | None = None

    def checks(self, when: str) -> tuple[Webhook | CommandGate, ...]:
        """Return the checks that belong to a point of the rollout, in the order written."""
        every: tuple[Webhook | CommandGate, ...] = (*self.webhooks, *self.commands)
        return tuple(check for check in every if check.when == when)
