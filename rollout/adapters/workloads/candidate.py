"""The Deployment and the Service of a candidate, made from those of stable: another image, another version. Pure.

For people who release by hand. What identifies stable, in names and labels, identifies the candidate; everything else
is as it was. The Deployment sleeps at 0 replicas: whoever carries the release out wakes it, and lets it sleep again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout.adapters.kubernetes.resources import Object, name_of
from rollout.errors import Fault
from rollout.model.units import object_form

VERSION_LABEL = "rollout.dev/version"
"""The label by which pods are selected where nothing else tells those of the candidate apart."""

OWNER_LABEL, MANAGED_BY = "rollout.dev/rollout", "app.kubernetes.io/managed-by"
MADE_FOR, MADE_FROM = "rollout.dev/made-for", "rollout.dev/made-from"
"""Annotations of what was made: the uid of its Rollout, and the version that it was made from."""

_OF_OTHERS = ("kubectl.kubernetes.io/", "deployment.kubernetes.io/", "argocd.argoproj.io/", "meta.helm.sh/")
_OF_FLUX = ("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/")
_TRACKED_BY = ("app.kubernetes.io/instance", MANAGED_BY)
"""By these, tools know what they have made: they would take the candidate's objects for theirs, and delete them."""

_OF_ONE_SERVICE = (
    "clusterIPs", "externalIPs", "externalTrafficPolicy", "healthCheckNodePort", "loadBalancerIP",
    "loadBalancerClass", "loadBalancerSourceRanges", "allocateLoadBalancerNodePorts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the candidate is to be.

    Attributes:
        container: whose image it is; None where there is only one.
        environment: variables of that container that have another value.
    """

    version: str
    image: str
    container: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Names:
    """What one version's objects are called."""

    version: str
    deployment: str
    service: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What the candidate is made from.

    Attributes:
        rollout, uid: of the Rollout.
    """

    rollout: str
    uid: str
    names: Names
    deployment: Object
    service: Object


def faults_of(origin: Origin, wanted: Wanted) -> Iterator[Fault]:
    """Return why a candidate cannot be made."""
    containers = [str(one.get("name")) for one in _containers(origin.deployment)]
    deployment, listed = name_of(origin.deployment), ", ".join(containers)
    if wanted.container is not None and wanted.container not in containers:
        yield Fault(
            "--container", f"is no container of the Deployment {deployment}", f"name one of {listed}", wanted.container
        )
    if wanted.container is None and len(containers) != 1:
        message = f"which of the {len(containers)} containers of {deployment} is meant cannot be told"
        yield Fault("--image", message, f"name one with --container: {listed}")
    where = f"Service {origin.names.service}"
    spec = origin.service.get("spec") or {}
    if spec.get("type") == "ExternalName" or not spec.get("selector"):
        yield Fault(where, "selects no pods", "make the candidate's Deployment and Service by hand")
        return
    labels = _labels_of(origin.deployment)
    if any(labels.get(key) != value for key, value in spec["selector"].items()):
        remedy = "correct its selector, or spec.backends.deployment"
        yield Fault(where, f"does not select the pods of the Deployment {deployment}", remedy)


def overlap(origin: Origin, candidate: Object) -> Fault | None:
    """Return the fault of a stable Service that would select the candidate's pods too."""
    selector, labels = origin.service["spec"]["selector"], _labels_of(candidate)
    if any(labels.get(key) != value for key, value in selector.items()):
        return None
    selected = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
    message = f"selects its pods by {selected} alone, and would send its users to the candidate's pods too"
    remedy = f"select them by a label that says the version, such as version: {origin.names.version}"
    return Fault(f"Service {origin.names.service}", message, remedy)


def candidate_of(origin: Origin, wanted: Wanted, names: Names) -> tuple[Object, Object]:
    """Return the candidate's Deployment and Service, as they are created."""
    renamed = _Renaming(origin.names, names)
    deployment = _new(origin, names.deployment, origin.deployment, renamed)
    spec = copy.deepcopy(origin.deployment["spec"])
    spec["replicas"] = 0
    template = spec["template"]
    metadata = template.setdefault("metadata", {})
    metadata["labels"] = renamed.labels(metadata.get("labels") or {})
    metadata["annotations"] = _own_annotations(metadata.get("annotations") or {})
    metadata.pop("creationTimestamp", None)
    template["spec"] = renamed.within(template["spec"])
    selector = renamed.selector(spec.get("selector") or {})
    service = _service(origin, names, renamed)
    if not renamed.tells(origin.deployment) or not renamed.tells(origin.service):
        selector = {**selector, "matchLabels": {**(selector.get("matchLabels") or {})}}
        selector["matchLabels"][VERSION_LABEL] = metadata["labels"][VERSION_LABEL] = object_form(wanted.version)
        service["spec"]["selector"][VERSION_LABEL] = object_form(wanted.version)
    spec["selector"] = selector
    _set_container(template, wanted)
    deployment["spec"] = spec
    return deployment, service


def environment_of(deployment: Object, version: str) -> list[str]:
    """Return the variables whose value is the version: whether they say it cannot be told."""
    listed = [one for container in _containers(deployment) for one in container.get("env") or ()]
    return sorted({str(one.get("name")) for one in listed if one.get("value") == version})


def image_of(deployment: Object, container: str | None) -> str:
    """Return the image of a container, of the only one if none is named."""
    return next((str(one.get("image")) for one in _containers(deployment) if container in (None, one.get("name"))), "")


def is_made_for(obj: Object, uid: str) -> bool:
    """Whether an object was made for a Rollout: by its recorded identity, not by its name."""
    return bool(uid) and (obj["metadata"].get("annotations") or {}).get(MADE_FOR) == uid


@dataclass(frozen=True, slots=True)
class _Renaming:
    """What labels say of one version, said of another."""

    old: Names
    new: Names

    def labels(self, labels: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self._value(value) for key, value in labels.items()}

    def tells(self, obj: Object) -> bool:
        """Whether a selector selects other pods than before once it is renamed."""
        selector = obj["spec"].get("selector") or {}
        renamed = self.selector(selector) if obj["kind"] != "Service" else self.labels(selector)
        return bool(renamed != selector)

    def selector(self, selector: Mapping[str, Any]) -> dict[str, Any]:
        """Return a LabelSelector that says the same of the other version."""
        renamed = dict(selector)
        if isinstance(selector.get("matchLabels"), dict):
            renamed["matchLabels"] = self.labels(selector["matchLabels"])
        if isinstance(selector.get("matchExpressions"), list):
            renamed["matchExpressions"] = [
                {**one, "values": [self._value(value) for value in one["values"]]} if one.get("values") else one
                for one in selector["matchExpressions"]
            ]
        return renamed

    def within(self, part: Any) -> Any:
        """Return a part of a pod's spec whose label selectors (spread, affinity) say the same of the other version."""
        if isinstance(part, list):
            return [self.within(one) for one in part]
        if not isinstance(part, dict):
            return part
        return {
            key: self.selector(value) if key == "labelSelector" and isinstance(value, dict) else self.within(value)
            for key, value in part.items()
        }

    def _value(self, value: Any) -> Any:
        pairs = (
            (self.old.version, self.new.version),
            (object_form(self.old.version), object_form(self.new.version)),
            (self.old.deployment, self.new.deployment),
            (self.old.service, self.new.service),
        )
        return next((new for old, new in pairs if value == old), value)


def _new(origin: Origin, name: str, obj: Object, renamed: _Renaming) -> Object:
    labels = renamed.labels(obj["metadata"].get("labels") or {})
    labels = {key: value for key, value in labels.items() if key not in _TRACKED_BY and not key.startswith(_OF_FLUX)}
    marks = {MADE_FOR: origin.uid, MADE_FROM: origin.names.version}
    metadata = {
        "name": name,
        "labels": {**labels, MANAGED_BY: "rollout", OWNER_LABEL: origin.rollout},
        "annotations": {**_own_annotations(obj["metadata"].get("annotations") or {}), **marks},
    }
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}


