"""A small kind of its own, and the API over HTTP that serves it: for tests of requests, whatever the kind."""

from __future__ import annotations

from contextlib import contextmanager

from rollout.adapters.kubernetes.api import HttpApi
from rollout.adapters.kubernetes.kubeconfig import configured
from rollout.adapters.kubernetes.resources import Kind
from tests.fakes.server import kubeconfig, serving

WIDGET = Kind("Widget", "widgets", "example.dev")
STRANGER = Kind("Stranger", "strangers", "nobody.dev")


def widget(name="a", **spec):
    return {
        "apiVersion": "example.dev/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"version": "v1", **spec},
    }


@contextmanager
def http(cluster, tmp_path, *, token="secret-token", timeout_s=2.0, **more):
    with serving(cluster, token="secret-token") as url:
        configuration, namespace = configured(kubeconfig(tmp_path / "kubeconfig", url, token))
        assert namespace == "default"
        yield HttpApi(configuration, agent="rollout-test", read_timeout_s=timeout_s, **more)
