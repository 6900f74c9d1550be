"""KPIs that most people want, as data. A preset's names in capitals come from the KPI's `with`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Preset:
    """Two selectors, and what is filled in.

    Attributes:
        good: whether the first counts good outcomes.
        names: metrics and labels that may be called otherwise, with what they are usually called.
        place: where it can be read, if not everywhere.
    """

    counted: str
    total: str
    good: bool = False
    durations_ms: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    among: str | None = None
    bounds_ms: tuple[float, ...] = ()
    what: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    place: Literal["machine", "cluster", ""] = ""
    seconds: bool = False


ENVOY_BOUNDS_MS = (0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1e3, 2.5e3, 5e3, 1e4, 3e4, 6e4, 3e5, 6e5, 1.8e6, 3.6e6)
"""Envoy's histogram buckets, which are fixed; Istio's are the same."""

_ISTIO = 'reporter="$reporter",destination_service_name="$service",destination_service_namespace="$namespace"$ofSubset'
_GATEWAY = '$label=~"(.*[|/_])?$cluster([|/_:.].*)?"'
_REPORTER = {"reporter": "source"}
_LINKERD = 'backend_name="$service",backend_namespace="$namespace"'
_TRAEFIK = 'service=~"$namespace-$service-[a-z0-9]+-[0-9]+@kubernetesgateway"'
_GATEWAY_NAMES = {"label": "envoy_cluster_name"}
_OTEL = {"versionLabel": "service_version"}
_AGENT = {"versionLabel": "version"}

PRESETS: dict[str, Preset] = {
    "envoy/errors": Preset(
        'envoy_cluster_upstream_rq_xx{envoy_cluster_name="$name/$version",envoy_response_code_class="5"}',
        'envoy_cluster_upstream_rq_completed{envoy_cluster_name="$name/$version"}',
        what="answers 5xx and refused connections, as the router saw them",
        place="machine",
    ),
    "envoy/slow-requests": Preset(
        'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="$name/$version",le="$slowerThan"}',
        'envoy_cluster_upstream_rq_time_count{envoy_cluster_name="$name/$version"}',
        good=True,
        durations_ms=("slowerThan",),
        bounds_ms=ENVOY_BOUNDS_MS,
        what="requests slower than a bucket bound, as the router saw them",
        place="machine",
    ),
    "gateway/errors": Preset(
        f'$failed{{{_GATEWAY},envoy_response_code_class="5"}}',
        f"$requests{{{_GATEWAY}}}",
        names={
            "failed": "envoy_cluster_upstream_rq_xx",
            "requests": "envoy_cluster_upstream_rq_completed",
            **_GATEWAY_NAMES,
        },
        what="answers 5xx and refused connections, as the gateway saw them",
        place="cluster",
    ),
    "gateway/slow-requests": Preset(
        f'${{histogram}}_bucket{{{_GATEWAY},le="$slowerThan"}}',
        f"${{histogram}}_count{{{_GATEWAY}}}",
        good=True,
        durations_ms=("slowerThan",),
        bounds_ms=ENVOY_BOUNDS_MS,
        names={"histogram": "envoy_cluster_upstream_rq_time", **_GATEWAY_NAMES},
        what="requests slower than a bucket bound, as the gateway saw them",
        place="cluster",
    ),
    "istio/errors": Preset(
        f'$requests{{{_ISTIO},response_code=~"5.."}}',
        f"$requests{{{_ISTIO}}}",
        names={"requests": "istio_requests_total", **_REPORTER},
        what="answers 5xx and failed connections, as the callers' side saw them",
        place="cluster",
    ),
    "istio/grpc-errors": Preset(
        f'$requests{{{_ISTIO},grpc_response_status=~"2|4|8|12|13|14|15"}}',
        f"$requests{{{_ISTIO}}}",
        names={"requests": "istio_requests_total", **_REPORTER},
        what="gRPC calls that failed by the server's fault, also those that answer HTTP 200",
        place="cluster",
    ),
    "istio/slow-requests": Preset(
        f'${{histogram}}_bucket{{{_ISTIO},le="$slowerThan"}}',
        f"${{histogram}}_count{{{_ISTIO}}}",
        good=True,
        durations_ms=("slowerThan",),
        bounds_ms=ENVOY_BOUNDS_MS,
        names={"histogram": "istio_request_duration_milliseconds", **_REPORTER},
        what="requests slower than a bucket bound, as the callers' side saw them",
        place="cluster",
    ),
    "linkerd/errors": Preset(
        f'$responses{{{_LINKERD},http_status!~"[1234].."}}',
        f"$responses{{{_LINKERD}}}",
        names={"responses": "outbound_http_route_backend_response_statuses_total"},
        what="answers 5xx and requests without an answer, as the callers' side saw them",
        place="cluster",
    ),
    "linkerd/slow-requests": Preset(
        f'${{histogram}}_bucket{{{_LINKERD},le="$slowerThan"}}',
        f"${{histogram}}_count{{{_LINKERD}}}",
        good=True,
        durations_ms=("slowerThan",),
        seconds=True,
        names={"histogram": "outbound_http_route_backend_response_duration_seconds"},
        what="requests slower than a bucket bound, as the callers' side saw them",
        place="cluster",
    ),
    "traefik/errors": Preset(
        f'$requests{{{_TRAEFIK},code=~"5.."}}',
        f"$requests{{{_TRAEFIK}}}",
        names={"requests": "traefik_service_requests_total"},
        what="answers 5xx and refused connections, as the gateway saw them",
        place="cluster",
    ),
    "traefik/slow-requests": Preset(
        f'${{histogram}}_bucket{{{_TRAEFIK},le="$slowerThan"}}',
        f"${{histogram}}_count{{{_TRAEFIK}}}",
        good=True,
        durations_ms=("slowerThan",),
        seconds=True,
        names={"histogram": "traefik_service_request_duration_seconds"},
        what="requests slower than a bucket bound, as the gateway saw them",
        place="cluster",
    ),
    "otel-genai/errors": Preset(
        '${histogram}_count{$versionLabel="$version",error_type!=""}',
        '${histogram}_count{$versionLabel="$version"}',
        names={"histogram": "gen_ai_client_operation_duration_seconds", **_OTEL},
        what="calls of models that failed",
    ),
    "otel-genai/slow-operations": Preset(
        '${histogram}_bucket{$versionLabel="$version",le="$slowerThan"}',
        '${histogram}_count{$versionLabel="$version"}',
        good=True,
        durations_ms=("slowerThan",),
        seconds=True,
        names={"histogram": "gen_ai_client_operation_duration_seconds", **_OTEL},
        what="calls of models slower than a bucket bound",
    ),
    "otel-genai/tokens": Preset(
        '${histogram}_bucket{$versionLabel="$version",le="$moreThan"}',
        '${histogram}_count{$versionLabel="$version"}',
        good=True,
        numbers=("moreThan",),
        names={"histogram": "gen_ai_client_token_usage", **_OTEL},
        what="calls of models that took more tokens than a bucket bound",
    ),
    "agent-tasks": Preset(
        '$failed{$versionLabel="$version"}',
        '$started{$versionLabel="$version"}',
        names={"failed": "agent_tasks_failed_total", "started": "agent_tasks_started_total", **_AGENT},
        what="failed tasks over started ones, as the agent counts them",
    ),
    "agent-tokens": Preset(
        '${histogram}_bucket{$versionLabel="$version",le="$moreThan"}',
        '${histogram}_count{$versionLabel="$version"}',
        good=True,
        numbers=("moreThan",),
        names={"histogram": "agent_task_tokens", **_AGENT},
        what="tasks that took more tokens than a bucket bound",
    ),
    "agent-cost": Preset(
        '${histogram}_bucket{$versionLabel="$version",le="$moreThan"}',
        '${histogram}_count{$versionLabel="$version"}',
        good=True,
        numbers=("moreThan",),
        names={"histogram": "agent_task_cost_dollars", **_AGENT},
        what="tasks that cost more than a bucket bound",
    ),
    "agent-conversations": Preset(
        '$failed{$versionLabel="$version",begun="lately"}',
        '$finished{$versionLabel="$version",begun="lately"}',
        names={
            "failed": "agent_conversations_failed_total",
            "finished": "agent_conversations_finished_total",
            **_AGENT,
        },
        what="failed conversations over finished ones, among those that began lately (rollout.agent counts them)",
    ),
    "agent-feedback": Preset(
        '$negative{$versionLabel="$version"}',
        '$given{$versionLabel="$version"}',
        among='$started{$versionLabel="$version"}',
        names={
            "negative": "agent_feedback_negative_total",
            "given": "agent_feedback_total",
            "started": "agent_tasks_started_total",
            **_AGENT,
        },
        what="complaints among the feedback that users gave; both versions' users must give it equally often",
    ),
}

ROUTERS = ("gateway", "istio", "linkerd", "traefik")
"""Families of presets whose counters are a router's: the split is measured by them."""

STARTED = 'agent_conversations_started_total{version="$version"}'
"""What the split is measured by where started conversations are pinned: only new ones are split."""

UNPINNED = 'agent_conversations_unpinned_total{version="$version"}'
"""Turns of open conversations that came without their pin (rollout.agent counts them)."""

REQUESTS = 'envoy_cluster_upstream_rq_completed{envoy_cluster_name="$name/$version"}'
"""What the split is measured by: requests as the router counts them."""

ROUTER_PREFIX = "envoy_"
"""Metrics named so are read from the router's page, all others from the agents' own."""
