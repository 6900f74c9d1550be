"""What a version is made of, as fingerprints: images, commands, environment, prompts, and what ConfigMaps hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.workloads.contents import digest_of
from rollout.adapters.workloads.references import Use, uses_of

_IGNORED_ANNOTATIONS = ("kubectl.kubernetes.io/",)
"""A restart is no other version."""

_MOUNTED = {"configMap", "secret", "projected"}


def identity_of(deployment: Object, digest_of_use: Callable[[Use], str], digests: Mapping[str, str]) -> dict[str, str]:
    """Return a version's fingerprint by part. A part that is not known is absent.

    Args:
        digest_of_use: of what an object holds; empty where it may not be read.
        digests: of the images that the version's pods run, by container.
    """
    template = template_of(deployment)
    fingerprint = {f"image {one.get('name')}": str(one.get("image")) for one in containers_of(template)}
    fingerprint |= settings_of(deployment)
    held: dict[str, list[str]] = {}
    for use in uses_of(template):
        held.setdefault(f"{use.kind} {use.name}", []).append(digest_of_use(use))
    fingerprint |= {part: digest_of(parts) for part, parts in held.items() if all(parts)}
    return fingerprint | {f"digest of {name}": listed for name, listed in digests.items()}


def settings_of(deployment: Object) -> dict[str, str]:
    """Return the fingerprint of what a Deployment's template says beside its images."""
    template = template_of(deployment)
    containers = containers_of(template)
    volumes = (template.get("spec") or {}).get("volumes") or ()
    parts: dict[str, Any] = {
        "environment": [
            [container.get("name"), container.get("env"), container.get("command"), container.get("args")]
            for container in containers
        ],
        "configuration": [
            [[container.get("name"), container.get("envFrom")] for container in containers],
            [volume for volume in volumes if _MOUNTED & volume.keys()],
        ],
        "annotations": annotations_of(template),
    }
    return {part: digest_of(value) for part, value in parts.items()}


def template_of(deployment: Object) -> Object:
    template = (deployment.get("spec") or {}).get("template")
    return template if isinstance(template, dict) else {}


def containers_of(template: Object) -> list[Object]:
    spec = template.get("spec") or {}
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def annotations_of(template: Object) -> dict[str, Any]:
    """Return the annotations that say something of a version: its model, its prompt."""
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    return {key: value for key, value in annotations.items() if not key.startswith(_IGNORED_ANNOTATIONS)}


def image_digests(pods: Iterable[Object]) -> Mapping[str, str]:
    """Return, by container, the digests of the images that run, several of them separated by commas."""
    seen: dict[str, set[str]] = {}
    for pod in pods:
        status = pod.get("status") or {}
        for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            digest = str(one.get("imageID") or "").rpartition("@")[2]
            if digest.startswith("sha256:"):
                seen.setdefault(str(one.get("name")), set()).add(digest)
    return {name: ",".join(sorted(digests)) for name, digests in sorted(seen.items())}
