"""The dashboard on a real API server: each user sees and does what their own token may."""

from __future__ import annotations

import contextlib
import re
import uuid

import pytest
from starlette.testclient import TestClient

from rollout.adapters.kubernetes.api import HttpApi
from rollout.adapters.kubernetes.kubeconfig import configured
from rollout.adapters.kubernetes.on_behalf import with_token
from rollout.adapters.kubernetes.resources import ROLLOUT
from rollout.dashboard.access import ClusterTokens
from rollout.dashboard.app import dashboard
from rollout.dashboard.cluster_source import ClusterSource
from rollout.dashboard.sessions import Sessions
from rollout.runtime.clock import WallClock
from tests.cluster.server import NAMESPACE
from tests.cluster.world import RealWorld

pytestmark = pytest.mark.real
ADDRESS = "http://dashboard.example"


@pytest.fixture(scope="module")
def world(server):
    """A rollout that a controller carries out; ada may edit rollouts, bob may only see them."""
    for user, role in (("ada", "edit"), ("ada", "view"), ("bob", "view")):
        name = f"dashboard-{user}-{role}"
        server.kubectl("create", "clusterrolebinding", name, f"--clusterrole=rollout-{role}", f"--user={user}")
    namespace = f"t-{uuid.uuid4().hex[:8]}"
    server.api.create(NAMESPACE, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    with RealWorld(server, namespace) as world:
        world.until(lambda status: status.get("stableVersion") == "v1")
        yield world


@contextlib.contextmanager
def browsing(server, **headers):
    """A client of a dashboard whose own credential may do everything."""
    configuration, _ = configured(server.kubeconfig)

    def source_of(token):
        return ClusterSource(
            HttpApi(with_token(configuration, token), agent="rollout-dashboard"), None, "all namespaces"
        )

    sessions = Sessions(WallClock())
    served = dashboard(ClusterTokens(source_of, sessions, "x-forwarded-access-token"), sessions, WallClock())
    with TestClient(served.asgi, base_url=ADDRESS, headers=headers) as client:
        yield client


def csrf(page):
    return re.search(r'name="csrf" value="([^"]+)"', page)[1]


def test_who_brings_no_token_sees_nothing(server, world):
    with browsing(server) as client:
        answer = client.get(f"/rollouts/{world.namespace}/agent")
        assert answer.status_code == 401 and "Paste a token" in answer.text


@pytest.mark.parametrize("token", ["nobody-token", "", "ada-token2"])
def test_a_token_that_the_cluster_does_not_know_is_refused(server, world, token):
    with browsing(server) as client:
        answer = client.post("/sign-in", data={"token": token})
        assert answer.status_code == 403 and client.get("/").status_code == 401


def test_a_user_signs_in_sees_the_rollout_and_is_recorded_under_their_own_name(server, world):
    with browsing(server) as client:
        assert client.post("/sign-in", data={"token": "ada-token"}).status_code == 200
        page = client.get(f"/rollouts/{world.namespace}/agent").text
        assert "<span>ada</span>" in page
        client.post(f"/rollouts/{world.namespace}/agent/abort", data={"csrf": csrf(page), "reason": "from the browser"})
        command = world.status()["lastCommand"]
        assert (command["verb"], command["actor"], command["reason"]) == ("abort", "ada", "from the browser")


def test_a_user_who_may_only_see_is_refused_by_the_api_server(server, world):
    before = server.api.get(ROLLOUT, world.namespace, "agent")["metadata"].get("annotations")
    with browsing(server, Authorization="Bearer bob-token") as client:
        page = client.get(f"/rollouts/{world.namespace}/agent").text
        assert "<span>bob</span>" in page
        answer = client.post(f"/rollouts/{world.namespace}/agent/abort", data={"csrf": csrf(page)})
        assert "cannot patch" in answer.text and 'class="notice bad"' in answer.text
    assert server.api.get(ROLLOUT, world.namespace, "agent")["metadata"].get("annotations") == before


def test_a_proxys_header_carries_the_user_too(server, world):
    with browsing(server, **{"X-Forwarded-Access-Token": "bob-token"}) as client:
        assert "<span>bob</span>" in client.get("/").text
