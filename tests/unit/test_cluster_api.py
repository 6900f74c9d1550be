"""Calls to an API server, the cache and the elector, over HTTP and through every fault we could think of."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from rollout.adapters.kubernetes.api import HttpApi, configured
from rollout.adapters.kubernetes.claims import Claims
from rollout.adapters.kubernetes.elector import Elector, LeaseTimings
from rollout.adapters.kubernetes.merge_patch import merge_patch
from rollout.adapters.kubernetes.reflector import Reflector, is_newer
from rollout.adapters.kubernetes.resources import HTTP_ROUTE, LEASE, Kind
from rollout.backoff import Backoff
from rollout.errors import ClusterUnavailable, Conflict, Expired, Forbidden, InvalidInput, NotFound, Rejected
from tests.fakes import patches
from tests.fakes.cluster import FakeCluster, Refusal
from tests.fakes.server import FakeApi, kubeconfig, serving

WIDGET = Kind("Widget", "widgets", "example.dev")
STRANGER = Kind("Stranger", "strangers", "nobody.dev")


def widget(name="a", **spec):
    return {
        "apiVersion": "example.dev/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"version": "v1", **spec},
    }


@pytest.fixture
def cluster():
    return FakeCluster()


@contextmanager
def http(cluster, tmp_path, *, token="secret-token", timeout_s=2.0, **more):
    with serving(cluster, token="secret-token") as url:
        configuration, namespace = configured(kubeconfig(tmp_path / "kubeconfig", url, token))
        assert namespace == "default"
        yield HttpApi(configuration, agent="rollout-test", read_timeout_s=timeout_s, **more)


def eventually(holds, timeout_s=60.0):
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


# -- calls -------------------------------------------------------------------------------------------------------------


def test_objects_are_written_read_and_changed_over_http(cluster, tmp_path):
    with http(cluster, tmp_path) as api:
        made = api.create(WIDGET, "default", widget())
        assert api.get(WIDGET, "default", "a") == made
        after = api.merge(WIDGET, "default", "a", {"spec": {"weight": 5}})
        assert after["spec"]["weight"] == 5 and after["metadata"]["generation"] == 2
        operations = [
            {"op": "test", "path": "/spec/weight", "value": 5},
            {"op": "replace", "path": "/spec/weight", "value": 6},
        ]
        assert api.patch(WIDGET, "default", "a", operations)["spec"]["weight"] == 6
        assert api.merge(WIDGET, "default", "a", {"status": {"x": 1}}, sub="status")["status"] == {"x": 1}
    assert set(cluster.owners["example.dev", "widgets", "default", "a"]) == {"rollout-test"}


def test_a_list_is_read_page_by_page_and_its_items_say_what_they_are(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("rollout.adapters.kubernetes.api.PAGE_SIZE", 3)
    with http(cluster, tmp_path) as api:
        for number in range(8):
            api.create(WIDGET, "default", widget(f"w{number}"))
        found, version = api.list_all(WIDGET, None)
    assert [each["metadata"]["name"] for each in found] == [f"w{number}" for number in range(8)]
    assert {each["kind"] for each in found} == {"Widget"} and version == str(cluster.version)


@pytest.mark.parametrize(
    ("act", "error", "word"),
    [
        (lambda api: api.get(WIDGET, "default", "none"), NotFound, "not found"),
        (lambda api: api.list_all(STRANGER, None), NotFound, "are its definitions installed"),
        (lambda api: api.create(WIDGET, "default", widget()), Conflict, "already exists"),
        (lambda api: api.create(WIDGET, "default", widget("b", weight=500)), Rejected, "spec.weight"),
        (
            lambda api: api.merge(
                WIDGET, "default", "a", {"metadata": {"resourceVersion": "1"}, "spec": {"weight": 1}}
            ),
            Conflict,
            "modified",
        ),
        (
            lambda api: api.patch(WIDGET, "default", "a", [{"op": "test", "path": "/spec/weight", "value": 9}]),
            Rejected,
            "rejected",
        ),
    ],
)
def test_every_refusal_is_an_error_of_ours_with_the_servers_words(cluster, tmp_path, act, error, word):
    with http(cluster, tmp_path) as api:
        api.create(WIDGET, "default", widget())
        with pytest.raises(error, match=word):
            act(api)


def test_unknown_fields_are_refused_where_people_write_them(cluster, tmp_path):
    with http(cluster, tmp_path, strict=True) as api, pytest.raises(Rejected, match="unknown field"):
        api.create(WIDGET, "default", widget(colour="red"))


def test_who_is_not_known_or_not_allowed_is_told_so(cluster, tmp_path):
    with http(cluster, tmp_path, token="wrong") as api, pytest.raises(Forbidden, match="renew the credentials"):
        api.get(WIDGET, "default", "a")
    cluster.allowed = lambda verb, resource, place: False
    with http(cluster, tmp_path) as api, pytest.raises(Forbidden, match="cannot list"):
        api.list_all(WIDGET, None)


def fail(code, reason="Down", headers=None):
    def fault(method, path):
        raise Refusal(code, reason, "the server is unwell", None, headers)

    return fault


@pytest.mark.parametrize("code", [429, 500, 503, 504])
def test_a_server_that_is_unwell_is_unavailable_and_may_ask_for_patience(cluster, tmp_path, code):
    cluster.fault = fail(code, headers={"Retry-After": "7"})
    with http(cluster, tmp_path) as api, pytest.raises(ClusterUnavailable, match="unwell") as told:
        api.get(WIDGET, "default", "a")
    assert type(told.value) is ClusterUnavailable and told.value.retry_after_s == 7


def test_a_server_that_says_nothing_is_not_waited_for(cluster, tmp_path):
    with http(cluster, tmp_path, timeout_s=0.3) as api:
        cluster.silent, began = True, time.monotonic()
        with pytest.raises(ClusterUnavailable, match="no answer"):
            api.get(WIDGET, "default", "a")
        assert time.monotonic() - began < 15
        cluster.silent = False


def test_an_answer_that_was_lost_says_that_the_write_may_have_happened(cluster, tmp_path):
    with http(cluster, tmp_path) as api:
        cluster.fault = lambda method, path: "after"
        with pytest.raises(ClusterUnavailable, match="no answer"):
            api.create(WIDGET, "default", widget())
        cluster.fault = None
        assert api.get(WIDGET, "default", "a")["spec"]["version"] == "v1"


def test_what_is_no_kubernetes_is_told_in_words(tmp_path):
    from tests.unit.test_cli import page

    with page("<html>login</html>") as port:
        configuration, _ = configured(kubeconfig(tmp_path / "k", f"http://127.0.0.1:{port}"))
        with pytest.raises(ClusterUnavailable, match="is this a Kubernetes API|page"):
            HttpApi(configuration, agent="x").get(WIDGET, "default", "a")


def test_a_kubeconfig_that_cannot_be_used_is_a_fault_with_a_remedy(tmp_path):
    (tmp_path / "broken").write_text("{")
    for path in (tmp_path / "none", tmp_path / "broken"):
        with pytest.raises(InvalidInput, match="--kubeconfig"):
            configured(path)
    with pytest.raises(InvalidInput, match="cannot be used"):
        configured(kubeconfig(tmp_path / "k", "http://127.0.0.1:1"), "no-such-context")


# -- merge patches -----------------------------------------------------------------------------------------------------


def test_a_merge_patch_makes_one_object_into_the_other():
    from hypothesis import given, settings
    from hypothesis import strategies as st

    leaves = st.one_of(st.booleans(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
    objects = st.recursive(
        st.dictionaries(st.text(max_size=2), leaves, max_size=4),
        lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3),
        max_leaves=10,
    )

    @settings(max_examples=200, deadline=None)
    @given(before=objects, after=objects)
    def holds(before, after):
        patch = merge_patch(before, after)
        assert patches.merge(before, patch) == after
        assert (patch == {}) == (repr_of(before) == repr_of(after))

    def repr_of(value):
        import json

        return json.dumps(value, sort_keys=True)

    holds()


# -- the cache ---------------------------------------------------------------------------------------------------------


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
        eventually(lambda: names(cache) == ["missed"])


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
        eventually(lambda: names(cache) == ["late"])


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
        assert "are its definitions installed" in cache.problem and cache.all() == []


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


# -- the elector -------------------------------------------------------------------------------------------------------

TERMS = LeaseTimings(lease_s=1.0, renew_s=0.6, retry_s=0.1)


class Candidate:
    """One who would lead, in a thread; span: when it led, by its own word."""

    def __init__(self, api, name, terms=TERMS):
        self.elector = Elector(api, "default", "lead", name, terms)
        self.stopped, self.led, self.drained = threading.Event(), threading.Event(), threading.Event()
        self.drained.set()
        self.result = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        self.result = self.elector.run(self.stopped, self.led.set, self.drain)

    def drain(self):
        self.drained.wait(30)

    def stop(self, *, release=True):
        self.stopped.set()
        self.thread.join(60)
        if release:
            self.elector.release()


def test_one_leads_and_hands_over_at_once_when_it_ends_in_order(cluster):
    terms = LeaseTimings(lease_s=600.0, renew_s=590.0, retry_s=0.1)
    one = Candidate(FakeApi(cluster), "one", terms)
    assert one.led.wait(60)
    two = Candidate(FakeApi(cluster), "two", terms)
    time.sleep(1.5)
    assert not two.led.is_set() and one.elector.leads
    one.stop()
    assert two.led.wait(60), "long before the lease runs out"
    lease = FakeApi(cluster).get(LEASE, "default", "lead")["spec"]
    assert lease["holderIdentity"] == "two" and lease["leaseTransitions"] == 1
    two.stop()
    assert FakeApi(cluster).get(LEASE, "default", "lead")["spec"]["holderIdentity"] == ""


def test_who_cannot_reach_the_api_stops_leading_before_another_begins():
    cluster = FakeCluster()
    cut = threading.Event()
    api = FakeApi(cluster)
    inner = api._call

    def call(*arguments, **named):
        if cut.is_set():
            raise ClusterUnavailable("cut off")
        return inner(*arguments, **named)

    api._call = call
    one = Candidate(api, "one")
    assert one.led.wait(60)
    two = Candidate(FakeApi(cluster), "two")
    overlaps, end = 0, time.monotonic() + 60
    cut.set()
    while time.monotonic() < end and not two.led.is_set():
        overlaps += one.elector.leads and two.elector.leads
        time.sleep(0.005)
    assert two.led.is_set() and overlaps == 0
    one.thread.join(60)
    assert one.result is False, "a lost lease ends the run, so that the process ends"
    two.stop()


def test_a_leader_that_was_paused_knows_at_once_that_it_leads_no_more(cluster, monkeypatch):
    one = Elector(FakeApi(cluster), "default", "lead", "one", TERMS)
    assert one._try() and one.leads
    later = time.monotonic() + 60
    monkeypatch.setattr("rollout.adapters.kubernetes.elector.time.monotonic", lambda: later)
    assert not one.leads


def test_the_lease_is_renewed_until_all_that_was_under_way_has_ended(cluster):
    one = Candidate(FakeApi(cluster), "one")
    assert one.led.wait(30)
    one.drained.clear()
    one.stopped.set()
    renewed = FakeApi(cluster).get(LEASE, "default", "lead")["spec"]["renewTime"]
    renewals = lambda: FakeApi(cluster).get(LEASE, "default", "lead")["spec"]["renewTime"]
    eventually(lambda: renewals() > renewed)
    assert one.thread.is_alive() and one.elector.leads
    one.drained.set()
    one.thread.join(30)
    assert one.result is True


def test_a_lease_that_is_forbidden_is_told(cluster):
    cluster.allowed = lambda verb, resource, place: resource.plural != "leases"
    elector = Elector(FakeApi(cluster), "default", "lead", "one", TERMS)
    assert not elector._try() and "may not be used: grant it" in elector.problem
    cluster.allowed = None
    assert elector._try() and elector.problem == ""


def test_a_rollout_of_another_controller_is_its_own_as_long_as_its_lease_is_held(cluster):
    api, clock = FakeApi(cluster), lambda: at[0]
    at = [100.0]
    other = Elector(api, "elsewhere", "lead", "two", TERMS)
    claims = Claims(api, "default/lead", clock)
    assert claims.held_by_another("elsewhere/lead") == "", "there is no such lease"
    assert other._try()
    for _ in range(5):
        assert "two" in claims.held_by_another("elsewhere/lead")
        at[0] += 0.6
        other._try()
    assert claims.held_by_another("default/lead") == "" and claims.held_by_another("") == ""
    at[0] += 0.6
    assert claims.held_by_another("elsewhere/lead"), "it may be renewed yet"
    at[0] += 2.0
    assert claims.held_by_another("elsewhere/lead") == "", "it has run out"
    other._try()
    other.release()
    assert claims.held_by_another("elsewhere/lead") == "", "it was let go of"


def test_a_lease_that_may_not_be_read_is_taken_for_held(cluster):
    Elector(FakeApi(cluster), "elsewhere", "lead", "two", TERMS)._try()
    cluster.allowed = lambda verb, resource, place: place["namespace"] != "elsewhere"
    assert "may not be read" in Claims(FakeApi(cluster), "default/lead").held_by_another("elsewhere/lead")


def test_of_two_who_take_a_free_lease_one_is_refused(cluster):
    api = FakeApi(cluster)
    one, two = (Elector(api, "default", "lead", name, TERMS) for name in ("one", "two"))
    assert one._try()
    FakeApi(cluster).merge(LEASE, "default", "lead", {"spec": {"holderIdentity": ""}})
    stale = api.get(LEASE, "default", "lead")
    assert one._try()
    two._api = type("Stale", (), {"get": lambda *_: stale, "replace": api.replace})()
    assert not two._try() and not two.leads


def test_a_lease_is_renewed_in_a_form_that_every_server_takes(cluster):
    elector = Elector(FakeApi(cluster), "default", "lead", "one", TERMS, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    assert elector._try() and elector._try()
    assert FakeApi(cluster).get(LEASE, "default", "lead")["spec"]["renewTime"] == "2026-01-01T00:00:00.000000Z"
