"""Deployments of a version that no Service leads to: what they take from a queue, no route can weigh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rollout.adapters.kubernetes.resources import Object
from rollout.model.api.naming import Naming
from rollout.model.api.roles import VERSION_LABELS
from rollout.model.units import object_form

APP_LABELS = ("app", "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/part-of")


def unserved_of(naming: Naming, version: str, deployments: Iterable[Object]) -> dict[str, Mapping[str, Any]]:
    """Return the pod labels of Deployments that belong to a version and are not the one behind its Service, by name.

    One belongs to it by its name (`NAME-…-VERSION`) or by the usual labels of its pods. One without replicas takes no
    work.
    """
    served = {naming.service(version), naming.deployment(version)}
    unserved = {}
    for deployment in deployments:
        name, labels = str(deployment["metadata"]["name"]), _labels(deployment)
        if name in served or deployment.get("spec", {}).get("replicas") == 0:
            continue
        if _is_of_agent(naming, name, labels) and _is_of_version(version, name, labels):
            unserved[name] = labels
    return unserved


def workers_of(unserved: Mapping[str, Mapping[str, Any]], services: Iterable[Object]) -> tuple[str, ...]:
    """Return the names of those that no Service selects."""
    selectors = [selector for service in services if (selector := _selector(service))]
    return tuple(
        name
        for name, labels in sorted(unserved.items())
        if not any(selector.items() <= labels.items() for selector in selectors)
    )


def _is_of_agent(naming: Naming, name: str, labels: Mapping[str, Any]) -> bool:
    return name.startswith(f"{naming.name}-") or naming.name in [labels.get(label) for label in APP_LABELS]


def _is_of_version(version: str, name: str, labels: Mapping[str, Any]) -> bool:
    return name.endswith(f"-{object_form(version)}") or version in [labels.get(label) for label in VERSION_LABELS]


def _labels(deployment: Object) -> Mapping[str, Any]:
    return (deployment.get("spec", {}).get("template", {}).get("metadata") or {}).get("labels") or {}


def _selector(service: Object) -> Mapping[str, Any]:
    return service.get("spec", {}).get("selector") or {}
