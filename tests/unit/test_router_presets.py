"""What each router emits, by the names that it gives, counts for the version behind it and for nobody else."""

from __future__ import annotations

import time

import pytest

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics.backend_names import backend_names
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.metrics.prometheus_connection import Access
from rollout.adapters.metrics.prometheus_source import PrometheusSource
from rollout.model.api.kpi import Kpi
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends
from tests.fakes import prometheus


def envoy(name):
    """Counters of a cluster of Envoy. name: with {ns} and {service} in it."""

    def add(server, namespace, service, good, bad):
        cluster = name.format(ns=namespace, service=service)
        server.add("envoy_cluster_upstream_rq_completed", good + bad, envoy_cluster_name=cluster, pod="gateway-1")
        server.add(
            "envoy_cluster_upstream_rq_xx",
            bad,
            envoy_cluster_name=cluster,
            envoy_response_code_class="5",
            pod="gateway-1",
        )

    return add


def istio(reporter):
    def add(server, namespace, service, good, bad):
        labels = {"destination_service_name": service, "destination_service_namespace": namespace, "reporter": reporter}
        server.add("istio_requests_total", good, response_code="200", **labels)
        server.add("istio_requests_total", bad, response_code="503", **labels)

    return add


def linkerd(server, namespace, service, good, bad):
    labels = {"backend_name": service, "backend_namespace": namespace, "route_name": "agent", "pod": "caller-1"}
    server.add("outbound_http_route_backend_response_statuses_total", good, http_status="200", error="", **labels)
    server.add("outbound_http_route_backend_response_statuses_total", bad - 1, http_status="503", error="", **labels)
    server.add("outbound_http_route_backend_response_statuses_total", 1, http_status="", error="FAIL_FAST", **labels)


def traefik(server, namespace, service, good, bad):
    name = f"{namespace}-{service}-http-8000@kubernetesgateway"
    server.add("traefik_service_requests_total", good, service=name, code="200", method="POST")
    server.add("traefik_service_requests_total", bad, service=name, code="502", method="POST")


ROUTERS = {
    "Istio's sidecars": ("istio/errors", {}, istio("source")),
    "Istio's waypoints": ("istio/errors", {"reporter": "waypoint"}, istio("waypoint")),
    "an Istio gateway by Envoy's counters": (
        "gateway/errors", {}, envoy("outbound|8000||{service}.{ns}.svc.cluster.local"),
    ),
    "Cilium": ("gateway/errors", {}, envoy("ingress/cilium-gateway-web/{ns}_{service}_8000")),
    "kgateway": ("gateway/errors", {}, envoy("kube_{ns}_{service}_8000")),
    "Linkerd": ("linkerd/errors", {}, linkerd),
    "Traefik": ("traefik/errors", {}, traefik),
}  # fmt: skip


@pytest.mark.parametrize("router", ROUTERS)
def test_requests_and_failures_of_each_version_are_counted_and_no_others(router):
    preset, given, add = ROUTERS[router]
    server = prometheus.FakePrometheus()
    for namespace, service, good, bad in (
        ("agents", "agent-v1", 90, 10),
        ("agents", "agent-v2", 40, 5),
        ("agents", "agent-v2-beta", 1000, 1000),
        ("agents", "my-agent-v2", 1000, 1000),
        ("other", "agent-v2", 1000, 1000),
    ):
        add(server, namespace, service, good, bad)
    naming = Naming("agent", "agents", Backends(service="$name-$version"))
    kpi = Kpi.model_validate({"name": "errors", "preset": preset, "with": given, "margin": {"absolute": "1%"}})
    with prometheus.serving(server) as url:
        source = PrometheusSource(
            PrometheusClient(Access(url)), "agent", "agents", backend_names(naming),
            requests=None, stale_after_s=120.0, now=time.time,
            pods_of=lambda version: Pods(f"agent-{version}", "agents", frozenset({f"agent-{version}-0"})),
        )  # fmt: skip
        read = source.read("v1", "v2", (kpi,))
    reading = read.kpis["errors"]
    assert reading.problem == ""
    counted = [(sum(arm.bad.values()), sum(arm.total.values())) for arm in (reading.stable, reading.candidate)]
    assert counted == [(10, 100), (5, 45)]
    assert sum(read.requests.candidate.total.values()) == 45, "the split is measured by the router"
