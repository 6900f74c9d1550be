"""Subsets of one Service, as Istio's DestinationRules declare them: which pods are whose version.

Source: Istio's DestinationRule (networking.istio.io/v1): a subset selects, of the host's endpoints, those whose pods
have its labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import DESTINATION_RULE, ENDPOINT_SLICE, POD, Object, name_of
from rollout.errors import Forbidden, NotFound, NotInstalled
from rollout.model.api.naming import Naming

NAMED_MAX = 10


def slices_of(api: Api, naming: Naming, version: str) -> tuple[list[Object], str]:
    """Return the EndpointSlices of a version, and what is wrong; of a subset only the endpoints that it selects.

    Raises ClusterUnavailable.
    """
    service, namespace = naming.service(version), naming.services_in
    slices, _ = api.list_all(ENDPOINT_SLICE, namespace, labelSelector=f"kubernetes.io/service-name={service}")
    subset = naming.subset(version)
    if not subset:
        return slices, ""
    labels, problem = labels_of(api, naming, subset)
    if problem:
        return [], problem
    selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
    try:
        pods, _ = api.list_all(POD, namespace, labelSelector=selector)
    except Forbidden as error:
        return [], f"the pods of subset {subset} may not be read: {error}"
    names = {name_of(pod) for pod in pods}
    selected = [_selected(piece, names) for piece in slices]
    if any(piece["endpoints"] for piece in selected):
        return selected, ""
    return selected, f"subset {subset} of {namespace}/{service} selects no pod of the Service ({selector}): {_REMEDY}"


_REMEDY = "correct its labels in the DestinationRule, or those of the pods"


def labels_of(api: Api, naming: Naming, subset: str) -> tuple[dict[str, str], str]:
    """Return the labels that a subset selects pods by, and what is wrong.

    Raises ClusterUnavailable.
    """
    service, namespace = naming.service(""), naming.services_in
    where = f"{namespace}/{service}"
    try:
        listed, _ = api.list_all(DESTINATION_RULE, namespace)
    except (NotInstalled, NotFound):
        return {}, "DestinationRule of networking.istio.io/v1 is not served here: install Istio's definitions"
    except Forbidden as error:
        return {}, f"the DestinationRules of {where} may not be read: {error}; see the controller's role"
    rules = [rule for rule in listed if _is_of(rule, service, namespace)]
    if not rules:
        return {}, f"there is no DestinationRule for {where}: create one that declares subset {subset}"
    declared = {str(entry.get("name")): entry for rule in rules for entry in _subsets(rule)}
    if subset not in declared:
        names = ", ".join(sorted(declared)[:NAMED_MAX]) or "none"
        example = f"{{name: {subset}, labels: {{version: …}}}}"
        return {}, f"the DestinationRule {name_of(rules[0])} has no subset {subset} (it has {names}): add {example}"
    labels = declared[subset].get("labels")
    if not isinstance(labels, dict) or not labels:
        return {}, f"subset {subset} of {where} has no labels, so it selects every version: give it labels"
    same = [name for name, entry in declared.items() if name != subset and entry.get("labels") == labels]
    if same:
        return {}, f"subsets {subset} and {same[0]} of {where} select the same pods: give them labels that differ"
    return {str(name): str(value) for name, value in labels.items()}, ""


def _is_of(rule: Object, service: str, namespace: str) -> bool:
    """Whether a DestinationRule is about a Service: by its short name, or with its namespace."""
    spec = rule.get("spec")
    host = str(spec.get("host", "")) if isinstance(spec, dict) else ""
    name, _, rest = host.partition(".")
    return name == service and (not rest or rest.partition(".")[0] == namespace)


def _subsets(rule: Object) -> Iterator[dict[str, Any]]:
    listed = rule["spec"].get("subsets")
    yield from (entry for entry in (listed if isinstance(listed, list) else ()) if isinstance(entry, dict))


def _selected(piece: Object, pods: set[str]) -> Object:
    """Return an EndpointSlice with the endpoints of some pods alone."""
    endpoints = [one for one in piece.get("endpoints") or () if (one.get("targetRef") or {}).get("name") in pods]
    return {**piece, "endpoints": endpoints}