def _own_annotations(annotations: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in annotations.items() if not key.startswith((*_OF_OTHERS, *_OF_FLUX))}


def _service(origin: Origin, names: Names, renamed: _Renaming) -> Object:
    spec = {key: value for key, value in origin.service["spec"].items() if key not in _OF_ONE_SERVICE}
    if spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
    ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in spec.get("ports") or ()]
    inner = {**spec, "type": "ClusterIP", "ports": ports, "selector": renamed.labels(spec["selector"])}
    return {**_new(origin, names.service, origin.service, renamed), "spec": inner}


def _set_container(template: Object, wanted: Wanted) -> None:
    for container in template["spec"]["containers"]:
        if wanted.container in (None, container.get("name")):
            container["image"] = wanted.image
            environment = [one for one in container.get("env") or () if one.get("name") not in wanted.environment]
            given = [{"name": name, "value": value} for name, value in wanted.environment.items()]
            if environment or given:
                container["env"] = [*environment, *given]


def _containers(deployment: Object) -> list[Object]:
    template = (deployment.get("spec") or {}).get("template") or {}
    return [one for one in (template.get("spec") or {}).get("containers") or () if isinstance(one, dict)]


def _labels_of(deployment: Object) -> Mapping[str, Any]:
    template = (deployment.get("spec") or {}).get("template") or {}
    return (template.get("metadata") or {}).get("labels") or {}
