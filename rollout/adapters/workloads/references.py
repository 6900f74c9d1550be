"""What a pod template takes from ConfigMaps and Secrets: each object once, with the keys that are used of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from rollout.adapters.kubernetes.resources import Object

SourceKind = Literal["ConfigMap", "Secret"]

_FIELDS: tuple[tuple[SourceKind, str, str, str], ...] = (
    ("ConfigMap", "configMapRef", "configMapKeyRef", "configMap"),
    ("Secret", "secretRef", "secretKeyRef", "secret"),
)
"""By kind: in envFrom, in env, in volumes. Source: the API of core/v1."""


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a template takes something.

    Attributes:
        where: the place, the same for two versions that name their objects differently.
        keys: those that are taken; None for all.
    """

    where: str
    kind: SourceKind
    name: str
    keys: tuple[str, ...] | None = None


def uses_of(template: Object) -> tuple[Use, ...]:
    """Return every use in a pod template, in its order."""
    spec = _object(template.get("spec"))
    containers = [one for field in ("initContainers", "containers") for one in _objects(spec.get(field))]
    used = [use for container in containers for use in _of_container(container)]
    return (*used, *(use for volume in _objects(spec.get("volumes")) for use in _of_volume(volume)))


def _of_container(container: Object) -> Iterator[Use]:
    name = container.get("name")
    for place, source in enumerate(_objects(container.get("envFrom")), 1):
        for kind, whole, _, _ in _FIELDS:
            if whole in source:
                yield Use(f"envFrom {name} {place}", kind, _name(source[whole]))
    for variable in _objects(container.get("env")):
        for kind, _, one, _ in _FIELDS:
            if one in (source := _object(variable.get("valueFrom"))):
                key = str(_object(source[one]).get("key", ""))
                yield Use(f"env {name} {variable.get('name')}", kind, _name(source[one]), (key,))


def _of_volume(volume: Object) -> Iterator[Use]:
    where = f"volume {volume.get('name')}"
    sources = [volume, *_objects(_object(volume.get("projected")).get("sources"))]
    for source in sources:
        for kind, _, _, mounted in _FIELDS:
            if mounted in source:
                mount = _object(source[mounted])
                items = _objects(mount.get("items"))
                name = str(mount.get("secretName") or mount.get("name") or "")
                yield Use(where, kind, name, tuple(str(item.get("key")) for item in items) or None)


def _name(reference: Any) -> str:
    return str(_object(reference).get("name", ""))


def _object(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Object]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
