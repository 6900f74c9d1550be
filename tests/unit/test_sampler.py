"""Samples that nobody waits for, and that those who ask one Prometheus take together."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from rollout.adapters.metrics.prometheus_client import QueryResult
from rollout.adapters.metrics.prometheus_source import asked_together
from rollout.adapters.metrics.sampler import Sampler
from rollout.engine.facts import KpiReading, Round
from rollout.errors import PageUnavailable
from rollout.runtime.workqueue import WorkQueue


class Prometheus:
    """Answers once the test lets it. asked: every query."""

    def __init__(self, *, open_=True, refuses=""):
        self.gate, self.asked, self.refuses = threading.Event(), [], refuses
        if open_:
            self.gate.set()

    def query(self, text, at=None):
        self.asked.append(text)
        self.gate.wait(30)
        return QueryResult(problem="bad query" if self.refuses and self.refuses in text else "")


class Source:
    """One rollout's counters, of the selector `name`."""

    def __init__(self, prometheus=None, name="up", error=None):
        self.prometheus, self.name, self.error = prometheus or Prometheus(), name, error

    def asking(self, question):
        if self.error:
            raise self.error
        return SimpleNamespace(
            client=self.prometheus,
            reading=SimpleNamespace(texts=(self.name,)),
            round=lambda selected: Round({}, KpiReading(problem=selected.problem), mark=self.name),
        )


class Taken:
    """The keys whose samples are in."""

    def __init__(self):
        self.keys, self.changed = [], threading.Condition()

    def __call__(self, key):
        with self.changed:
            self.keys.append(key)
            self.changed.notify_all()

    def wait(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.keys) >= count, 30), self.keys


@pytest.fixture
def taken():
    return Taken()


@pytest.fixture
def sampler(taken):
    made = Sampler(WorkQueue(share_max=1), taken, threads=2)
    yield made
    made.close()


def test_whoever_asks_goes_on_and_is_woken_once_the_sample_is_in(sampler, taken):
    prometheus = Prometheus(open_=False)
    of = sampler.of("n/a", Source(prometheus))
    assert of.read("v1", "v2", ()) is None and of.read("v1", "v2", ()) is None
    prometheus.gate.set()
    taken.wait(1)
    assert of.read("v1", "v2", ()).mark == "up" and len(prometheus.asked) == 1, "asked for twice, read once"


def test_a_sample_is_given_once(sampler, taken):
    source = Source()
    of = sampler.of("n/a", source)
    of.read("v1", "v2", ())
    taken.wait(1)
    assert of.read("v1", "v2", ()) is not None
    assert of.read("v1", "v2", ()) is None
    taken.wait(2)
    assert len(source.prometheus.asked) == 2


def test_a_sample_of_another_question_is_no_answer(sampler, taken):
    of = sampler.of("n/a", Source())
    of.read("v1", "v2", ())
    taken.wait(1)
    assert of.read("v1", "v3", ()) is None, "another candidate"


def test_a_prometheus_that_hangs_holds_up_its_own_rollouts_only(sampler, taken):
    slow = Prometheus(open_=False)
    for name in "abc":
        sampler.of(f"slow/{name}", Source(slow)).read("v1", "v2", ())
    of = sampler.of("quick/a", Source())
    of.read("v1", "v2", ())
    taken.wait(1)
    assert of.read("v1", "v2", ()) is not None
    slow.gate.set()


def test_a_fault_of_ours_is_a_reading_with_a_problem_and_the_thread_goes_on(sampler, taken):
    of = sampler.of("n/a", Source(error=RuntimeError("a bug")))
    of.read("v1", "v2", ())
    taken.wait(1)
    assert "RuntimeError" in of.read("v1", "v2", ()).requests.problem
    sampler.of("n/b", Source()).read("v1", "v2", ())
    taken.wait(2)


def test_what_a_source_may_not_use_is_a_reading_with_that_problem(sampler, taken):
    of = sampler.of("n/a", Source(error=PageUnavailable("the Secret may not be read")))
    of.read("v1", "v2", ())
    taken.wait(1)
    assert of.read("v1", "v2", ()).requests.problem == "the Secret may not be read"


