"""What a version is made of, for people: one line a component, alike for two versions so that they can be compared."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.workloads.contents import digest_of
from rollout.adapters.workloads.identity import annotations_of, containers_of, image_digests, template_of
from rollout.adapters.workloads.references import Use, uses_of

_SECRET = re.compile(r"key|token|secret|passw|credential|auth|dsn|://[^/@\s]*:[^/@\s]*@", re.IGNORECASE)
"""What a literal value may be that nobody should read in a log."""

UNREAD = "not read"

_KEY = secrets.token_hex()
"""Of this process: digests can be compared in what it shows, and nobody can try out what they may be of."""


def components_in(deployment: Object, digest_of_use: Callable[[Use], str], pods: Iterable[Object]) -> dict[str, str]:
    """Return what each component is, in a few words; a literal that may be a secret as its digest.

    Args:
        digest_of_use: of what an object holds; empty where it may not be read.
        pods: of the version, which know the digests of the images they run.
    """
    template, digests = template_of(deployment), image_digests(pods)
    rows: dict[str, list[str]] = {}
    for container in containers_of(template):
        for component, value in _of_container(container, digests):
            rows.setdefault(component, []).append(value)
    for use in uses_of(template):
        keys = "" if use.keys is None else f" [{', '.join(use.keys)}]"
        rows.setdefault(use.where, []).append(f"{use.kind} {use.name}{keys} {digest_of_use(use) or UNREAD}")
    for name, value in sorted(annotations_of(template).items()):
        rows.setdefault(f"annotation {name}", []).append(_shown(name, value))
    return {component: ", ".join(values) for component, values in rows.items()}


def _of_container(container: Object, digests: Any) -> Iterator[tuple[str, str]]:
    name = str(container.get("name"))
    yield f"image {name}", str(container.get("image"))
    if name in digests:
        yield f"digest of {name}", digests[name]
    for field in ("command", "args"):
        if container.get(field):
            text = " ".join(map(str, container[field]))
            yield f"{field} {name}", _shown("", text)
    for variable in container.get("env") or ():
        if "valueFrom" not in variable:
            yield f"env {name} {variable.get('name')}", _shown(str(variable.get("name")), variable.get("value", ""))
        elif not {"configMapKeyRef", "secretKeyRef"} & variable["valueFrom"].keys():
            yield f"env {name} {variable.get('name')}", f"from {digest_of(variable['valueFrom'])}"
    resources = container.get("resources")
    if resources:
        yield f"resources {name}", _flat(resources)


def _shown(name: str, value: Any) -> str:
    text = str(value)
    return f"(digest {digest_of(text, _KEY)})" if _SECRET.search(name) or _SECRET.search(text) else text


def _flat(resources: Object) -> str:
    return " ".join(
        f"{kind}.{name}={amount}"
        for kind, amounts in sorted(resources.items())
        if isinstance(amounts, dict)
        for name, amount in sorted(amounts.items())
    )
