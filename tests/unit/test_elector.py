"""Leading: one at a time, whatever happens to it; and whose a Rollout is."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest

from rollout.adapters.kubernetes.claims import Claims
from rollout.adapters.kubernetes.elector import Elector, LeaseTimings
from rollout.adapters.kubernetes.resources import LEASE
from rollout.controller.shards import Shards
from rollout.errors import ClusterUnavailable
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi
from tests.waiting import eventually


@pytest.fixture
def cluster():
    return FakeCluster()


TERMS = LeaseTimings(lease_s=1.0, renew_s=0.6, retry_s=0.1)


class Candidate:
    """One who would lead, in a thread; span: when it led, by its own word."""

    def __init__(self, api, name, terms=TERMS):
        self.elector = Elector(api, "default", "lead", name, terms)
        self.shards = Shards([self.elector], terms)
        self.stopped, self.led, self.drained = threading.Event(), threading.Event(), threading.Event()
        self.drained.set()
        self.result = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        self.result = self.shards.run(self.stopped, self)
        self.shards.release()

    def gain(self, shard):
        self.led.set()

    def leave(self, shard):
        raise AssertionError("the only shard is left to nobody")

    def stop(self):
        self.drained.wait(30)

    def end(self):
        self.stopped.set()
        self.thread.join(60)


def test_a_renewal_is_one_call_and_one_that_was_written_over_is_read_first(cluster):
    elector = Elector(FakeApi(cluster), "default", "lead", "one", TERMS)
    assert elector.acquire()
    cluster.calls.clear()
    assert elector.acquire() and elector.acquire()
    assert [call[:2] for call in cluster.calls] == [("update", "leases")] * 2
    FakeApi(cluster, "test").merge(LEASE, "default", "lead", {"metadata": {"labels": {"seen": "yes"}}})
    assert elector.acquire(), "somebody has labelled it; it is ours all the same"
    FakeApi(cluster, "test").merge(LEASE, "default", "lead", {"spec": {"holderIdentity": "two"}})
    assert not elector.acquire(), "it was taken"


def test_a_lease_is_renewed_no_more_often_than_two_more_tries_in_time_need(cluster):
    usual = LeaseTimings()
    assert usual.again_s + 2 * usual.retry_s < usual.renew_s
    one = Candidate(FakeApi(cluster), "one", TERMS)
    assert one.led.wait(60)
    began, before = time.monotonic(), cluster.calls.count(("update", "leases", LEASE.group))
    renewals = lambda: cluster.calls.count(("update", "leases", LEASE.group)) - before
    eventually(lambda: renewals() >= 5)
    assert renewals() <= (time.monotonic() - began) / TERMS.again_s + 1
    one.end()


def test_one_leads_and_hands_over_at_once_when_it_ends_in_order(cluster):
    terms = LeaseTimings(lease_s=600.0, renew_s=590.0, retry_s=0.1)
    one = Candidate(FakeApi(cluster), "one", terms)
    assert one.led.wait(60)
    two = Candidate(FakeApi(cluster), "two", terms)
    time.sleep(1.5)
    assert not two.led.is_set() and one.elector.leads
    one.end()
    assert two.led.wait(60), "long before the lease runs out"
    lease = FakeApi(cluster).get(LEASE, "default", "lead")["spec"]
    assert lease["holderIdentity"] == "two" and lease["leaseTransitions"] == 1
    two.end()
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
    two.end()


def test_a_leader_that_was_paused_knows_at_once_that_it_leads_no_more(cluster, monkeypatch):
    one = Elector(FakeApi(cluster), "default", "lead", "one", TERMS)
    assert one.acquire() and one.leads
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
    assert not elector.acquire() and "may not be used: grant it" in elector.problem
    cluster.allowed = None
    assert elector.acquire() and elector.problem == ""


def test_a_rollout_of_another_controller_is_its_own_as_long_as_its_lease_is_held(cluster):
    api, clock = FakeApi(cluster), lambda: at[0]
    at = [100.0]
    other = Elector(api, "elsewhere", "lead", "two", TERMS)
    claims = Claims(api, clock)
    assert claims.held_by_another("elsewhere/lead", "default/lead") == "", "there is no such lease"
    assert other.acquire()
    for _ in range(5):
        assert "two" in claims.held_by_another("elsewhere/lead", "default/lead")
        at[0] += 0.6
        other.acquire()
    assert claims.held_by_another("default/lead", "default/lead") == ""
    assert claims.held_by_another("", "default/lead") == ""
    at[0] += 0.6
    assert claims.held_by_another("elsewhere/lead", "default/lead"), "it may be renewed yet"
    at[0] += 2.0
    assert claims.held_by_another("elsewhere/lead", "default/lead") == "", "it has run out"
    other.acquire()
    other.release()
    assert claims.held_by_another("elsewhere/lead", "default/lead") == "", "it was let go of"


def test_a_lease_that_may_not_be_read_is_taken_for_held(cluster):
    Elector(FakeApi(cluster), "elsewhere", "lead", "two", TERMS).acquire()
    cluster.allowed = lambda verb, resource, place: place["namespace"] != "elsewhere"
    assert "may not be read" in Claims(FakeApi(cluster)).held_by_another("elsewhere/lead", "default/lead")


def test_of_two_who_take_a_free_lease_one_is_refused(cluster):
    api = FakeApi(cluster)
    one, two = (Elector(api, "default", "lead", name, TERMS) for name in ("one", "two"))
    assert one.acquire()
    FakeApi(cluster).merge(LEASE, "default", "lead", {"spec": {"holderIdentity": ""}})
    stale = api.get(LEASE, "default", "lead")
    assert one.acquire()
    two._api = type("Stale", (), {"get": lambda *_: stale, "replace": api.replace})()
    assert not two.acquire() and not two.leads


def test_a_lease_is_renewed_in_a_form_that_every_server_takes(cluster):
    elector = Elector(FakeApi(cluster), "default", "lead", "one", TERMS, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    assert elector.acquire() and elector.acquire()
    assert FakeApi(cluster).get(LEASE, "default", "lead")["spec"]["renewTime"] == "2026-01-01T00:00:00.000000Z"
