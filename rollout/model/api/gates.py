"""Gates people declare: when a rollout may advance, and what else must agree."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from rollout.model.agent_state import StateGate
from rollout.model.base import Document
from rollout.model.units import Duration, Name

When = Literal["before-traffic", "before-step", "before-promotion"]
"""before-traffic: before the first user; blue-green: while it can be previewed. before-step: before each weight, and
before the switch. before-promotion: at the end of the bake."""

WebhookUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s?#@]+(/[^\s#]*)?$", max_length=2000)]
Argument = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", max_length=2000)]


class Window(Document):
    """A time that begins as `cron` says, in `timezone`, and lasts `for` (elapsed time, whatever the clocks do)."""

    cron: str = Field(description="When it begins, as five cron fields.")
    for_s: Duration = Field(alias="for", description="How long it lasts.")
    timezone: str = Field(default="UTC", description="The time zone of cron, such as Europe/Berlin.")
    name: str = Field(default="", description="The name shown in messages.")


class FromEnv(Document):
    """A secret in an environment variable of the controller: it is never written down."""

    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,100}$")] = Field(
        description="The variable of the controller's environment. In a cluster its name begins with ROLLOUT_GATE_."
    )


class Auth(Document):
    bearer: FromEnv = Field(description="A bearer token.")


class Webhook(Document):
    """Ask somebody else: POST, then poll what a 202 names, until a verdict or the timeout."""

    name: Name = Field(description="The name shown in messages.")
    url: WebhookUrl = Field(description="The address of the webhook.")
    when: When = Field(default="before-traffic", description="The point at which the check runs.")
    timeout_s: Duration = Field(default=600.0, alias="timeout", description="How long it has for a verdict.")
    poll_every_s: Duration = Field(default=5.0, alias="pollEvery", description="The interval between polls.")
    auth: Auth | None = Field(default=None, description="How to authenticate.")


class CommandGate(Document):
    """Run a program: exit 0 is yes, anything else is no."""

    name: Name = Field(description="The name shown in messages.")
    run: tuple[Argument, ...] = Field(min_length=1, max_length=64, description="The program and its arguments.")
    when: When = Field(default="before-traffic", description="When it is run.")
    timeout_s: Duration = Field(default=600.0, alias="timeout", description="How long it may take.")


class Gates(Document):
    """Windows open the way for more traffic, freezes bar it; checks must agree."""

    windows: tuple[Window, ...] = Field(
        default=(), max_length=20, description="Release windows: traffic moves to the candidate only while one is open."
    )
    freezes: tuple[Window, ...] = Field(
        default=(), max_length=20, description="Times in which no traffic moves to the candidate."
    )
    webhooks: tuple[Webhook, ...] = Field(default=(), max_length=10, description="Webhooks that must agree.")
    commands: tuple[CommandGate, ...] = Field(
        default=(), max_length=10, description="Programs that are run, on one machine."
    )
    state: StateGate | None = Field(default=None, description="What must hold between the state of both versions.")

    def checks(self, when: str) -> tuple[Webhook | CommandGate, ...]:
        """Return the checks that belong to a point of the rollout, in the order written."""
        every: tuple[Webhook | CommandGate, ...] = (*self.webhooks, *self.commands)
        return tuple(check for check in every if check.when == when)
