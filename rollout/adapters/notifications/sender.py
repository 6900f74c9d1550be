"""From a target to whoever speaks to it, with its secret: read when it is needed, sent where it may be, never shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rollout.adapters.egress import Egress
from rollout.adapters.http import Services
from rollout.adapters.notifications import events, github, services
from rollout.adapters.notifications.telling import Telling
from rollout.engine.ports import Clock
from rollout.errors import PageUnavailable
from rollout.model.api.notifications import NotificationTarget, SecretSource


class SecretReader(Protocol):
    """Reads a secret of a namespace. Raises Unavailable where it cannot be used, with its name only."""

    def __call__(self, source: SecretSource, namespace: str, sent_to: str) -> str: ...


def sender(
    http: Services, secret: SecretReader, egress: Egress, clock: Clock
) -> Callable[[NotificationTarget, Telling], None]:
    """Return what tells a target.

    Args:
        egress: what may be asked at all.
    """

    def send(target: NotificationTarget, telling: Telling) -> None:
        if target.webhook is not None:
            egress.check(target.webhook.url, telling.namespace)
            key = secret(target.webhook.key, telling.namespace, target.webhook.url)
            events.send(http, target.webhook.url, key, telling, clock.now())
        elif target.github is not None:
            egress.check(target.github.api, telling.namespace)
            token = _line(secret(target.github.token, telling.namespace, target.github.api))
            github.send(http, target.github, token, telling)
        elif target.apprise is not None:
            address = secret(target.apprise.url, telling.namespace, "").strip()
            tenant = egress.tokens is not None
            services.send(address, telling, egress.hosts_of(telling.namespace), tenant=tenant)

    return send


def _line(token: str) -> str:
    if not token or not token.isascii() or not token.isprintable():
        raise PageUnavailable("the token of GitHub must be one line of printable ASCII")
    return token
