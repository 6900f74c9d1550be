"""What is made of watched objects is made once, until one of them changes; then at once."""

from __future__ import annotations

import contextlib
import gc
import itertools
import random
import weakref

import pytest

from rollout.adapters.kubernetes.kept_answers import KeptAnswers, Reads, Seen
from rollout.adapters.kubernetes.read_once import ReadOnce
from rollout.adapters.kubernetes.reflector import Reflector
from rollout.adapters.kubernetes.resources import CONFIG_MAP, DEPLOYMENT, ENDPOINT_SLICE, HTTP_ROUTE, SERVICE
from rollout.adapters.kubernetes.slim import SERVICE_NAME
from rollout.adapters.kubernetes.workload_caches import WorkloadCaches
from rollout.adapters.routers.kept_facts import KeptRouter
from rollout.adapters.routers.kubernetes import KubernetesRouter
from rollout.adapters.routers.route_kinds import ROUTE_KINDS
from rollout.adapters.routers.splits import only_split
from rollout.adapters.workloads.identity_reader import FRESH_S, IdentityReader
from rollout.adapters.workloads.kept_workloads import KeptWorkloads
from rollout.adapters.workloads.services import ServiceWorkloads
from rollout.engine.effects import SetWeight
from rollout.errors import Forbidden
from rollout.model.api.conversations import Conversations
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends
from rollout.model.api.routes import ClusterRoute
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi
from tests.waiting import eventually

BOTH = ("v1", "v2")
BACKENDS = Backends(service="$name-$version", deployment="$name-$version", port=8000)
NAMING = Naming("agent", "default", BACKENDS, BOTH)
KIND = next(kind for kind in ROUTE_KINDS if kind.key == "httpRoute")


class Box:
    """One object of which an answer is made."""

    def __init__(self):
        self.version = 1
        self.made = 0

    def answer(self, reads):
        reads.add(Seen.now(lambda: self.version))
        self.made += 1
        return self.version


def test_an_answer_is_made_anew_once_what_it_read_has_changed_and_not_before():
    box, answers = Box(), KeptAnswers()
    assert [answers.of("a/b", "it", 1, box.answer) for _ in range(3)] == [1, 1, 1] and box.made == 1
    box.version = 2
    assert [answers.of("a/b", "it", 1, box.answer) for _ in range(2)] == [2, 2] and box.made == 2


def test_an_answer_to_another_question_is_made_for_itself():
    box, answers = Box(), KeptAnswers()
    for asked in (("a/b", "it", 1), ("a/b", "it", 2), ("a/b", "that", 2), ("a/c", "it", 2)):
        answers.of(*asked, box.answer)
    assert box.made == 4


def test_what_changes_while_an_answer_is_made_is_not_missed():
    box, answers = Box(), KeptAnswers()

    def overtaken(reads):
        known = box.answer(reads)
        box.version += 1
        return known

    assert answers.of("a/b", "it", 1, overtaken) == 1
    assert answers.of("a/b", "it", 1, box.answer) == 2


def test_what_no_watch_tells_of_is_not_kept():
    box, answers = Box(), KeptAnswers()
    box.version = None
    assert [answers.of("a/b", "it", 1, box.answer) for _ in range(2)] == [None, None] and box.made == 2


def test_what_is_forgotten_is_made_anew():
    box, answers = Box(), KeptAnswers()
    answers.of("a/b", "it", 1, box.answer)
    answers.forget("a/b")
    answers.forget("never/known")
    answers.of("a/b", "it", 1, box.answer)
    assert box.made == 2


@pytest.fixture
def cluster():
    return FakeCluster()


@pytest.fixture
def api(cluster):
    made = FakeApi(cluster, "test")
    for version in BOTH:
        agents.version(made, version)
    return made


@pytest.fixture
def caches(api):
    caches = WorkloadCaches(api)
    yield caches
    caches.stop()


