"""Releases with nothing faked on the way: API server, istiod, the gateway's Envoy, Prometheus, agents, users, the daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack

import pytest

from rollout.adapters.kubernetes.resources import (
    DESTINATION_RULE,
    ENDPOINT_SLICE,
    HTTP_ROUTE,
    POLICY,
    ROLLOUT,
    SERVICE,
    VIRTUAL_SERVICE,
)
from tests.fakes import agents
from tests.integration.agents import PIN, Agent, Users, ask
from tests.integration.prometheus import Prometheus
from tests.integration.talks import Talks
from tests.integration.test_cluster import POLICY_SPEC
from tests.mesh.plane import GATEWAY, HOST, ISTIO_GATEWAY, PORT, Plane, istiod, running_pod
from tests.network import free_port
from tests.waiting import eventually

pytestmark = pytest.mark.real
LISTENER = {"name": "http", "port": 80, "protocol": "HTTP"}


class Mesh:
    """An agent in two versions behind an Istio gateway, in a namespace of its own."""

    def __init__(self, server, namespace, path):
        self.server, self.namespace, self.path = server, namespace, path
        self.close = ExitStack()
        self.api = server.api
        self.agents = {}
        for each in sorted((istiod() / "definitions").glob("*.yaml")):
            server.kubectl("apply", "--server-side", "-f", str(each))
        server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        self.plane = Plane(server, namespace, path)
        self.close.callback(self.plane.close)
        for number, version in enumerate(("v1", "v2"), 11):
            self.agents[version] = agent = Agent(version, host=f"198.18.0.{number}", pins=True)
            self.close.callback(agent.close)
            labels = {"app": f"agent-{version}", "version": version}
            running_pod(self.api, namespace, f"agent-{version}", agent.host, labels)
            agents.version(self.api, version, namespace=namespace, address=agent.host, port=agent.port)
        targets = {
            "agents": ("/metrics", [f"{each.host}:{each.port}" for each in self.agents.values()]),
            "gateway": ("/stats/prometheus", [self.plane.admin]),
        }
        self.prometheus = Prometheus(path, targets)
        self.close.callback(self.prometheus.close)
        policy = {"apiVersion": POLICY.api_version, "kind": "RolloutPolicy", "metadata": {"name": "quick"}}
        self.api.create(POLICY, namespace, {**policy, "spec": POLICY_SPEC})

    def route(self, kind, *, subsets=False, **spec_of_rollout):
        """Create the route, the gateway as users of either API write it, and the Rollout."""
        made, spec = agents.route(kind=kind), {"gatewayClassName": "istio", "listeners": [LISTENER]}
        if kind == "httpRoute":
            made["spec"]["rules"][0]["matches"] = [{"path": {"type": "PathPrefix", "value": "/health"}}]
            spec["addresses"] = [{"type": "Hostname", "value": f"edge.{self.namespace}.svc.cluster.local"}]
            self._create(GATEWAY, "gateway", spec)
        else:
            made["spec"] |= {"hosts": ["*"], "gateways": ["gateway"]}
            for backend, subset in zip(made["spec"]["http"][1]["route"] if subsets else (), self.agents, strict=False):
                backend["destination"] |= {"host": "web", "subset": subset}
            made["spec"]["http"][0]["match"] = [{"uri": {"prefix": "/health"}}]
            server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
            self._create(ISTIO_GATEWAY, "gateway", {"selector": {"app": "edge"}, "servers": [server]})
        self.api.create(HTTP_ROUTE if kind == "httpRoute" else VIRTUAL_SERVICE, self.namespace, made)
        self.api.create(ROLLOUT, self.namespace, agents.rollout(self.prometheus.url, kind=kind, **spec_of_rollout))

    def subsets(self):
        """Put both versions behind one Service, told apart by the subsets of a DestinationRule."""
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"ports": [{"port": 8000}]},
        }
        self.api.create(SERVICE, self.namespace, service)
        for version, agent in self.agents.items():
            pod = {"kind": "Pod", "name": f"agent-{version}", "namespace": self.namespace}
            endpoint = {"addresses": [agent.host], "conditions": {"ready": True}, "targetRef": pod}
            metadata = {"name": f"web-{version}", "labels": {"kubernetes.io/service-name": "web"}}
            body = {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "addressType": "IPv4",
                "metadata": metadata,
            }
            ports = [{"port": agent.port}]
            self.api.create(ENDPOINT_SLICE, self.namespace, {**body, "endpoints": [endpoint], "ports": ports})
        listed = [{"name": version, "labels": {"version": version}} for version in self.agents]
        self._create(DESTINATION_RULE, "web", {"host": "web", "subsets": listed})

    def _create(self, kind, name, spec):
        made = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": spec}
        self.api.create(kind, self.namespace, made)
        # Istio's gateways of other namespaces would serve the next test's users too.
        self.close.callback(self.server.kubectl, "delete", "-n", self.namespace, f"{kind.plural}.{kind.group}", name)

    def status(self):
        return self.api.get(ROLLOUT, self.namespace, "agent").get("status", {})

    def daemon(self):
        account = self.server.service_account("rollout-system", "rollout-controller")
        command = [sys.executable, "-m", "rollout.cli.app", "daemon", "--kubeconfig", str(account), "-A"]
        with (self.path / "daemon.log").open("a") as log:
            listen = f"127.0.0.1:{free_port()}"
            process = subprocess.Popen([*command, "--listen", listen], stdout=log, stderr=log)
        self.close.callback(process.wait, 60)
        self.close.callback(process.terminate)
        return process

    def until(self, holds):
        why = lambda: json.dumps(self.status())
        try:
            eventually(lambda: holds(self.status()), 100)
        except AssertionError:
            raise AssertionError(why()) from None


@pytest.fixture
def mesh(server, namespace, tmp_path):
    made = Mesh(server, namespace, tmp_path)
    with made.close:
        yield made


def settled(version):
    return lambda status: status.get("stableVersion") == version and status.get("phase") == "Stable"


@pytest.mark.parametrize("kind", ["httpRoute", "virtualService"])
def test_a_good_version_is_promoted_and_a_bad_one_sent_back_through_istio(mesh, kind):
    mesh.route(kind)
    eventually(mesh.plane.is_programmed, 120)
    with Users(f"{HOST}:{PORT}", rate=100) as users:
        mesh.daemon()
        mesh.until(settled("v1"))
        mesh.api.merge(ROLLOUT, mesh.namespace, "agent", {"spec": {"version": "v2"}})
        mesh.until(settled("v2"))
        assert mesh.status()["result"] == "promoted"
        mesh.agents["v1"].failing = 0.6
        mesh.api.merge(ROLLOUT, mesh.namespace, "agent", {"spec": {"version": "v1"}})
        mesh.until(lambda status: status.get("phase") == "RolledBack")
        assert "task-success" in mesh.status()["message"]
    assert users.lost == [] and users.by_version["v1"] > 100 and users.by_version["v2"] > 100


def test_versions_of_one_service_are_released_by_subset_through_istio(mesh):
    mesh.subsets()
    backends = {"service": "web", "subset": "$version", "deployment": "agent-$version", "port": 8000}
    mesh.route("virtualService", subsets=True, backends=backends)
    eventually(lambda: mesh.plane.is_programmed() and ask(f"{HOST}:{PORT}")[0] == 200, 120)
    with Users(f"{HOST}:{PORT}", rate=100) as users:
        mesh.daemon()
        mesh.until(settled("v1"))
        mesh.api.merge(ROLLOUT, mesh.namespace, "agent", {"spec": {"version": "v2"}})
        mesh.until(settled("v2"))
        assert mesh.status()["result"] == "promoted"
    assert users.lost == [] and users.by_version["v1"] > 100 and users.by_version["v2"] > 100


PINNED = {
    "pin": {"header": PIN},
    "started": "split",
    "turns": 1,
    "census": {"gauge": 'agent_conversations_open{version="$version"}'},
}


@pytest.mark.parametrize("kind", ["httpRoute", "virtualService"])
def test_conversations_stay_on_their_version_through_istio_and_the_old_one_is_drained(mesh, kind):
    mesh.route(kind, conversations=PINNED)
    eventually(lambda: mesh.plane.is_programmed() and ask(f"{HOST}:{PORT}")[0] == 200, 120)
    with Talks(f"{HOST}:{PORT}") as talks:
        mesh.daemon()
        mesh.until(settled("v1"))
        mesh.api.merge(ROLLOUT, mesh.namespace, "agent", {"spec": {"version": "v2"}})
        mesh.until(settled("v2"))
        assert mesh.status()["result"] == "promoted"
        mesh.until(lambda status: not status.get("draining"))
    assert talks.lost == [] and talks.hopped == [] and len(talks.whole) > 50
    assert {version for _, version in talks.began} == {"v1", "v2"}
    left = [route["metadata"]["name"] for route in mesh.api.list_all(HTTP_ROUTE, mesh.namespace)[0]]
    assert left == (["agent"] if kind == "httpRoute" else []), "nothing of ours is left"
