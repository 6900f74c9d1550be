"""A real mesh on one machine: istiod beside a real API server, and a gateway's Envoy that it programs.

The API server refuses endpoints on 127.0.0.1, so agents and gateway live on 198.18.0.0/24 (RFC 2544, for tests), on the
loopback device of a network of the tests' own: see `make test-mesh`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import SERVICE, Kind
from rollout.adapters.routers.envoy_managed import find_envoy
from rollout.errors import ClusterUnavailable
from tests.cluster.server import CACHE, NAMESPACE, Server
from tests.network import free_port

GATEWAY = Kind("Gateway", "gateways", "gateway.networking.k8s.io", "v1")
ISTIO_GATEWAY = Kind("Gateway", "gateways", "networking.istio.io", "v1")
POD = Kind("Pod", "pods", "")
HOST = "198.18.0.10"
PORT = 8080
READY_S = 120.0


def istiod() -> Path | None:
    """Return the folder that `make mesh-binaries` has built last; None if it was never run."""
    built = sorted((CACHE.parent / "mesh").glob("*/complete"), key=lambda each: each.stat().st_mtime)
    return built[-1].parent if built else None


def has_network() -> bool:
    """Whether this process is in a network of the tests' own."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, 0))
        except OSError:
            return False
    return True


def running_pod(api: Api, namespace: str, name: str, address: str, labels: dict[str, str]) -> None:
    """Create a Pod as a kubelet leaves it: istiod sends nothing to an endpoint whose Pod is not there."""
    container = {"name": "main", "image": "main"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [container]},
    }
    end = time.monotonic() + READY_S
    while True:  # the namespace's ServiceAccount, which a Pod needs, comes a moment later
        try:
            api.create(POD, namespace, pod)
            break
        except ClusterUnavailable:
            assert time.monotonic() < end, "the namespace gets no ServiceAccount"
            time.sleep(0.2)
    conditions = [
        {"type": each, "status": "True"} for each in ("Ready", "ContainersReady", "Initialized", "PodScheduled")
    ]
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions}
    api.merge(POD, namespace, name, {"status": status}, sub="status")


class Plane:
    """istiod and one gateway `edge` in a namespace. Close it after use."""

    def __init__(self, server: Server, namespace: str, path: Path) -> None:
        self.path, self.folder = path, istiod()
        assert self.folder is not None
        self.grpc, self.admin = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._create_edge(server, namespace)
        (path / "mesh.json").write_text(json.dumps({"enableAutoMtls": False}))
        self._run(
            "istiod", str(self.folder / "istiod"), "discovery", "--kubeconfig", str(server.kubeconfig), "--grpcAddr", self.grpc,
            "--secureGRPCAddr", "", "--httpsAddr", "", "--httpAddr", f"127.0.0.1:{free_port()}", "--monitoringAddr",
            f"127.0.0.1:{free_port()}", "--meshConfig", str(path / "mesh.json"), "--ctrlz_port", "0",
        )  # fmt: skip
        (path / "envoy.json").write_text(json.dumps(self._bootstrap(namespace)))
        self._run(
            "envoy",
            find_envoy(),
            "--config-path",
            str(path / "envoy.json"),
            "--disable-hot-restart",
            "--log-level",
            "warn",
        )

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait(10)

    def last_words(self) -> str:
        return "\n".join((self.path / f"{name}.log").read_text()[-3000:] for name in self.processes)

    def is_programmed(self) -> bool:
        """Whether the gateway listens."""
        assert all(each.poll() is None for each in self.processes.values()), self.last_words()
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex((HOST, PORT)) == 0

    def _run(self, name: str, *command: str) -> None:
        environment = {
            **os.environ,
            "POD_NAMESPACE": "istio-system",
            "ENABLE_CA_SERVER": "false",
            "PILOT_CERT_PROVIDER": "none",
            "INJECT_ENABLED": "false",
            "VALIDATION_WEBHOOK_CONFIG_NAME": "",
            "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER": "false",
            "PILOT_ENABLE_METADATA_EXCHANGE": "false",  # this and the next: filters that only Istio's own Envoy has
            "PILOT_ENABLE_ALPN_FILTER": "false",
        }
        with (self.path / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.path, env=environment)

    def _create_edge(self, server: Server, namespace: str) -> None:
        api = server.api
        if not any(each["metadata"]["name"] == "istio-system" for each in api.list_all(NAMESPACE, "")[0]):
            api.create(NAMESPACE, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}})
        labels = {"app": "edge"}
        service = {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": PORT}]}
        api.create(
            SERVICE, namespace, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "edge"}, "spec": service}
        )
        running_pod(api, namespace, "edge", HOST, labels)

    def _bootstrap(self, namespace: str) -> dict:
        host, port = self.grpc.split(":")
        admin_host, admin_port = self.admin.split(":")
        endpoint = {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}}
        http2 = {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
        ads = {"ads": {}, "resource_api_version": "V3"}
        return {
            "node": {
                "id": f"router~{HOST}~edge.{namespace}~{namespace}.svc.cluster.local",
                "cluster": f"edge.{namespace}",
                "metadata": {"NAMESPACE": namespace, "LABELS": {"app": "edge"}, "ISTIO_VERSION": "1.31.0"},
            },
            "admin": {"address": {"socket_address": {"address": admin_host, "port_value": int(admin_port)}}},
            "stats_config": {"stats_tags": [{"tag_name": "cluster_name", "regex": "^cluster(\\.(.+);)"}]},
            "dynamic_resources": {
                "ads_config": {
                    "api_type": "GRPC",
                    "transport_api_version": "V3",
                    "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
                },
                "cds_config": ads,
                "lds_config": ads,
            },
            "static_resources": {
                "clusters": [
                    {
                        "name": "xds",
                        "type": "STATIC",
                        "connect_timeout": "1s",
                        "typed_extension_protocol_options": {
                            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2
                        },
                        "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [endpoint]}]},
                    }
                ]
            },
        }
