"""The world of tests/fakes/clustered.py on a real API server, the controller under its ServiceAccount's own token."""

from __future__ import annotations

from rollout.adapters.kubernetes.api import HttpApi, configured
from rollout.adapters.kubernetes.resources import Kind
from tests.cluster.server import Server
from tests.fakes.clustered import ClusterWorld

ACCOUNT = "system:serviceaccount:rollout-system:rollout-controller"


class AdminApi(HttpApi):
    """Whoever arranges things deletes objects as they are."""

    def delete(self, kind: Kind, namespace: str, name: str, version: str = "") -> None:
        del version
        self._call("DELETE", kind.path(namespace, name))


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

    def start(self, **settings):
        return super().start(**{"namespace": self.namespace, **settings})
