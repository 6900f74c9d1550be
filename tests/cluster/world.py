"""The world of tests/fakes/clustered.py on a real API server, the controller under its ServiceAccount's own token."""

from __future__ import annotations

import contextlib
import threading

from rollout.adapters.kubernetes.api import HttpApi
from rollout.adapters.kubernetes.kubeconfig import configured
from rollout.adapters.kubernetes.resources import POD, Kind
from rollout.errors import ClusterUnavailable
from tests.cluster.server import Server
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld

ACCOUNT = "system:serviceaccount:rollout-system:rollout-controller"


class AdminApi(HttpApi):
    """Whoever arranges things deletes objects as they are."""

    def delete(self, kind: Kind, namespace: str, name: str, version: str = "") -> None:
        del version
        self._call("DELETE", kind.path(namespace, name))


class Kubelet:
    """Says of every pod that it runs and is ready, and is its Service's endpoint, as a node and a controller would.

    named: the newest pod, by app and version.
    """

    def __init__(self, api, namespace: str) -> None:
        self.api, self.namespace, self.named = api, namespace, {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._thread.join(10)

    def _run(self):
        while not self._stopped.wait(0.2):
            with contextlib.suppress(ClusterUnavailable):
                pods = [
                    pod for pod in self.api.list_all(POD, self.namespace)[0] if "version" in pod["metadata"]["labels"]
                ]
                for pod in pods:
                    self._take_up(pod, f"10.2.0.{len(self.named) + 2}")
                for service in agents.ROLES["roles"].values():
                    running = [pod for pod in pods if pod["metadata"]["labels"]["app"] == service]
                    addresses = {pod["metadata"]["name"]: pod["status"].get("podIP", "10.2.0.1") for pod in running}
                    agents.expose(self.api, service, addresses, namespace=self.namespace)

    def _take_up(self, pod, address):
        labels, name = pod["metadata"]["labels"], pod["metadata"]["name"]
        if pod["status"].get("phase") == "Running":
            return
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [ready]}
        self.api.merge(POD, self.namespace, name, {"status": status}, sub="status")
        self.named[labels["app"], labels["version"]] = name


class RealWorld(ClusterWorld):
    """One rollout in a namespace of its own."""

    address = "10.1.0.7"

    def __init__(self, server: Server, namespace: str, **more) -> None:
        self.server, self.namespace = server, namespace
        super().__init__(**more)

    def connect(self):
        return AdminApi(configured(self.server.kubeconfig)[0], agent="test", read_timeout_s=10)

    def controllers_api(self):
        account = self.server.service_account("rollout-system", "rollout-controller")
        return HttpApi(configured(account)[0], agent="rollout-controller")

    def roles(self):
        """Two Services with a role; their pods are made by the Deployments' own controllers, and run by ours."""
        agents.roles(self.api, namespace=self.namespace, pods=False)
        self.kubelet = self.close.enter_context(Kubelet(self.api, self.namespace))

    def run(self, service, which):
        agents.roll_out(self.api, service, which, namespace=self.namespace)
        self.runs[service] = which

    def pod_behind(self, service, which):
        return self.kubelet.named.get((service, which), "none-yet")

    def start(self, **settings):
        return super().start(**{"namespace": self.namespace, **settings})