class Turns:
    """Workloads as one turn after the other sees them."""

    def __init__(self, api, caches):
        self.api, self.caches, self.answers, self.now_s = api, caches, KeptAnswers(), 0.0
        self.reader = IdentityReader(api, lambda: self.now_s)

    def next(self, naming=NAMING):
        once = ReadOnce(self.api, self.caches)
        more = {"answers": self.answers, "rollout": "default/agent"}
        return KeptWorkloads(once, naming, ("HTTPRoute",), lambda: True, None, self.reader, **more)


def seen(workloads):
    ready = dict(workloads.ready(BOTH, {"v1": (8000,), "v2": (8000,)}))
    return ready, workloads.asleep(BOTH), workloads.endpoints(BOTH)


CHANGES = {
    "one pod is ready": agents.endpoints,
    "three pods are ready": lambda api, version: agents.endpoints(api, version, ready=3),
    "no pod is ready": lambda api, version: agents.endpoints(api, version, ready=0),
    "asleep": lambda api, version: api.merge(DEPLOYMENT, "default", f"agent-{version}", {"spec": {"replicas": 0}}),
    "awake": lambda api, version: api.merge(DEPLOYMENT, "default", f"agent-{version}", {"spec": {"replicas": 2}}),
    "another port": lambda api, version: api.merge(
        SERVICE, "default", f"agent-{version}", {"spec": {"ports": [{"name": "http", "port": 9000}]}}
    ),
    "the port again": lambda api, version: api.merge(
        SERVICE, "default", f"agent-{version}", {"spec": {"ports": [{"name": "http", "port": 8000}]}}
    ),
}


@pytest.mark.parametrize("seed", range(5))
def test_versions_are_known_as_they_are_whatever_has_changed(api, caches, seed):
    turns, chance = Turns(api, caches), random.Random(seed)
    for name in chance.choices(sorted(CHANGES), k=12):
        CHANGES[name](api, chance.choice(BOTH))
        now = seen(ServiceWorkloads(api, NAMING, ("HTTPRoute",)))
        eventually(lambda now=now: seen(turns.next()) == now, 60, f"{name}: {now}")
        assert seen(turns.next()) == now, "and it stays so"


def test_a_turn_that_finds_nothing_changed_reads_nothing(api, caches, monkeypatch):
    turns = Turns(api, caches)
    first = seen(turns.next()), turns.next().identities(BOTH)
    asked = []
    for read in ("get", "listed"):
        monkeypatch.setattr(caches, read, lambda *more, read=read: asked.append((read, *more)))
    monkeypatch.setattr(turns.reader, "read", lambda *more: asked.append(more))
    assert (seen(turns.next()), turns.next().identities(BOTH)) == first and asked == []


def test_what_a_turn_has_read_goes_with_the_turn(api, caches):
    """Nothing looks for cycles in time: at each turn of each rollout they would be the objects of a whole turn."""
    turns = Turns(api, caches)
    workloads = turns.next()
    seen(workloads)
    workloads.identities(BOTH)
    gone = weakref.ref(workloads)
    gc.disable()
    try:
        del workloads
        assert gone() is None
    finally:
        gc.enable()


def test_what_versions_are_made_of_is_read_again_in_time(api, caches):
    template = {"spec": {"template": {"spec": {"containers": [
        {"name": "agent", "image": "agent:1", "envFrom": [{"configMapRef": {"name": "prompts"}}]}
    ]}}}}  # fmt: skip
    api.create(CONFIG_MAP, "default", {"metadata": {"name": "prompts"}, "data": {"greeting": "hello"}})
    api.merge(DEPLOYMENT, "default", "agent-v2", template)
    turns = Turns(api, caches)
    eventually(lambda: "prompts" in str(turns.next().identities(BOTH)), 60, "the Deployment is seen")
    before = turns.next().identities(BOTH)
    api.merge(CONFIG_MAP, "default", "prompts", {"data": {"greeting": "good day"}})
    turns.now_s = FRESH_S - 1
    assert turns.next().identities(BOTH) == before
    turns.now_s = FRESH_S + 1
    assert turns.next().identities(BOTH) != before