def test_those_who_ask_one_prometheus_at_one_time_are_asked_for_together(sampler, taken):
    prometheus = Prometheus()
    for number in range(20):
        sampler.of(f"n{number}/a", Source(prometheus, f"of{number}")).read("v1", "v2", ())
    taken.wait(20)
    assert len(prometheus.asked) < 10
    answers = [
        sampler.of(f"n{number}/a", Source(prometheus, f"of{number}")).read("v1", "v2", ()) for number in range(20)
    ]
    assert [answer.mark for answer in answers] == [f"of{number}" for number in range(20)], "each its own"


def test_what_makes_a_common_query_fail_is_the_trouble_of_whoever_asked_for_it(sampler, taken):
    prometheus = Prometheus(refuses="bad")
    for name in ("good", "bad", "fine"):
        sampler.of(f"{name}/a", Source(prometheus, name)).read("v1", "v2", ())
    taken.wait(3)
    problems = {
        name: sampler.of(f"{name}/a", Source(prometheus, name)).read("v1", "v2", ()).requests.problem
        for name in ("good", "bad", "fine")
    }
    assert problems == {"good": "", "bad": "bad query", "fine": ""}


def rounds_of(prometheus, names):
    askings = [Source(prometheus, name).asking(None) for name in names]
    return [one.requests.problem for one in asked_together(askings, time.time)]


def test_one_selector_that_is_refused_costs_the_others_few_queries():
    prometheus = Prometheus(refuses="bad")
    names = [*(f'up{{of="{number}"}}' for number in range(63)), 'up{of="bad"}']
    assert rounds_of(prometheus, names) == [*[""] * 63, "bad query"]
    assert len(prometheus.asked) <= 1 + 2 * 6, "each half by itself, not each of 64"


def test_a_source_that_does_not_answer_is_asked_once_for_all():
    prometheus = Prometheus()
    prometheus.query = lambda text, at=None: (
        prometheus.asked.append(text) or QueryResult(problem="down", of_source=True)
    )
    assert rounds_of(prometheus, ["a", "b", "c"]) == ["down"] * 3 and len(prometheus.asked) == 1


def test_the_next_sample_is_taken_at_its_time_and_whoever_asks_finds_it(sampler, taken):
    of = sampler.of("n/a", Source())
    assert not sampler.foresee("n/a", 0.0), "it was never asked for: nobody knows what"
    of.read("v1", "v2", ())
    taken.wait(1)
    assert of.read("v1", "v2", ()) is not None
    began = time.monotonic()
    assert sampler.foresee("n/a", 0.2)
    taken.wait(2)
    assert time.monotonic() - began >= 0.2 and of.read("v1", "v2", ()) is not None


def test_a_foreseen_sample_that_is_wanted_sooner_is_taken_at_once(sampler, taken):
    of = sampler.of("n/a", Source())
    of.read("v1", "v2", ())
    taken.wait(1)
    assert of.read("v1", "v2", ()) is not None and sampler.foresee("n/a", 3600.0)
    assert of.read("v1", "v2", ()) is None
    taken.wait(2)
    assert of.read("v1", "v2", ()) is not None


def test_samples_that_are_due_within_a_tick_are_asked_for_together(sampler, taken):
    prometheus = Prometheus()
    for number in range(10):
        sampler.of(f"n{number}/a", Source(prometheus, f"of{number}")).read("v1", "v2", ())
    taken.wait(10)
    for number in range(10):
        assert sampler.of(f"n{number}/a", Source(prometheus, f"of{number}")).read("v1", "v2", ()) is not None
    prometheus.asked.clear()
    for number in range(10):
        assert sampler.foresee(f"n{number}/a", 0.6 + number / 1000)
    taken.wait(20)
    assert len(prometheus.asked) <= 4, "two ticks at most, each at once or in two parts"


def test_the_longer_an_answer_takes_the_more_are_asked_for_together(sampler, taken):
    """Each answer may have the series of all agents: many small questions cost as much as as many large ones."""

    class Slow(Prometheus):
        def query(self, text, at=None):
            time.sleep(0.2)
            return super().query(text, at)

    prometheus = Slow()
    for number in range(100):
        sampler.of(f"n{number}/a", Source(prometheus, f"up{number}")).read("v1", "v2", ())
        time.sleep(0.02)
    taken.wait(100)
    assert len(prometheus.asked) <= 11, "two at a time, with pauses twice as long as an answer takes"
