"""Whose numbers are these? One Prometheus has the series of many agents, and versions are called v1 and v2 everywhere.

A series is a version's if its pod, its address or its Service is one that the version's Service has. Series of others
are left out; where nothing tells, the reading is refused, with the label to add. Series of a router are told by the
Service and the namespace in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum

from rollout.adapters.kubernetes.pods import Pods
from rollout.model.units import template_names

Labels = Mapping[str, str]

PAIRS = (
    ("k8s_namespace_name", "k8s_pod_name"),  # OpenTelemetry: the collector's own stand in namespace and pod
    ("exported_namespace", "exported_pod"),
    ("kubernetes_namespace", "kubernetes_pod_name"),
    ("namespace", "pod"),
)
"""Labels of namespace and pod that go together, the most specific first."""

SERVICE_LABELS = ("service", "kubernetes_service", "kubernetes_name", "exported_service")
LABELS = (*(label for pair in PAIRS for label in pair), *SERVICE_LABELS, "instance")
"""What may tell whose a series is."""

ROUTER_PREFIXES = (
    "envoy_",
    "istio_",
    "traefik_",
    "nginx_",
    "haproxy_",
    "kong_",
    "contour_",
    "outbound_http_",
    "hubble_",
)
"""Metrics that a router counts: their pod is the router's."""


class Owner(Enum):
    """Whose a series is."""

    OURS = "ours"
    FOREIGN = "another's"
    UNKNOWN = "not known"


def whose(labels: Labels, pods: Pods) -> Owner:
    """Return whose a series is that an agent counts itself: ours if anything says so that nothing contradicts."""
    named = [
        (labels.get(namespace, ""), labels[pod]) for namespace, pod in PAIRS if labels.get(pod)
    ]  # one series may carry a pod's labels and those of who passes its numbers on
    if any(name in pods.names and namespace in ("", pods.namespace) for namespace, name in named):
        return Owner.OURS
    spaces = [labels[namespace] for namespace, _ in PAIRS if labels.get(namespace)]
    elsewhere = bool(spaces) and spaces[0] != pods.namespace
    host = _host(labels.get("instance", ""))
    service = next((labels[name] for name in SERVICE_LABELS if labels.get(name)), None)
    if not elsewhere and (host in pods.addresses or service == pods.service or _is_service(host, pods)):
        return Owner.OURS
    return Owner.FOREIGN if named or elsewhere or service is not None else Owner.UNKNOWN


def hints_of(labels: Labels) -> tuple[str, ...]:
    """Return what a series says of whose it is; none: it can only be told by its namespace, if at all."""
    named = [labels[pod] for _, pod in PAIRS if labels.get(pod)]
    services = [labels[name] for name in SERVICE_LABELS if labels.get(name)][:1]
    if not named and not services:
        return ()
    host = _host(labels.get("instance", ""))
    return tuple(dict.fromkeys(hint for hint in (*named, *services, host, host.partition(".")[0]) if hint))


def hints_to(pods: Pods) -> tuple[str, ...]:
    """Return by which of these hints a series may be of these pods."""
    return (*pods.names, *pods.addresses, pods.service)


def _is_service(host: str, pods: Pods) -> bool:
    """Whether a host is the Service's own name: `agent-v2`, `agent-v2.agents.svc`."""
    name, _, rest = host.partition(".")
    return name == pods.service and rest.partition(".")[0] in ("", pods.namespace)


def _host(instance: str) -> str:
    """Return the address of `10.0.0.7:8000` or `[::1]:8000`."""
    if instance.startswith("["):
        return instance[1:].partition("]")[0]
    return instance.rpartition(":")[0] if ":" in instance else instance


def is_scoped(selector: str) -> bool:
    """Whether a selector names the Service or the Rollout: then its author has told whose series it means."""
    return bool({"service", "name"} & template_names(selector))


def is_routers(selector: str) -> bool:
    """Whether a selector counts what a router counts."""
    return selector.lstrip().startswith(ROUTER_PREFIXES)


def foreign_problem(
    selector: str, series_labels: Iterable[Labels], pods: Pods, *, is_preset: bool
) -> tuple[str, list[bool]]:
    """Return why a selector's series cannot be used, or an empty text; and which of them are ours."""
    series = list(series_labels)
    if is_scoped(selector) and not is_preset:
        return "", [True] * len(series)
    if is_routers(selector) and not is_preset:
        example = 'destination_service_name="$service"'
        return f"{selector} counts what a router counts for everybody: add a label that tells, such as {example}", []
    if series and pods.problem:
        return pods.problem, []
    owners = [whose(labels, pods) for labels in series]
    if Owner.UNKNOWN in owners:
        add = "pod, service or instance"
        return f"{selector} has series that do not say which agent they are of: add one of the labels {add}", []
    if Owner.FOREIGN in owners and not is_preset:
        example = 'namespace="$namespace",service="$service"'
        return f"{selector} also counts another agent: add labels that tell this one's, such as {example}", []
    return "", [owner is Owner.OURS for owner in owners]


def gateway_problem(clusters: Iterable[str], service: str, namespace: str) -> tuple[str, list[bool]]:
    """Return why a gateway's clusters cannot be told apart, or an empty text; and which are this Service's.

    Names are the gateway's: `outbound|8000||agent-v2.agents.svc.cluster.local`, `agents/agent-v2/8000`. Where a name
    has the namespace beside the Service it is sure; where no name has it, all must be one.
    """
    names = list(clusters)
    sure = [_names_namespace(name, service, namespace) for name in names]
    if any(owner is True for owner in sure):
        return "", [owner is True for owner in sure]
    open_ = [owner is None for owner in sure]
    prefixes = {
        re.split(re.escape(service), name, maxsplit=1)[0] for name, owner in zip(names, open_, strict=True) if owner
    }
    if len(prefixes) > 1:
        named = ", ".join(sorted(prefixes)[:4])
        return f"several clusters are named after {service} ({named}): count by one with the namespace in its name", []
    return "", open_


def _names_namespace(name: str, service: str, namespace: str) -> bool | None:
    """Whether a cluster's name has the namespace beside the Service; None where it has none that can be told."""
    match = re.search(
        rf"(?:^|[|/_:])(?:(?P<before>[a-z0-9-]+)[/_:])?{re.escape(service)}(?P<after>\.[a-z0-9-]+)?(?:$|[|/_:.])", name
    )
    if match is None:
        return False
    if match.group("after") is not None:
        return match.group("after")[1:] == namespace
    return True if match.group("before") == namespace else None