def test_what_grows_old_while_it_is_read_is_read_again_by_the_next_turn(api, caches):
    turns = Turns(api, caches)
    first = turns.next().identities(BOTH)
    turns.answers.forget("default/agent")
    times = iter([FRESH_S - 1, FRESH_S - 1])
    turns.reader.uptime_s = lambda: next(times, FRESH_S + 1)
    assert turns.next().identities(BOTH) == first, "read a minute ago, just so"
    read = []
    turns.reader.read = lambda *more: read.append(more) or {}
    turns.next().identities(BOTH)
    assert len(read) == 2


@pytest.fixture
def route(api):
    agents_route = agents.route()
    api.create(HTTP_ROUTE, "default", agents_route)
    cache = Reflector(api, HTTP_ROUTE, None, lambda _: None)
    cache.start()
    assert cache.synced.wait(60)
    yield cache
    cache.stop()


def routers(api, cache, answers, **more):
    made = KubernetesRouter(api, cache, only_split(KIND, ClusterRoute(name="agent", rule="chat")), NAMING, BOTH, **more)
    return made, KeptRouter(made, answers, "default/agent")


def test_a_route_is_read_once_until_it_changes(api, route, monkeypatch):
    plain, kept = routers(api, route, KeptAnswers())
    first = kept.observe()
    assert first == plain.observe() and kept.observe() is first
    kept.apply(SetWeight("v1", "v2", 3000))
    assert kept.observe().shares == {"v1": 7000, "v2": 3000}
    agents.Gateway(api)._take_up(HTTP_ROUTE, api.get(HTTP_ROUTE, "default", "agent"))
    eventually(lambda: kept.observe().programmed, 60, "the gateway has taken it up")
    api.delete(HTTP_ROUTE, "default", "agent")
    eventually(lambda: kept.observe().gone, 60, "it is gone")


def test_what_was_denied_and_what_is_wanted_are_part_of_the_question(api, route):
    answers, denials = KeptAnswers(), {}
    _, kept = routers(api, route, answers, denials=denials)
    assert kept.observe().denied == ""
    denials[kept.name] = "no"
    assert kept.observe().denied == "no"
    _, drained = routers(api, route, answers, draining=("v0",), denials=denials)
    assert drained.observe() == drained.router.observe()


def test_pins_are_read_at_each_turn_while_there_may_be_any(api, route):
    pinned = Conversations.model_validate({"pin": {"header": "x-agent-version"}})
    plain, kept = routers(api, route, KeptAnswers(), conversations=pinned)
    for _ in range(2):
        assert kept.observe() == plain.observe()
    stray = agents.route(name="agent-pins-stray")
    stray["metadata"]["labels"] = {"rollout.dev/rollout": ""}
    api.create(HTTP_ROUTE, "default", stray)
    eventually(lambda: route.get("default", "agent-pins-stray") is not None, 60, "the route is seen")
    assert kept.observe() == plain.observe()


def test_while_the_cache_falls_behind_a_route_is_read_from_the_server(api, route):
    _, kept = routers(api, route, KeptAnswers())
    kept.observe()
    route.problem = "no watch"
    reads = itertools.count()
    get = api.get
    api.get = lambda *more: (next(reads), get(*more))[1]
    kept.observe()
    kept.observe()
    assert next(reads) == 2


def test_what_could_not_be_asked_is_not_kept(cluster, api, caches):
    """Whoever reads may take a refusal for an answer: it holds for this turn only."""
    cluster.allowed = lambda verb, resource, place: resource.plural not in ("services", "endpointslices")
    for read in (
        lambda once: once.get(SERVICE, "default", "agent-v1"),
        lambda once: once.list_all(ENDPOINT_SLICE, "default", labelSelector=f"{SERVICE_NAME}=agent-v1"),
        lambda once: once.list_all(CONFIG_MAP, "default"),
    ):
        reads, once = Reads(), ReadOnce(api, caches)
        with once.noting(reads), contextlib.suppress(Forbidden):
            read(once)
        assert not reads.are_watched
