"""Which version is behind a Service that has a role: read from its pods, else from the Deployment that makes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import DEPLOYMENT, POD, SERVICE, Object
from rollout.errors import ClusterUnavailable, NotFound
from rollout.model.api.naming import Naming
from rollout.model.api.roles import VERSION_LABELS, Roles
from rollout.model.status.roles import RoleVersions

DIGEST_DIGITS = 12
"""So many digits of an image's digest tell it from others: as people and tools shorten it."""

NAMED_MAX = 4


class RoleReader:
    """What is behind the Services of roles now: read when it is asked for, once a turn.

    Args:
        last: what was behind them when they were last read.
    """

    def __init__(self, api: Api, naming: Naming, last: RoleVersions | None) -> None:
        self._api, self._naming, self._last = api, naming, last

    @cached_property
    def _read(self) -> dict[str, Behind]:
        """By Service, what is behind it. What cannot be asked is as it was."""
        roles = _declared(self._naming)
        known = self._last.named(roles.stable, roles.candidate) if self._last else {}
        read: dict[str, Behind] = {}
        for service in (roles.stable, roles.candidate):
            try:
                read[service] = what_is_behind(self._api, self._naming, service)
            except ClusterUnavailable as error:
                problem = f"what {service} runs cannot be read: {error}"
                read[service] = Behind(known.get(service, ""), problem=problem)
        return read

    @property
    def versions(self) -> RoleVersions:
        """Which version is behind each role's Service. Never raises."""
        roles, read = _declared(self._naming), self._read
        serving = self._last.serving if self._last else "stable"
        stable, candidate = (read[service].version or None for service in (roles.stable, roles.candidate))
        return RoleVersions(stable=stable, candidate=candidate, serving=serving)

    @property
    def ready(self) -> dict[Literal["stable", "candidate"], int]:
        """How many pods of each role are ready. Never raises."""
        roles, read = _declared(self._naming), self._read
        return {"stable": read[roles.stable].ready, "candidate": read[roles.candidate].ready}

    @property
    def problems(self) -> tuple[str, ...]:
        """Why it cannot be told what is behind a Service."""
        return tuple(behind.problem for behind in self._read.values() if behind.problem)

    def problem(self, service: str, version: str) -> str:
        """Say that a Service runs another version by now, or several; an empty text where it runs this one."""
        behind = self._read.get(service, Behind(problem=f"{service} is none of the two Services of roles"))
        if behind.problem or behind.version == version:
            return behind.problem
        return f"{service} runs {behind.version} by now: roll {version} out behind it again"


def _declared(naming: Naming) -> Roles:
    assert naming.backends.roles is not None, "only backends with roles are asked"
    return naming.backends.roles


@dataclass(frozen=True, slots=True)
class Behind:
    """What is behind a Service.

    Attributes:
        version: the one version that its pods are of; empty where none can be told.
        problem: why.
        ready: how many of them are ready.
    """

    version: str = ""
    problem: str = ""
    ready: int = 0


def what_is_behind(api: Api, naming: Naming, service: str) -> Behind:
    """Read which version a Service's pods are of, and how many are ready. Raises ClusterUnavailable."""
    roles, namespace = _declared(naming), naming.services_in
    try:
        service_object = api.get(SERVICE, namespace, service)
    except NotFound:
        problem = f"there is no Service {namespace}/{service}: create it, or correct {naming.written}"
        return Behind(problem=problem)
    selector = (service_object.get("spec") or {}).get("selector") or {}
    if not selector:
        problem = f"the Service {namespace}/{service} has no selector, so its pods are not known: give it one"
        return Behind(problem=problem)
    labels = ",".join(f"{name}={value}" for name, value in sorted(selector.items()))
    pods = [pod for pod in api.list_all(POD, namespace, labelSelector=labels)[0] if _counts(pod)]
    templates = pods or _template(api, naming, service)
    if not templates:
        return Behind(problem=f"{namespace}/{service} has no pod ({labels}): roll a version out behind it")
    version, problem = _one_version(templates, roles, f"{namespace}/{service}")
    return Behind(version, problem, ready=sum(map(_is_ready, pods)))


def _one_version(templates: list[Object], roles: Roles, where: str) -> tuple[str, str]:
    """Return the version that all pods are of, and an empty text; or why none can be told."""
    versions = {_version(one, roles) for one in templates}
    if "" in versions:
        return "", f"pods of {where} do not say their version: {_remedy(roles)}"
    if len(versions) > 1:
        several = " and ".join(sorted(versions)[:NAMED_MAX])
        return "", f"{where} runs {several}: wait until its Deployment is rolled out"
    return versions.pop(), ""


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _counts(pod: Object) -> bool:
    """Whether a pod runs, or is about to: one that ends is over."""
    phase = (pod.get("status") or {}).get("phase")
    return not pod["metadata"].get("deletionTimestamp") and phase not in ("Succeeded", "Failed")


def _template(api: Api, naming: Naming, service: str) -> list[Object]:
    """Return what a Deployment at 0 replicas would make."""
    name = naming.deployment_of(service)
    try:
        deployment = api.get(DEPLOYMENT, naming.services_in, name) if name else {}
    except NotFound:
        return []
    template = (deployment.get("spec") or {}).get("template")
    return [template] if isinstance(template, dict) else []


def _version(pod: Object, roles: Roles) -> str:
    """Return the version that a pod, or its template, says; empty where it says none."""
    if roles.version_image is not None:
        containers = (pod.get("spec") or {}).get("containers") or ()
        images = (str(one.get("image", "")) for one in containers if one.get("name") == roles.version_image)
        return version_of_image(next(images, ""))
    labels = (pod.get("metadata") or {}).get("labels") or {}
    keys = (roles.version_label,) if roles.version_label else VERSION_LABELS
    return next((str(labels[key]) for key in keys if labels.get(key)), "")


def version_of_image(image: str) -> str:
    """Return an image's tag; without one the first digits of its digest; nothing where it has neither."""
    name, _, digest = image.partition("@")
    _, _, tag = name.rpartition("/")[2].partition(":")
    return tag or digest.rpartition(":")[2][:DIGEST_DIGITS]


def _remedy(roles: Roles) -> str:
    if roles.version_image is not None:
        return f"give their container {roles.version_image} an image with a tag or a digest"
    return f"give them the label {roles.version_label or ' or '.join(VERSION_LABELS)}"


def label_keys(roles: Roles, labels: Iterable[str]) -> tuple[str, ...]:
    """Return the labels of a pod that say its version."""
    if roles.version_image is not None:
        return ()
    keys = (roles.version_label,) if roles.version_label else VERSION_LABELS
    return tuple(key for key in keys if key in set(labels))
