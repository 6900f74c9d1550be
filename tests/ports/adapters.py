"""Every adapter of a port, ready to be tried, each with the way in which what is behind it goes down."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rollout.adapters.checks.runner import CheckRunner
from rollout.adapters.conversations.counter import ConversationCounter
from rollout.adapters.conversations.pages import from_pages
from rollout.adapters.http import Pages, Services
from rollout.adapters.kubernetes.kept_answers import KeptAnswers
from rollout.adapters.kubernetes.resources import HTTP_ROUTE, ROLLOUT
from rollout.adapters.metrics.backend_names import backend_names
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.metrics.prometheus_connection import Access
from rollout.adapters.metrics.prometheus_source import PrometheusSource
from rollout.adapters.metrics.scrape import ScrapeSource
from rollout.adapters.notifications.notifier import QueueOfNotices
from rollout.adapters.routers.envoy import EnvoyRouter
from rollout.adapters.routers.envoy_external import ExternalEnvoy
from rollout.adapters.routers.kept_facts import KeptRouter
from rollout.adapters.routers.kubernetes import KubernetesRouter
from rollout.adapters.routers.route_kinds import ROUTE_KINDS
from rollout.adapters.routers.splits import only_split
from rollout.adapters.statecontracts.collector import StateCollector
from rollout.adapters.storage.held_statuses import AT_ONCE, HeldStatuses
from rollout.adapters.storage.kubernetes_status import KubernetesStatusStore
from rollout.adapters.storage.rollout_resource import spec_of
from rollout.adapters.storage.sqlite import SqliteStore
from rollout.adapters.workloads.endpoints import EndpointWorkloads
from rollout.adapters.workloads.services import ServiceWorkloads
from rollout.engine.effects import SetWeight
from rollout.engine.facts import FetchedContract
from rollout.errors import PageUnavailable
from rollout.model.api.conversations import Conversations
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends, Endpoint, Metadata
from rollout.model.api.routes import ClusterRoute
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.runtime.clock import SlewedClock, WallClock
from rollout.testing import (
    Behaviour,
    FakeClock,
    FakeConversations,
    FakeGatekeeper,
    FakeMetrics,
    FakeNotifier,
    FakeRouter,
    FakeStateContracts,
    FakeStatusStore,
    FakeWorkloads,
)
from tests.fakes import agents, prometheus
from tests.fakes.cluster import FakeCluster
from tests.fakes.http import serving
from tests.fakes.resources import Refusal
from tests.fakes.server import FakeApi
from tests.world import policy, spec

NAMING = Naming("agent", "default", Backends(service="$name-$version", deployment="$name-$version", port=8000))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Tried:
    """An adapter, and how what is behind it goes down."""

    adapter: Any
    take_down: Callable[[], object]


Maker = Callable[[Path, ExitStack], Tried]


def away(*_: object) -> None:
    raise Refusal(503, "ServiceUnavailable", "the API server is away")


# -- Router ------------------------------------------------------------------------------------------------------------


def fake_router(_: Path, __: ExitStack) -> Tried:
    router = FakeRouter(effective=SetWeight("v1"))
    return Tried(router, lambda: setattr(router, "down", True))


def envoy_router(path: Path, close: ExitStack) -> Tried:
    up = [True]

    def admin(_: str, url: str, __: bytes) -> str | None:
        if not up[0]:
            return None
        written = path / "envoy" / "routes.json"
        if urlsplit(url).path == "/config_dump":
            found = json.loads(written.read_text())["resources"] if written.exists() else []
            return json.dumps({"configs": [{"route_config": each} for each in found]})
        return "agent/v1::\nagent/v2::" if urlsplit(url).path == "/clusters" else ""

    (path / "envoy").mkdir()
    address = close.enter_context(serving(admin))
    pages = Pages()
    close.callback(pages.close)
    endpoints = dict.fromkeys(("v1", "v2"), ("http://127.0.0.1:1",))
    router = EnvoyRouter("agent", Conversations(), endpoints, ExternalEnvoy(address, path / "envoy", pages))
    router.apply(SetWeight("v1"))
    return Tried(router, lambda: up.__setitem__(0, False))


def borrowed(kind: str, *, keeps: bool = False) -> Maker:
    def made(_: Path, __: ExitStack) -> Tried:
        cluster = FakeCluster()
        api = FakeApi(cluster)
        of = next(each for each in ROUTE_KINDS if each.key == kind)
        api.create(of.kind, "default", agents.route(kind=kind))

        class Cache:
            problem = ""

            def get(self, namespace: str, name: str) -> Any:
                return None if self.problem else api.get(of.kind, namespace, name)

            def token(self, namespace: str, name: str) -> Any:
                return api.get(of.kind, namespace, name)["metadata"]["resourceVersion"]

            def note(self, _: object) -> None: ...

        cache = Cache()

        def take_down() -> None:
            cluster.fault, cache.problem = away, "the API server is away"

        route = ClusterRoute(name="agent", rule="chat")
        router = KubernetesRouter(api, cache, only_split(of, route), NAMING, ("v1", "v2"))
        return Tried(KeptRouter(router, KeptAnswers(), "default/agent") if keeps else router, take_down)

    return made


ROUTERS: dict[str, Maker] = {
    "FakeRouter": fake_router,
    "EnvoyRouter": envoy_router,
    **{f"KubernetesRouter, {kind}": borrowed(kind) for kind in ("httpRoute", "grpcRoute", "virtualService")},
    "KeptRouter, virtualService": borrowed("virtualService", keeps=True),
}


# -- StatusStore ------------------------------------------------------------------------------------------------------


def rollout() -> Rollout:
    return Rollout(Metadata(name="agent"), spec("v2", policy()), Status(stable_version="v1"))


def fake_status_store(_: Path, __: ExitStack) -> Tried:
    status_store = FakeStatusStore(rollout())
    return Tried(status_store, lambda: setattr(status_store, "broken", True))


def sqlite_status(path: Path, close: ExitStack) -> Tried:
    store = SqliteStore(path / "state", create=True)
    lease = store.hold(rollout().metadata, lambda _: rollout())

    def take_over() -> None:
        lease.release()
        close.callback(store.hold(rollout().metadata, lambda now: now or rollout()).release)

    close.callback(lease.release)
    return Tried(lease, take_over)


def kubernetes_status(_: Path, __: ExitStack) -> Tried:
    cluster = FakeCluster()
    api = FakeApi(cluster)
    obj = api.create(ROLLOUT, "default", agents.rollout("http://prometheus:9090", version="v2"))
    obj = api.merge(ROLLOUT, "default", "agent", {"status": {"stableVersion": "v1"}}, sub="status")

    class Quiet:
        def tell(self, *_: object) -> None: ...

    status_store = KubernetesStatusStore(
        api,
        obj,
        spec_of(obj),
        statuses=HeldStatuses(AT_ONCE),
        events=Quiet(),
        now=lambda: NOW,
        may_write=lambda: True,
        note=lambda _, *, wakes=True: None,
    )
    return Tried(status_store, lambda: setattr(cluster, "fault", away))


STATUS_STORES: dict[str, Maker] = {
    "FakeStatusStore": fake_status_store,
    "SqliteStatusStore": sqlite_status,
    "KubernetesStatusStore": kubernetes_status,
}


# -- MetricsSource -----------------------------------------------------------------------------------------------------

COUNTERS = {"v1": (100, 3), "v2": (40, 2)}
KPIS = policy(
    kpis=[
        {
            "name": "tasks",
            "bad": 'failed{version="$version"}',
            "total": 'started{version="$version"}',
            "margin": {"absolute": "1%"},
            "promotionMargin": {"absolute": "5%"},
        }
    ]
).kpis


def fake_metrics(_: Path, __: ExitStack) -> Tried:
    import random

    metrics = FakeMetrics(random.Random(1))
    for version, (started, failed) in COUNTERS.items():
        metrics.grow(version, Behaviour(errors=0.0, tasks=0.0), started)
        metrics.totals[version, "tasks", "bad"] = failed
    return Tried(metrics, lambda: metrics.failing.update({"tasks", "errors"}))


def scraped(_: Path, close: ExitStack) -> Tried:
    up = [True]

    def page(version: str) -> Callable[..., str | None]:
        started, failed = COUNTERS[version]
        text = f'started{{version="{version}"}} {started}\nfailed{{version="{version}"}} {failed}\n'
        return lambda *_: text if up[0] else None

    pages = Pages()
    close.callback(pages.close)
    urls = {version: f"http://{close.enter_context(serving(page(version)))}/metrics" for version in COUNTERS}
    series = 'envoy_cluster_upstream_rq_completed{envoy_cluster_name="agent/%s"} %d\n'
    routed = "".join(series % (version, started) for version, (started, _) in COUNTERS.items())
    router = f"http://{close.enter_context(serving(lambda *_: routed if up[0] else None))}/stats"
    source = ScrapeSource("agent", lambda version: (urls[version],), lambda: router, pages, 5.0)
    close.callback(source.close)
    return Tried(source, lambda: up.__setitem__(0, False))


def from_prometheus(_: Path, close: ExitStack) -> Tried:
    server = prometheus.FakePrometheus()
    for version, (started, failed) in COUNTERS.items():
        server.add("started", started, version=version, pod=version)
        server.add("failed", failed, version=version, pod=version)
    url = close.enter_context(prometheus.serving(server))
    source = PrometheusSource(
        PrometheusClient(Access(url, timeout_s=5.0)),
        "agent",
        "default",
        backend_names(Naming("agent", "default", Backends(service="$name-$version"))),
        requests=None,
        stale_after_s=120.0,
        now=time.time,
    )
    return Tried(source, lambda: setattr(server, "answer", (503, "text/plain", "away")))


METRICS: dict[str, Maker] = {
    "FakeMetrics": fake_metrics,
    "ScrapeSource": scraped,
    "PrometheusSource": from_prometheus,
}


# -- Workloads ---------------------------------------------------------------------------------------------------------


def fake_workloads(_: Path, __: ExitStack) -> Tried:
    workloads = FakeWorkloads(spec=lambda: spec("v1", policy()), listed=("v1", "v2"))
    return Tried(workloads, lambda: workloads.down.add("v2"))


def endpoint_workloads(_: Path, close: ExitStack) -> Tried:
    servers = {version: ExitStack() for version in ("v1", "v2")}
    addresses = {}
    for version, server in servers.items():
        addresses[version] = server.enter_context(serving(lambda *_: ""))
        close.callback(server.close)
    endpoints = tuple(Endpoint(version=version, url=f"http://{address}") for version, address in addresses.items())
    return Tried(EndpointWorkloads(Backends(endpoints=endpoints)), servers["v2"].close)


def service_workloads(_: Path, __: ExitStack) -> Tried:
    api = FakeApi(FakeCluster())
    for version in ("v1", "v2"):
        agents.version(api, version)
    return Tried(ServiceWorkloads(api, NAMING, (HTTP_ROUTE.kind,)), lambda: agents.endpoints(api, "v2", ready=0))


WORKLOADS: dict[str, Maker] = {
    "FakeWorkloads": fake_workloads,
    "EndpointWorkloads": endpoint_workloads,
    "ServiceWorkloads": service_workloads,
}


# -- Notifier ----------------------------------------------------------------------------------------------------------


def fake_notifier(_: Path, __: ExitStack) -> Tried:
    notifier = FakeNotifier()
    return Tried(notifier, lambda: setattr(notifier, "down", True))


def queue_of_notices(_: Path, close: ExitStack) -> Tried:
    down: list[bool] = []

    def send(target: object, telling: object) -> None:
        del target, telling
        if down:
            raise PageUnavailable("nobody answers")

    queue = QueueOfNotices(send, FakeClock(NOW))
    close.callback(queue.close)
    return Tried(queue, lambda: down.append(True))


NOTIFIERS: dict[str, Maker] = {"FakeNotifier": fake_notifier, "QueueOfNotices": queue_of_notices}


# -- Gatekeeper, States, Clock -----------------------------------------------------------------------------------------


def check_runner(path: Path, close: ExitStack) -> Tried:
    services = Services()
    close.callback(services.close)
    runner = CheckRunner(services, path, WallClock(), lambda _: ())
    close.callback(runner.close)
    return Tried(runner, lambda: None)


GATEKEEPERS: dict[str, Maker] = {
    "FakeGatekeeper": lambda *_: Tried(FakeGatekeeper(), lambda: None),
    "CheckRunner": check_runner,
}


def fake_states(_: Path, __: ExitStack) -> Tried:
    states = FakeStateContracts(FakeClock(), {"v1": FetchedContract("{}"), "v2": FetchedContract("{}")})
    return Tried(states, states.texts.clear)


def state_collector(_: Path, close: ExitStack) -> Tried:
    up = [True]

    def contract_of(_: Rollout, version: str) -> FetchedContract:
        return FetchedContract("{}") if up[0] else FetchedContract(problem=f"{version} does not answer")

    collector = StateCollector(contract_of, lambda _: "", WallClock())
    close.callback(collector.close)
    return Tried(collector, lambda: up.__setitem__(0, False))


STATES: dict[str, Maker] = {"FakeStateContracts": fake_states, "StateCollector": state_collector}


def fake_conversations(_: Path, __: ExitStack) -> Tried:
    conversations = FakeConversations({"v1": 3, "v2": 0})
    return Tried(conversations, conversations.counts.clear)


def conversation_counter(_: Path, close: ExitStack) -> Tried:
    counts = {"/v1": '{"open": 3}', "/v2": '{"open": 0}'}
    address = close.enter_context(serving(lambda _, url, __: counts.get(urlsplit(url).path, "nothing")))
    services = Services()
    close.callback(services.close)
    count = from_pages(services, lambda version: (f"http://{address}/{version}",), "")
    counter = ConversationCounter(count)
    return Tried(counter, counts.clear)


CONVERSATIONS: dict[str, Maker] = {"FakeConversations": fake_conversations, "ConversationCounter": conversation_counter}

CLOCKS: dict[str, Callable[[], Any]] = {"FakeClock": FakeClock, "WallClock": WallClock, "SlewedClock": SlewedClock}


def replace_status(of: Rollout, status: Status) -> Rollout:
    return Rollout(of.metadata, of.spec, status)


@contextmanager
def tried(maker: Maker, path: Path) -> Iterator[Tried]:
    with ExitStack() as close:
        yield maker(path, close)
