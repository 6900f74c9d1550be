"""Promotion by image: the stable role's Deployment gets the images that were judged behind the candidate's. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollout.adapters.kubernetes.resources import Object, name_of, version_of
from rollout.adapters.workloads.identity import settings_of
from rollout.adapters.workloads.roles import label_keys
from rollout.model.api.roles import Roles


def unlike(stable: Object, candidate: Object, roles: Roles) -> str:
    """Say why images alone do not make the stable Deployment what was judged; an empty text where they do."""
    names = f"the Deployments {name_of(stable)} and {name_of(candidate)}"
    one, two = _images(stable), _images(candidate)
    if one.keys() != two.keys():
        return f"{names} have other containers: make them alike, or use promotion: pipeline"
    before, after = settings_of(stable), settings_of(candidate)
    parts = sorted(part for part in before if before[part] != after[part])
    if parts:
        message = f"{names} differ in {' and '.join(parts)}, and promotion: swap carries images over alone"
        return f"{message}: make them alike, or use promotion: pipeline"
    selected = (stable.get("spec", {}).get("selector") or {}).get("matchLabels") or {}
    if fixed := label_keys(roles, selected):
        message = f"the Deployment {name_of(stable)} selects its pods by {fixed[0]}, which says their version"
        return f"{message} and cannot change: take it out of the selector, or use promotion: pipeline"
    return ""


def promotion_patch(stable: Object, candidate: Object, roles: Roles) -> list[Object]:
    """Return the JSON patch that rolls the candidate's images out in the stable Deployment; empty where they are there.

    It tests the Deployment's version: one that somebody has just changed fails the patch.
    """
    wanted, changes = _images(candidate), []
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(_pod_spec(stable).get(kind) or ()):
            image = wanted.get(str(container.get("name")))
            if image is not None and image != container.get("image"):
                path = f"/spec/template/spec/{kind}/{index}/image"
                changes.append({"op": "replace", "path": path, "value": image})
    labels, own = _labels(candidate), _labels(stable)
    for key in label_keys(roles, labels):
        if own.get(key) != labels[key]:
            escaped = key.replace("~", "~0").replace("/", "~1")
            changes.append({"op": "add", "path": f"/spec/template/metadata/labels/{escaped}", "value": labels[key]})
    if not changes:
        return []
    return [{"op": "test", "path": "/metadata/resourceVersion", "value": version_of(stable)}, *changes]


def _pod_spec(deployment: Object) -> Mapping[str, Any]:
    return ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}


def _labels(deployment: Object) -> Mapping[str, Any]:
    template = (deployment.get("spec") or {}).get("template") or {}
    return (template.get("metadata") or {}).get("labels") or {}


def _images(deployment: Object) -> dict[str, str]:
    """Return the images of a Deployment's containers, by their names."""
    spec = _pod_spec(deployment)
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return {str(container.get("name")): str(container.get("image", "")) for container in containers}
