"""The cache: it follows what changes, and survives what a watch can do."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager

import pytest

from rollout.adapters.kubernetes.reflector import Reflector, is_newer
from rollout.adapters.kubernetes.resources import HTTP_ROUTE
from rollout.backoff import Backoff
from rollout.errors import Expired
from tests.fakes.cluster import FakeCluster
from tests.fakes.resources import Refusal
from tests.fakes.server import FakeApi
from tests.fakes.widgets import STRANGER, WIDGET, http, widget
from tests.waiting import eventually


@pytest.fixture
def cluster():
    return FakeCluster()


@contextmanager
def reflecting(api, kind=WIDGET, **more):
    seen = []
    reflector = Reflector(api, kind, None, seen.append, **more)
    reflector.seen = seen
    reflector.start()
    try:
        yield reflector
    finally:
        reflector.stop()
        reflector.join(60)
        assert not reflector._thread.is_alive(), "a stopped cache ends"


def names(reflector):
    return sorted(each["metadata"]["name"] for each in reflector.all())


def test_a_late_answer_of_a_write_never_replaces_what_the_watch_has_brought_meanwhile(cluster, monkeypatch):
    """Seen on a busy machine: the status of a route was lost, and its weight waited for ever to be carried out."""
    of_version = lambda version: {**widget("a"), "metadata": {"name": "a", "resourceVersion": version}}
    cache = Reflector(FakeApi(cluster), WIDGET, None, lambda _: None)
    cache.note(of_version("9"))
    watch = threading.Thread(target=lambda: cache._take("MODIFIED", of_version("11")))

    def newer(one, other):
        watch.start()
        watch.join(0.2)  # it comes in between, unless it has to wait
        return is_newer(one, other)

    monkeypatch.setattr("rollout.adapters.kubernetes.reflector.is_newer", newer)
    cache.note(of_version("10"))
    watch.join()
    assert cache.all()[0]["metadata"]["resourceVersion"] == "11"


def test_a_cache_has_what_there_is_and_follows_what_changes(cluster, tmp_path):
    with http(cluster, tmp_path) as api:
        api.create(WIDGET, "default", widget("a"))
        with reflecting(api) as cache:
            eventually(cache.synced.is_set)
            api.create(WIDGET, "default", widget("b"))
            eventually(lambda: names(cache) == ["a", "b"])
            api.merge(WIDGET, "default", "a", {"spec": {"weight": 77}})
            eventually(lambda: cache.get("default", "a")["spec"]["weight"] == 77)
            FakeApi(cluster).delete(WIDGET, "default", "b")
            eventually(lambda: names(cache) == ["a"])
        assert {each["metadata"]["name"] for each in cache.seen} == {"a", "b"}


def test_a_cache_survives_dropped_streams_an_api_that_is_away_and_compaction(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("rollout.adapters.kubernetes.reflector.BACKOFF", Backoff(0.05, 0.2, jitter=2.0))
    with http(cluster, tmp_path) as api, reflecting(api) as cache:
        eventually(cache.synced.is_set)
        local = FakeApi(cluster)
        cluster.drop = True
        local.create(WIDGET, "default", widget("dropped"))
        time.sleep(0.2)
        cluster.drop = False
        eventually(lambda: "dropped" in names(cache))
        cluster.down = True
        local.create(WIDGET, "default", widget("missed"))
        local.delete(WIDGET, "default", "dropped")
        cluster.compact()
        time.sleep(0.5)
        cluster.down = False
        eventually(lambda: "missed" in names(cache))
        assert names(cache) == ["missed"], "what was deleted meanwhile is gone"


def test_a_peer_that_falls_silent_is_left_after_the_read_timeout(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("rollout.adapters.kubernetes.reflector.BACKOFF", Backoff(0.05, 0.2, jitter=2.0))
    monkeypatch.setattr("rollout.adapters.kubernetes.reflector.WATCH_S", (1.0, 1.0))
    monkeypatch.setattr("rollout.adapters.kubernetes.api.READ_TIMEOUT_S", 0.5)
    with http(cluster, tmp_path) as api, reflecting(api) as cache:
        eventually(cache.synced.is_set)
        cluster.silent = True
        FakeApi(cluster).create(WIDGET, "default", widget("late"))
        time.sleep(1.5)
        cluster.silent = False
        eventually(lambda: names(cache) != [])
        assert names(cache) == ["late"]


def test_a_stopped_cache_ends_also_while_it_waits_for_an_event(cluster, tmp_path):
    with http(cluster, tmp_path) as api, reflecting(api) as cache:
        eventually(cache.synced.is_set)
        began = time.monotonic()
    assert time.monotonic() - began < 20


def test_an_api_that_refuses_is_not_hammered(cluster, monkeypatch):
    monkeypatch.setattr("rollout.adapters.kubernetes.reflector.BACKOFF", Backoff(0.2, 5.0, jitter=2.0))
    asked = []

    def refuse(method, path):
        asked.append(path)
        raise ConnectionRefusedError("refused")

    cluster.fault = refuse
    with reflecting(FakeApi(cluster)) as cache:
        time.sleep(1.5)
        assert not cache.synced.is_set() and "refused" in cache.problem
    assert 1 <= len(asked) <= 5


def test_streams_that_end_at_once_are_not_reopened_at_once(cluster, monkeypatch):
    monkeypatch.setattr("rollout.adapters.kubernetes.reflector.WATCH_S", (0.0, 0.0))
    with reflecting(FakeApi(cluster)) as cache:
        eventually(cache.synced.is_set)
        before = len(cluster.calls)
        time.sleep(2.0)
        assert len(cluster.calls) - before <= 4


def test_a_server_that_answers_gone_to_everything_is_not_hammered(cluster, monkeypatch):
    monkeypatch.setattr("rollout.adapters.kubernetes.reflector.BACKOFF", Backoff(0.2, 5.0, jitter=2.0))

    def gone(method, path):
        if method == "WATCH":
            raise Refusal(410, "Expired", "too old")

    cluster.fault = gone
    with reflecting(FakeApi(cluster)) as cache:
        eventually(cache.synced.is_set)
        before = len(cluster.calls)
        time.sleep(1.5)
        assert len(cluster.calls) - before <= 4


def test_a_write_that_is_no_reason_to_look_again_wakes_nobody_and_the_next_one_does(cluster):
    api, seen = FakeApi(cluster), []
    cache = Reflector(api, WIDGET, None, lambda obj: seen.append(obj["metadata"]["resourceVersion"]))
    api.create(WIDGET, "default", widget("one"))
    quiet = api.merge(WIDGET, "default", "one", {"metadata": {"labels": {"seen": "once"}}})
    cache.note(api.get(WIDGET, "default", "one"), wakes=False)
    loud = api.merge(WIDGET, "default", "one", {"metadata": {"labels": {"seen": "twice"}}})
    for obj in (quiet, loud, quiet):
        cache._take("MODIFIED", obj)
    assert seen == [loud["metadata"]["resourceVersion"], quiet["metadata"]["resourceVersion"]]


def test_what_was_deleted_is_not_brought_back_by_a_late_answer(cluster):
    api = FakeApi(cluster)
    old = api.create(WIDGET, "default", widget())
    with reflecting(api) as cache:
        eventually(lambda: names(cache) == ["a"])
        api.delete(WIDGET, "default", "a")
        eventually(lambda: names(cache) == [])
        cache.note(old)
        assert names(cache) == []


def test_a_kind_that_is_not_installed_is_a_problem_and_no_crash(cluster):
    with reflecting(FakeApi(cluster), STRANGER, optional=True) as cache:
        eventually(lambda: cache.problem != "")
        assert "the kind is not installed" in cache.problem and cache.all() == []


def test_a_write_of_ours_is_in_the_cache_before_the_watch_brings_it_and_never_overwrites_news(cluster):
    api = FakeApi(cluster)
    old = api.create(WIDGET, "default", widget())
    with reflecting(api) as cache:
        eventually(cache.synced.is_set)
        new = api.merge(WIDGET, "default", "a", {"spec": {"weight": 50}})
        cache.note(new)
        assert cache.get("default", "a")["spec"]["weight"] == 50
        eventually(lambda: len(cache.seen) >= 2)
        cache.note(old)
        assert cache.get("default", "a")["spec"]["weight"] == 50


def test_a_watch_that_is_too_old_says_gone(cluster, tmp_path):
    with http(cluster, tmp_path) as api:
        api.create(WIDGET, "default", widget())
        cluster.compact()
        with pytest.raises(Expired):
            list(api.watch(WIDGET, None, "1", 1.0))


def test_half_the_size_is_not_kept(cluster):
    api = FakeApi(cluster)
    api.create(
        HTTP_ROUTE,
        "default",
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r"}, "spec": {}},
    )
    cluster.objects["gateway.networking.k8s.io", "httproutes", "default", "r"]["metadata"]["managedFields"] = [
        {"manager": "kubectl", "operation": "Apply", "fieldsV1": {"big": "x" * 1000}}
    ]
    with reflecting(api, HTTP_ROUTE) as cache:
        eventually(cache.synced.is_set)
        kept = cache.get("default", "r")["metadata"]["managedFields"]
        assert kept == [{"manager": "kubectl", "operation": "Apply"}], "who manages fields, not which"


def test_an_object_is_unpacked_once_until_it_changes_and_only_its_newest_version_is_remembered(cluster):
    api, unpacked = FakeApi(cluster), []

    def unpack(text):
        unpacked.append(text)
        return json.loads(text)

    for name in ("a", "b", "c"):
        api.create(WIDGET, "default", widget(name))
    with reflecting(api, pack=json.dumps, unpack=unpack, remembers=2) as cache:
        assert cache.synced.wait(60)
        unpacked.clear()
        one = cache.get("default", "a")
        assert cache.get("default", "a") is one and len(unpacked) == 1
        for size in range(5):
            api.merge(WIDGET, "default", "a", {"spec": {"version": f"v{size + 2}"}})
            eventually(lambda size=size: cache.get("default", "a")["spec"]["version"] == f"v{size + 2}")
        assert len(cache._remembered) == 1
        for name in ("b", "c"):
            assert cache.get("default", name)["metadata"]["name"] == name
        assert len(cache._remembered) == 2, "what was asked for longest ago is forgotten first"
        before = len(unpacked)
        assert cache.get("default", "c") is not None and len(unpacked) == before
        assert cache.get("default", "a") is not None and len(unpacked) == before + 1


def test_what_a_write_has_returned_is_neither_unpacked_nor_packed_again_when_the_watch_brings_it(cluster):
    api, packed, unpacked = FakeApi(cluster), [], []

    def pack(obj):
        packed.append(obj["metadata"]["resourceVersion"])
        return json.dumps(obj)

    def unpack(text):
        unpacked.append(text)
        return json.loads(text)

    api.create(WIDGET, "default", widget("a"))
    with reflecting(api, pack=pack, unpack=unpack, remembers=2) as cache:
        assert cache.synced.wait(60)
        cache.get("default", "a")
        written = api.merge(WIDGET, "default", "a", {"spec": {"version": "v7"}})
        cache.note(written)
        unpacked.clear()
        assert cache.get("default", "a") == written
        eventually(lambda: any(obj["spec"]["version"] == "v7" for obj in cache.seen), 60, "the watch has brought it")
        assert cache.get("default", "a") == written and unpacked == []
        assert packed.count(written["metadata"]["resourceVersion"]) == 1
