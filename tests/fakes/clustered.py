"""A whole world in a cluster: a fake API server, a gateway that takes routes up, a Prometheus, users, a controller."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from contextlib import ExitStack

from rollout.adapters.kubernetes.resources import EVENT, HTTP_ROUTE, POLICY, ROLLOUT
from rollout.adapters.metrics import prometheus_client
from rollout.adapters.storage import history_configmap
from rollout.adapters.storage.held_statuses import WriteTimings
from rollout.controller.controller import Controller, Settings
from rollout.controller.share import All
from rollout.errors import ClusterUnavailable
from rollout.model.status.cluster_status import unpacked
from rollout.runtime.logs import configure
from tests.fakes import agents, prometheus, shapes
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi

QUICKLY = WriteTimings(soonest_s=0.5, latest_s=1.0, spacing_s=0.05)
"""Samples are taken ten times as often as in life, and evidence is written as much sooner."""


class ClusterWorld:
    """One rollout `agent`, at v1, with v2 ready to be released. fails: the share of failed tasks by version.

    api: who arranges things; address: of the pods. A real API server has others (see tests/cluster).
    """

    namespace, address, name = "default", "127.0.0.1", "agent"

    def connect(self):
        """Return the API for whoever arranges things."""
        self.cluster = FakeCluster()
        return FakeApi(self.cluster, "test")

    def controllers_api(self):
        """Return the API as the controller has it."""
        return FakeApi(self.cluster)

    def __init__(
        self,
        *,
        kind="httpRoute",
        rate=2000,
        weights=(100, 0),
        versions=("v1", "v2"),
        policy=None,
        start=True,
        declared=True,
        shape=None,
        **spec,
    ):
        configure(verbose=False)
        self.api = self.connect()
        self.fails = {"v1": 0.02, "v2": 0.02, "v3": 0.02}
        self.rate, self.kind = rate, kind
        self.prometheus = prometheus.FakePrometheus()
        self.close = ExitStack()
        self.close.callback(setattr, prometheus_client, "SHARED_S", prometheus_client.SHARED_S)
        prometheus_client.SHARED_S = 0.02
        self.url = self.close.enter_context(prometheus.serving(self.prometheus))
        for each in ("v1", "v2"):
            agents.version(self.api, each, name=self.name, namespace=self.namespace, address=self.address)
        self.route_kind = {
            "httpRoute": HTTP_ROUTE,
            "grpcRoute": agents.GRPC_ROUTE,
            "virtualService": agents.VIRTUAL_SERVICE,
        }[kind]
        self.shape = shape
        if shape:
            self.kind, self.route_kind = next(iter(shape.route)), shape.kind
            spec = {"backends": shape.backends, "routes": [shape.route], **spec}
        route = agents.route(kind=kind, weights=weights, versions=versions)
        if shape:
            shapes.put(self.api, shape, self.namespace, self.address)
        elif "subset" in spec.get("backends", {}):
            agents.subsets(self.api, namespace=self.namespace)
            agents.by_subset(route)
        self.runs = None
        if "roles" in spec.get("backends", {}):
            self.roles()
            agents.by_role(route, kind)
            self.runs = {"web-stable": "v1", "web-canary": "v2"}
        if declared and not shape:
            self.api.create(self.route_kind, self.namespace, route)
        if declared:
            self.api.create(POLICY, self.namespace, policy or agents.policy())
            self.api.create(ROLLOUT, self.namespace, agents.rollout(self.url, kind=kind, **spec))
        self.gateway = self.close.enter_context(agents.Gateway(self.api, namespace=self.namespace))
        self.random = random.Random(1)
        self._stop = threading.Event()
        users = threading.Thread(target=self._users, daemon=True)
        users.start()
        self.close.callback(users.join, 5)
        self.close.callback(self._stop.set)
        self.controller = None
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.controller:
            self.controller.stop()
        self.close.close()

    def start(self, lease="", **settings):
        """Start a controller that leads."""
        self.leads = True
        settings = {"identity": "test", "workers": 2, "status_writes": QUICKLY, **settings}
        self.controller = Controller(self.controllers_api(), Settings(**settings), All(lambda: self.leads, lease))
        self.controller.start()
        self.controller.gain()
        return self.controller

    def shares(self):
        """Each version's weight in the route as it is now."""
        if self.shape:
            return self.shape.shares(self.api, self.namespace)
        found = self.api.get(self.route_kind, self.namespace, self.name)["spec"]
        if self.kind == "virtualService":
            return {
                each["destination"].get("subset", each["destination"]["host"].removeprefix("agent-")): each.get(
                    "weight", 0
                )
                for each in next(rule for rule in found["http"] if rule.get("name") in ("chat", "talk"))["route"]
            }
        chat = found["rules"][1 if len(found["rules"]) > 1 else 0]
        return {each["name"].removeprefix(f"{self.name}-"): each["weight"] for each in chat["backendRefs"]}

    def roles(self):
        """Put v1 behind the stable Service of two with a role, and v2 behind the candidate's."""
        agents.roles(self.api, namespace=self.namespace)

    def run(self, service, which):
        """Roll a version out behind a role's Service."""
        self.runs[service] = which
        agents.run(self.api, service, which, namespace=self.namespace)

    def pod_behind(self, service, which):
        """The name of a role's pod, as its metrics have it."""
        return f"{service}-{which}"

    def _users(self):
        for each in ("v1",):
            self._tasks(each, 50, "web-stable")
        shares = {}
        while not self._stop.wait(0.05):
            with contextlib.suppress(
                ClusterUnavailable, IndexError, KeyError, StopIteration
            ):  # a test may have deleted the route, or its rule
                shares = self.shares()
            total = sum(shares.values()) or 1
            for each, weight in shares.items():
                self._tasks(self.runs[each] if self.runs else each, round(self.rate * 0.05 * weight / total), each)

    def _tasks(self, which, count, service=""):
        pod = self.pod_behind(service, which) if self.runs else f"{self.name}-{which}"
        failed = sum(self.random.random() < self.fails.get(which, 0.0) for _ in range(count))
        if count:
            self.prometheus.add("agent_tasks_started_total", count, version=which, pod=pod)
            self.prometheus.add("agent_conversations_started_total", count, version=which, pod=pod)
            self.prometheus.add("agent_cost_dollars_total", count * 0.01, version=which, pod=pod)
        if failed:
            self.prometheus.add("agent_tasks_failed_total", failed, version=which, pod=pod)

    def get(self, name=None):
        return self.api.get(ROLLOUT, self.namespace, name or self.name)

    def status(self, name=None):
        return unpacked(self.get(name).get("status") or {})

    def want(self, version, name="agent", **spec):
        self.api.merge(ROLLOUT, self.namespace, name, {"spec": {"version": version, **spec}})

    def until(self, holds, timeout_s=120.0):
        """Wait until a status is as wanted; fail with the status otherwise."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            status = self.status()
            if holds(status):
                return status
            time.sleep(0.02)
        raise AssertionError(
            {key: status.get(key) for key in ("phase", "reason", "message", "traffic", "conditions", "step")}
        )

    def phase(self, *phases, timeout_s=120.0):
        return self.until(lambda status: status.get("phase") in phases, timeout_s)

    def condition(self, of, name=None):
        return next((each for each in self.status(name).get("conditions", ()) if each["type"] == of), {})

    def decisions(self):
        """What the journal holds. It is written after the status: wait for what you look for."""
        return history_configmap.read(self.api, self.get())[0]

    def releases(self):
        """The finished releases of the journal, the oldest first; written after the status, too."""
        return history_configmap.read(self.api, self.get())[1]

    def events(self):
        return [(each["type"], each["reason"], each["note"]) for each in self.api.list_all(EVENT, self.namespace)[0]]
