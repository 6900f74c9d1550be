"""What of a policy cannot be carried out in a cluster, or is not allowed there."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.adapters.egress import Egress
from rollout.adapters.metrics.queries import unreadable
from rollout.errors import Fault
from rollout.model.api.policy import PolicySpec

ENVIRONMENT_PREFIX = "ROLLOUT_GATE_"
"""Whoever may write a policy must not be able to read any variable of the controller by sending it somewhere."""


def faults_of(policy: PolicySpec, egress: Egress, namespace: str) -> list[Fault]:
    """Return what cannot be carried out of a policy in a namespace of a cluster."""
    faults = unreadable(policy, "cluster")
    for index, command in enumerate(policy.gates.commands):
        message = "would run a program inside the controller, with its rights"
        remedy = "let a service run it, and ask that by gates.webhooks"
        faults.append(Fault(f"gates.commands[{index}]", message, remedy, command.name))
    faults += _untold(policy, egress, namespace)
    for index, hook in enumerate(policy.gates.webhooks):
        faults += unasked(f"gates.webhooks[{index}].url", hook.url, egress, namespace)
        if hook.auth is None:
            continue
        where, name = f"gates.webhooks[{index}].auth.bearer.env", hook.auth.bearer.env
        if not name.startswith(ENVIRONMENT_PREFIX):
            message = "is a variable of the controller that policies may not send away"
            faults.append(Fault(where, message, f"call it {ENVIRONMENT_PREFIX}…", name))
        elif refusal := egress.token_refusal(name, hook.url):
            message, _, remedy = refusal.partition(": ")
            faults.append(Fault(where, message, remedy, name))
    return faults


def _untold(policy: PolicySpec, egress: Egress, namespace: str) -> Iterator[Fault]:
    """Yield the faults of targets that the operator does not allow."""
    for index, target in enumerate(policy.notifications.targets if policy.notifications else ()):
        path = f"notifications.targets[{index}]"
        if target.webhook is not None:
            yield from unasked(f"{path}.webhook.url", target.webhook.url, egress, namespace)
        if target.github is not None:
            yield from unasked(f"{path}.github.api", target.github.api, egress, namespace)


def unasked(path: str, url: str, egress: Egress, namespace: str) -> list[Fault]:
    """Return the fault of a URL that the operator does not allow, if it is none."""
    message, _, remedy = egress.refusal(url, namespace).partition(": ")
    return [Fault(path, message, remedy, url)] if message else []
