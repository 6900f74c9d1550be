"""What stands behind a version's backend: a Service and its EndpointSlices, or the pods of a Deployment.

A backend that is no Service (an InferencePool, a ServiceImport, somebody's own kind) says of itself what it likes:
which of its pods take requests is told by the Deployment that is declared.
"""

from __future__ import annotations

from typing import Any

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import DEPLOYMENT, POD, SERVICE, Object, name_of
from rollout.adapters.workloads.subsets import slices_of as slices_of_service
from rollout.errors import Forbidden, NotFound
from rollout.model.api.naming import Naming


def backend_of(api: Api, naming: Naming, version: str) -> Object | None:
    """Return the Service of a version, or what stands for it where there is none; None where nothing is there.

    Raises ClusterUnavailable.
    """
    if naming.backends.reference is None:
        return _get(api, naming, SERVICE, naming.service(version))
    deployment = _get(api, naming, DEPLOYMENT, naming.deployment(version) or "")
    return None if deployment is None else {"spec": {"ports": [{"name": "", "port": _port_of(naming, deployment)}]}}


def slices_of(api: Api, naming: Naming, version: str) -> tuple[list[Object], str]:
    """Return the EndpointSlices of a version, or what stands for them, and what is wrong. Raises ClusterUnavailable."""
    if naming.backends.reference is None:
        return slices_of_service(api, naming, version)
    name = naming.deployment(version) or ""
    deployment = _get(api, naming, DEPLOYMENT, name)
    labels = ((deployment or {}).get("spec", {}).get("selector") or {}).get("matchLabels") or {}
    if deployment is None or not labels:
        return [], f"there is no Deployment {naming.services_in}/{name} that selects pods by labels: create it"
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    try:
        pods, _ = api.list_all(POD, naming.services_in, labelSelector=selector)
    except Forbidden as error:
        return [], f"the pods of {name} may not be read: {error}"
    ports = [{"name": "", "port": _port_of(naming, deployment)}]
    return [{"endpoints": [_endpoint(pod) for pod in pods if _address(pod)], "ports": ports}], ""


def _endpoint(pod: Object) -> Object:
    """Return a pod as an EndpointSlice lists one."""
    conditions = {str(one.get("type")): one.get("status") for one in _status(pod).get("conditions") or ()}
    ending = bool(pod["metadata"].get("deletionTimestamp"))
    return {
        "addresses": [_address(pod)],
        "conditions": {"ready": conditions.get("Ready") == "True", "terminating": ending},
        "targetRef": {"kind": "Pod", "name": name_of(pod)},
    }


def _status(pod: Object) -> dict[str, Any]:
    status = pod.get("status")
    return status if isinstance(status, dict) else {}


def _address(pod: Object) -> str:
    return str(_status(pod).get("podIP") or "")


def _port_of(naming: Naming, deployment: Object) -> int | None:
    """Return the port that requests come to: the one that is declared, else the first of the containers'."""
    if naming.backends.port is not None:
        return naming.backends.port
    template = (deployment.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or ()
    ports = (port.get("containerPort") for container in containers for port in container.get("ports") or ())
    return next((port for port in ports if isinstance(port, int)), None)


def _get(api: Api, naming: Naming, kind: Any, name: str) -> Object | None:
    try:
        return api.get(kind, naming.services_in, name) if name else None
    except NotFound:
        return None
