"""The two CustomResourceDefinitions of `rollout crd`."""

from typing import Any

from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import API_VERSION, RolloutSpec
from rollout.model.crd.structural import Bounds, Schema, structural
from rollout.model.status.cluster_status import INTERNAL, INTERNAL_MAX, PENDING, ClusterStatus
from rollout.model.status.release import Release
from rollout.model.units import NAME_PATTERN

GROUP, _, VERSION = API_VERSION.partition("/")

_NAME_MESSAGE = "the name has lowercase letters, digits and dashes, and 52 of them at most"
"""Names become names of Services, which have no dots, and leave room for suffixes."""

_WRITTEN = Bounds()
"""What people write is bounded by the model, field by field."""

_KEPT = Bounds(text=65_536, items=1000, members=2000)
"""What the controller writes is bounded where it is made; these bounds are far above."""

_ROLLOUT_COLUMNS = (
    ("Version", "string", ".spec.version", 0),
    ("Stable", "string", ".status.stableVersion", 0),
    ("Phase", "string", ".status.phase", 0),
    ("Weight", "string", ".status.weight", 0),
    ("Step", "string", ".status.stepLabel", 0),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 1),
    ("Age", "date", ".metadata.creationTimestamp", 0),
)
_POLICY_COLUMNS = (("Age", "date", ".metadata.creationTimestamp", 0),)


def definitions() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the definitions of Rollout and RolloutPolicy, ready to be applied."""
    status = structural(ClusterStatus, _KEPT)
    del status["properties"]["release"]  # written down, its fields stand beside those of the status
    status["properties"] |= structural(Release, _KEPT)["properties"]
    for name in INTERNAL:
        del status["properties"][name]
    status["properties"]["phase"]["enum"] = [PENDING, *status["properties"]["phase"]["enum"]]
    status["properties"]["internal"] = {
        "type": "string",
        "maxLength": INTERNAL_MAX,
        "description": "The internal state of the controller, as one JSON text. Other programs must not read it.",
    }
    status["properties"]["conditions"] |= {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    }
    return (
        _definition("Rollout", ["arl"], structural(RolloutSpec, _WRITTEN), status, _ROLLOUT_COLUMNS),
        _definition("RolloutPolicy", ["arp"], structural(PolicySpec, _WRITTEN), None, _POLICY_COLUMNS),
    )


def _definition(
    kind: str, short: list[str], spec: Schema, status: Schema | None, columns: tuple[tuple[str, str, str, int], ...]
) -> dict[str, Any]:
    plural = ("rollouts", "rolloutpolicies")[kind == "RolloutPolicy"]
    properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    schema: Schema = {"type": "object", "required": ["spec"], "properties": {**properties, "spec": spec}}
    schema["x-kubernetes-validations"] = [
        {"rule": f"self.metadata.name.matches('{NAME_PATTERN}')", "message": _NAME_MESSAGE}
    ]
    version: dict[str, Any] = {"name": VERSION, "served": True, "storage": True}
    if status is not None:
        schema["properties"]["status"] = status
        version["subresources"] = {"status": {}}
    version["additionalPrinterColumns"] = [
        {"name": name, "type": type_, "jsonPath": path, **({"priority": priority} if priority else {})}
        for name, type_, path, priority in columns
    ]
    if status is not None:
        version["selectableFields"] = [{"jsonPath": ".status.phase"}]
    version["schema"] = {"openAPIV3Schema": schema}
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{GROUP}",
            "labels": {"app.kubernetes.io/part-of": "agent-rollout"},
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {**names, "shortNames": short, "categories": ["agents"]},
            "versions": [version],
        },
    }
