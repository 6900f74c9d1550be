"""Who is told of a release: chats and mail through Apprise, other programs by CloudEvents, and GitHub deployments."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from rollout.errors import Fault
from rollout.model.api.gates import WebhookUrl
from rollout.model.api.metrics import SecretKeyRef
from rollout.model.api.state_sources import Variable
from rollout.model.base import Document
from rollout.model.notice_kinds import EVERY_KIND, NoticeKind
from rollout.model.units import Name

Link = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s]*)?$", max_length=500)]
Repository = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,99}/\.?[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$", max_length=200),
]
ApiUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=500)]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.$/{}-]{1,200}$")]
Environment = Annotated[str, StringConstraints(pattern=r"^[^\s\x00][^\x00\n]{0,99}$")]


class SecretSource(Document):
    """A secret: a key of a Secret beside the Rollout or, on one machine, a variable of the environment. Exactly one."""

    secret_key_ref: SecretKeyRef | None = Field(default=None, description="The Secret and the key in it.")
    env: Variable | None = Field(
        default=None, json_schema_extra={"local": True}, description="The variable of the environment."
    )


class AppriseTarget(Document):
    """A chat, a mailbox or one of a hundred other services, by an address of Apprise such as slack://… or mailto://…."""

    url: SecretSource = Field(description="The address. It holds the service's token, so it is a secret.")


class EventWebhook(Document):
    """A program of your own: a CloudEvent in its structured form, signed as Standard Webhooks has it."""

    url: WebhookUrl = Field(description="The address that events are posted to.")
    key: SecretSource = Field(description="The key that events are signed with.")


class GitHubDeployment(Document):
    """A deployment of a repository at GitHub, whose status follows the release."""

    repository: Repository = Field(description="The repository, as OWNER/NAME.")
    environment: Environment = Field(default="production", description="The environment that is deployed to.")
    ref: Reference = Field(
        default="$version", description="Template of the tag, branch or commit that a version was built from."
    )
    token: SecretSource = Field(description="A token that may write deployments of the repository.")
    api: ApiUrl = Field(default="https://api.github.com", description="The API, where it is not github.com's.")


class NotificationTarget(Document):
    """Who is told, and of what. Exactly one of apprise, webhook and github."""

    name: Name = Field(description="The name shown in messages.")
    events: tuple[NoticeKind, ...] = Field(
        default=EVERY_KIND, min_length=1, max_length=len(EVERY_KIND), description="What is told."
    )
    apprise: AppriseTarget | None = Field(default=None, description="A chat, a mailbox or another service.")
    webhook: EventWebhook | None = Field(default=None, description="A program that takes signed CloudEvents.")
    github: GitHubDeployment | None = Field(default=None, description="Deployments of a repository at GitHub.")

    def secrets(self) -> tuple[tuple[str, SecretSource], ...]:
        """Return the secrets that it needs, each with its path."""
        named = (
            ("apprise.url", self.apprise.url if self.apprise else None),
            ("webhook.key", self.webhook.key if self.webhook else None),
            ("github.token", self.github.token if self.github else None),
        )
        return tuple((path, secret) for path, secret in named if secret is not None)


class Notifications(Document):
    """Who is told of a release. Nobody waits for them: a release goes its way whether they can be reached or not."""

    link: Link | None = Field(
        default=None,
        description="Template of the page that a notification links to, such as "
        "https://rollouts.example.com/rollouts/$namespace/$name.",
    )
    targets: tuple[NotificationTarget, ...] = Field(default=(), max_length=10, description="Who is told, and of what.")

    def misplaced(self, place: Literal["machine", "cluster"]) -> Iterator[Fault]:
        """Yield a fault for each secret that cannot be read where the policy is used."""
        wrong, right = ("secretKeyRef", "env") if place == "machine" else ("env", "secretKeyRef")
        where = "on one machine" if place == "machine" else "in a cluster"
        for index, target in enumerate(self.targets):
            for path, secret in target.secrets():
                if (secret.secret_key_ref if place == "machine" else secret.env) is not None:
                    at = f"notifications.targets[{index}].{path}.{wrong}"
                    yield Fault(at, f"cannot be read {where}", f"use {right}")
