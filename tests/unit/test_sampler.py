"""Samples that nobody waits for."""

from __future__ import annotations

import threading

import pytest

from rollout.adapters.metrics.sampler import Sampler
from rollout.engine.facts import KpiReading, Round
from rollout.runtime.workqueue import WorkQueue

ROUND = Round({}, KpiReading())


class Source:
    """Counters that come once the test lets them; how often they were read."""

    def __init__(self, *, open_=True, error=None):
        self.gate, self.reads, self.error = threading.Event(), 0, error
        if open_:
            self.gate.set()

    def read(self, *_):
        self.gate.wait(30)
        self.reads += 1
        if self.error:
            raise self.error
        return ROUND


@pytest.fixture
def taken():
    return threading.Event()


@pytest.fixture
def sampler(taken):
    made = Sampler(WorkQueue(share_max=1), lambda _: taken.set(), threads=2)
    yield made
    made.close()


def test_whoever_asks_goes_on_and_is_woken_once_the_sample_is_in(sampler, taken):
    source = Source(open_=False)
    of = sampler.of("n/a", source)
    assert of.read("v1", "v2", ()) is None and of.read("v1", "v2", ()) is None
    source.gate.set()
    assert taken.wait(30)
    assert of.read("v1", "v2", ()) is ROUND and source.reads == 1, "asked for twice, read once"


def test_a_sample_is_given_once(sampler, taken):
    source = Source()
    of = sampler.of("n/a", source)
    of.read("v1", "v2", ())
    assert taken.wait(30) and of.read("v1", "v2", ()) is ROUND
    taken.clear()
    assert of.read("v1", "v2", ()) is None
    assert taken.wait(30) and source.reads == 2


def test_a_sample_of_another_question_is_no_answer(sampler, taken):
    of = sampler.of("n/a", Source())
    of.read("v1", "v2", ())
    assert taken.wait(30)
    assert of.read("v1", "v3", ()) is None, "another candidate"


def test_a_prometheus_that_hangs_holds_up_its_own_namespace_only(sampler, taken):
    slow, quick = Source(open_=False), Source()
    for name in "abc":
        sampler.of(f"slow/{name}", slow).read("v1", "v2", ())
    of = sampler.of("quick/a", quick)
    of.read("v1", "v2", ())
    assert taken.wait(30) and of.read("v1", "v2", ()) is ROUND
    slow.gate.set()


def test_a_fault_of_ours_is_a_reading_with_a_problem_and_the_thread_goes_on(sampler, taken):
    of = sampler.of("n/a", Source(error=RuntimeError("a bug")))
    of.read("v1", "v2", ())
    assert taken.wait(30)
    assert "RuntimeError" in of.read("v1", "v2", ()).requests.problem
    taken.clear()
    sampler.of("n/b", Source()).read("v1", "v2", ())
    assert taken.wait(30)
