"""The two wirings as one thing to a scenario: one machine (its real crew, a store in SQLite, a fake Envoy and fake pages),
and a cluster (its real controller on a fake API server and a fake Prometheus).
"""

from __future__ import annotations

import base64
import json
import os
import random
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import urlsplit

from rollout.adapters.kubernetes.resources import HTTP_ROUTE, POLICY, ROLLOUT, SECRET
from rollout.adapters.routers.route_pins import PINS
from rollout.adapters.storage.command_annotations import ABORT, COMMAND
from rollout.adapters.storage.sqlite import SqliteStore
from rollout.controller.secrets import ALLOWED_HOSTS
from rollout.local.supervisor import Supervisor
from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.documents import policy_spec
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld
from tests.fakes.http import serving

WAIT_S = 60.0
VERSIONS = ("v1", "v2", "v3")


class Steering:
    """What scenarios do and see, in either wiring."""

    def until(self, holds, timeout_s=WAIT_S):
        """Wait until a status is as wanted; fail with the status otherwise."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            status = self.status()
            if holds(status):
                return status
            time.sleep(0.02)
        raise AssertionError({key: status.get(key) for key in ("phase", "reason", "message", "step", "result")})

    def phase(self, *phases):
        return self.until(lambda status: status.get("phase") in phases)

    def settled(self, version):
        return self.until(lambda status: status.get("stableVersion") == version and status.get("phase") == "Stable")

    def observing(self):
        self.settled("v1")
        self.want("v2")
        return self.phase("Observing")

    def all_on(self, version):
        """Wait until a version has all the traffic."""
        self.until(
            lambda _: self.shares().get(version, 0) > 0 and sum(self.shares().values()) == self.shares()[version]
        )


class Cluster(Steering, ClusterWorld):
    """A cluster."""

    place = "cluster"
    secret: ClassVar = {
        "secretKeyRef": {"name": "told", "key": "key"}
    }  # how notifications name what `keep_secret` keeps

    def __init__(self, _path, **more):
        ClusterWorld.__init__(self, **more)

    def ask(self, verb, reason="because", drain=None):
        told = {"id": f"{verb}-{time.monotonic_ns()}", "verb": verb, "actor": "ada", "reason": reason}
        told |= {"then": drain.then, "expect": {"version": drain.version}} if drain else {}
        key, text = (ABORT, json.dumps(told)) if verb == "abort" else (COMMAND, json.dumps(told))
        self.api.merge(ROLLOUT, self.namespace, "agent", {"metadata": {"annotations": {key: text}}})
        status = self.until(lambda status: told["id"] in status.get("handled", ()))
        return next(each for each in status["answers"] if each["id"] == told["id"])

    def keep_secret(self, text):
        """Put a secret where notifications name it."""
        metadata = {"name": "told", "annotations": {ALLOWED_HOSTS: "127.0.0.1"}}
        data = {"key": base64.b64encode(text.encode()).decode()}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
        self.api.create(SECRET, self.namespace, body)

    def pause_spec(self, paused):
        self.api.merge(ROLLOUT, self.namespace, "agent", {"spec": {"paused": paused}})

    def open_conversations(self, **counts):
        for version, count in counts.items():
            self.prometheus.set("agent_conversations_open", count, version=version, pod=f"agent-{version}")

    def pinned(self):
        """The versions that keep their conversations, by the route of ours that says so."""
        routes = self.api.list_all(HTTP_ROUTE, "default")[0]
        ours = [route for route in routes if PINS in (route["metadata"].get("annotations") or {})]
        return {version for route in ours for version in json.loads(route["metadata"]["annotations"][PINS])["versions"]}

    def metrics_down(self, down):
        self.prometheus.answer = (503, "text/plain", "away") if down else None

    def let_policy(self, policy):
        spec = {key: None for key in ("canary", "blueGreen") if key not in policy["spec"]} | policy["spec"]
        self.api.merge(POLICY, self.namespace, "quick", {"spec": spec})

    def list_third(self):
        agents.version(self.api, "v3")
        backend = {"name": "agent-v3", "port": 8000, "weight": 0}
        add = [{"op": "add", "path": "/spec/rules/1/backendRefs/-", "value": backend}]
        self.api.patch(self.route_kind, self.namespace, "agent", add)


class Machine(Steering):
    """One machine."""

    place = "machine"
    secret: ClassVar = {"env": "TOLD_KEY"}

    def __init__(self, path, *, policy=None, rate=2000, **spec):
        self.fails = {"v1": 0.02, "v2": 0.02, "v3": 0.02}
        self.rate, self.random, self._lock = rate, random.Random(1), threading.Lock()
        self.counts, self._metrics_down, self._down = {}, False, {}
        self.close = ExitStack()
        self.directory = path / "envoy"
        admin = self.close.enter_context(serving(self._admin))
        self.addresses = {each: self.close.enter_context(serving(self._page(each))) for each in VERSIONS}
        raw = {
            "version": "v1",
            "backends": {"endpoints": [{"version": v, "url": f"http://{at}"} for v, at in self.addresses.items()]},
            "routes": [{"envoy": {"admin": admin, "directory": str(self.directory)}}],
            "metrics": {"scrape": {}},
            "policyRef": {"name": "quick"},
            "conversations": {"turns": 1},
            **spec,
        }
        parsed, faults = policy_spec((policy or agents.policy())["spec"])
        assert not faults, faults
        declared = RolloutSpec.model_validate(raw).model_copy(update={"policy": parsed})
        self.store = SqliteStore(path / "state", create=True)
        self.store.declare(Rollout(Metadata(name="agent"), declared, Status(stable_version="v1")))
        self._stop = threading.Event()
        crew = threading.Thread(target=Supervisor(self.store, workers=2).run, args=(self._stop,), daemon=True)
        users = threading.Thread(target=self._users, daemon=True)
        for each in (crew, users):
            each.start()
            self.close.callback(each.join, 20)
        self.close.callback(self._stop.set)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close.close()

    # -- what others are -----------------------------------------------------------------------------------------------

    def _routes(self):
        try:
            return json.loads((self.directory / "routes.json").read_text())["resources"][0]
        except (OSError, ValueError):
            return {}

    def _admin(self, _method, path, _body):
        """An Envoy that takes up what it watches at once."""
        page = urlsplit(path).path
        if page == "/config_dump":
            found = self._routes()
            return json.dumps({"configs": [{"route_config": found}] if found else []})
        if page == "/clusters":
            return "\n".join(f"agent/{each}{kind}::" for each in VERSIONS for kind in ("", "/started"))
        if page == "/stats" and "prometheus" in path:
            with self._lock:
                return "".join(
                    f'envoy_cluster_upstream_rq_completed{{envoy_cluster_name="agent/{v}"}} {self.counts.get((v, "started"), 0)}\n'
                    for v in VERSIONS
                )
        return "LIVE" if page == "/ready" else ""

    def _page(self, version):
        def page(*_):
            if self._metrics_down:
                return None
            with self._lock:
                lines = {
                    "agent_tasks_started_total": self.counts.get((version, "started"), 0),
                    "agent_tasks_failed_total": self.counts.get((version, "failed"), 0),
                    "agent_cost_dollars_total": self.counts.get((version, "started"), 0) * 0.01,
                }
                if version in self.counts:
                    lines["agent_conversations_open"] = self.counts[version]
            return "".join(f'{name}{{version="{version}"}} {value}\n' for name, value in lines.items())

        return page

    def _users(self):
        while not self._stop.wait(0.05):
            shares = self.shares()
            total = sum(shares.values()) or 1
            with self._lock:
                for version, weight in shares.items():
                    count = round(self.rate * 0.05 * weight / total)
                    failed = sum(self.random.random() < self.fails[version] for _ in range(count))
                    for what, many in (("started", count), ("failed", failed)):
                        self.counts[version, what] = self.counts.get((version, what), 0) + many

    # -- what scenarios do ---------------------------------------------------------------------------------------------

    def shares(self):
        hosts = self._routes().get("virtual_hosts")
        if not hosts:
            return {"v1": 100}
        split = hosts[0]["routes"][-1]["route"]["weighted_clusters"]["clusters"]
        return {each["name"].removeprefix("agent/"): each["weight"] for each in split}

    def open_conversations(self, **counts):
        with self._lock:
            self.counts |= counts

    def pinned(self):
        """The versions that keep their conversations, by what Envoy is told."""
        hosts = self._routes().get("virtual_hosts") or [{"routes": []}]
        names = [entry.get("name", "") for entry in hosts[0]["routes"]]
        return {name.removeprefix("pin/") for name in names if name.startswith("pin/")}

    def status(self):
        return json.loads(self.store.get("agent").rollout.status.model_dump_json(by_alias=True, exclude_none=True))

    def _declare(self, **changes):
        now = self.store.get("agent").rollout
        self.store.declare(Rollout(now.metadata, now.spec.model_copy(update=changes), now.status))

    def want(self, version):
        self._declare(version=version)

    def keep_secret(self, text):
        os.environ["TOLD_KEY"] = text
        self.close.callback(os.environ.pop, "TOLD_KEY", None)

    def pause_spec(self, paused):
        self._declare(paused=paused)

    def ask(self, verb, reason="because", drain=None):
        seen = self.store.get("agent").rollout.status
        id_ = self.store.append("agent", verb, "ada", reason, datetime.now(UTC), seen, drain)
        status = self.until(lambda status: id_ in status.get("handled", ()))
        return next(each for each in status["answers"] if each["id"] == id_)

    def metrics_down(self, down):
        self._metrics_down = down

    def let_policy(self, policy):
        parsed, faults = policy_spec(policy["spec"])
        assert not faults, faults
        self._declare(policy=parsed)

    def list_third(self):
        """Nothing is to be done: every version with an endpoint is known."""
