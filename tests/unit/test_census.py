"""Counting open conversations: by a gauge, by pages, in a store; and waiting for none. What is not known is not zero."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from rollout.adapters.conversations.pages import from_pages
from rollout.adapters.conversations.threads import from_threads
from rollout.adapters.http import Pages, Services
from rollout.adapters.metrics import gauges
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.metrics.prometheus_connection import Access
from rollout.cli.follow.drained import until_drained, version_of
from rollout.contracts.samples.snapshot import Snapshot, Survey
from rollout.errors import InvalidInput, StoreUnavailable, Unavailable
from rollout.model.documents import rollout_spec
from rollout.model.status.conversations import Draining
from rollout.model.status.release import Release
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.testing import EPOCH
from tests.fakes import prometheus
from tests.fakes.http import serving


def filled(selector, version):
    return selector.replace("$version", version)


GAUGE = 'open{version="$version"}'


@pytest.mark.parametrize(
    ("page", "count"),
    [
        ('open{version="v1"} 3\nopen{version="v2"} 9\n', 3),
        ('open{version="v1",pod="a"} 1\nopen{version="v1",pod="b"} 2\n', 3),
    ],
)
def test_a_gauge_is_read_from_the_agents_pages(page, count):
    pages = Pages()
    with serving(lambda *_: page) as address:
        read = gauges.from_pages(pages, lambda _: (f"http://{address}/metrics",), GAUGE, filled, 5.0)
        assert read("v1") == count
    pages.close()


@pytest.mark.parametrize(
    ("page", "word"),
    [
        ("other 3\n", "not the same as 0"),
        ('open{version="v1"} NaN\n', "no number of conversations"),
        ('open{version="v1"} -1\n', "no number"),
    ],
)
def test_a_gauge_that_says_nothing_is_not_zero(page, word):
    pages = Pages()
    with serving(lambda *_: page) as address:
        read = gauges.from_pages(pages, lambda _: (f"http://{address}/metrics",), GAUGE, filled, 5.0)
        with pytest.raises(Unavailable, match=word):
            read("v1")
    pages.close()


def test_a_gauge_is_summed_over_the_pods_that_prometheus_knows():
    server = prometheus.FakePrometheus()
    server.set("open", 2, version="v1", pod="a")
    server.set("open", 3, version="v1", pod="b")
    with prometheus.serving(server) as url:
        client = PrometheusClient(Access(url, timeout_s=5.0))
        read = gauges.from_prometheus(lambda: client, GAUGE, filled)
        assert read("v1") == 5
        with pytest.raises(Unavailable, match="not the same as 0"):
            read("v2")


@pytest.mark.parametrize("body", ["nothing", "[]", "{}", '{"open": "3"}', '{"open": -1}', '{"open": true}'])
def test_one_instance_that_does_not_say_makes_the_sum_unknown(body):
    answers, services = {"/a": '{"open": 2}', "/b": body}, Services()
    with serving(lambda _, url, __: answers[url]) as address:
        count = from_pages(services, lambda _: (f"http://{address}/a", f"http://{address}/b"), "")
        with pytest.raises(Unavailable, match="does not say"):
            count("v1")
        answers["/b"] = '{"open": 1}'
        assert count("v1") == 3
    services.close()


def snapshot(version, **more):
    return Snapshot("t", version=version, **more)


def test_threads_that_wait_are_open_on_the_version_that_wrote_them():
    waits = {"waiting": ("approve",)}
    seen = Survey(
        (snapshot("v1", **waits), snapshot("v2", **waits), snapshot("v1"), snapshot("v1", undecodable="x")), 4, True
    )
    count = from_threads(lambda: seen)
    assert (count("v1"), count("v2"), count("v3")) == (2, 1, 0)


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (Survey(problem="away"), "away"),
        (Survey((), 2000, False), "only some of 2000"),
        (Survey((snapshot(None, waiting=("approve",)),), 1, True), "do not say which version"),
    ],
)
def test_a_store_that_does_not_tell_is_not_empty(seen, word):
    with pytest.raises(Unavailable, match=word):
        from_threads(lambda: seen)("v1")


RELEASING = Status(stable_version="v0", phase=Phase.OBSERVING, release=Release(candidate_version="v1"))


class Store:
    """Statuses one after the other; the last one stays. None: it is gone; an exception is raised."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)

    def get(self, name):
        now = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if isinstance(now, Exception):
            raise now
        return None if now is None else SimpleNamespace(rollout=SimpleNamespace(status=now, name=name), uid="")

    def is_held(self, _name):
        return True


def drained(status=None, **draining):
    base = status or Status(stable_version="v2")
    return base.model_copy(update={"draining": {name: Draining(since=EPOCH, open=n) for name, n in draining.items()}})


@pytest.mark.parametrize(
    ("statuses", "code", "word"),
    [
        ((drained(v1=2), StoreUnavailable("away"), drained()), 0, "v1 is drained"),
        ((drained(v1=2), None), 4, "is gone"),
        ((Status(stable_version="v1"),), 2, "is the stable version"),
        ((RELEASING,), 2, "is being released"),
        ((drained(v1=2),), 124, "2 conversations"),
        ((drained(v1=None),), 124, "an unknown number"),
    ],
)
def test_a_pipeline_waits_until_a_version_is_drained(statuses, code, word, monkeypatch):
    monkeypatch.setattr("rollout.cli.follow.drained.POLL_S", 0.0)
    found, sentence, _ = until_drained(Store(*statuses), "agent", "v1", 0.3, acts=False)
    assert found == code and word in sentence


@pytest.mark.parametrize("text", ["drained", "drained=", "v1", ""])
def test_what_cannot_be_waited_for_is_told(text):
    with pytest.raises(InvalidInput):
        version_of(text)
    assert version_of("drained=1.4.2") == "1.4.2" and version_of("promoted") is None


SPEC = {
    "version": "v1",
    "backends": {"service": "$name-$version"},
    "routes": [{"httpRoute": {"name": "agent"}}],
    "metrics": {"prometheus": {"url": "http://prometheus:9090"}},
    "policyRef": {"name": "p"},
}


@pytest.mark.parametrize(
    ("conversations", "path", "word"),
    [
        ({"pin": {"header": "x-v", "cookie": "v"}}, "conversations.pin", "exactly one"),
        ({"pin": {}}, "conversations.pin", "exactly one"),
        ({"pin": {"header": "X-Thread-Id"}}, "conversations.pin.header", "conversation's id"),
        ({"started": "stable"}, "conversations.started", "there are none"),
        ({"pin": {"header": "a b"}}, "conversations.pin.header", ""),
        ({"census": {"gauge": "open"}}, "conversations.census.gauge", "$version"),
        ({"census": {"store": True}}, "conversations.census.store", "stateStore"),
        ({"census": {"http": {}, "store": True}}, "conversations.census", "exactly one"),
    ],
)
def test_odd_conversations_are_refused_at_their_place(conversations, path, word):
    _, faults = rollout_spec(json.loads(json.dumps({**SPEC, "conversations": conversations})))
    assert any(fault.path == f"spec.{path}" and word in fault.message for fault in faults), faults
