"""The work queue: nobody waits behind the rest, and no delay depends on the clock on the wall."""

from __future__ import annotations

import threading
import time

import pytest

from rollout.runtime.workqueue import WorkQueue


class Clock:
    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at


def drain(queue, **how):
    """Take what can be taken now."""
    taken = []
    while (key := taking(queue, **how)) is not None:
        taken.append(key)
    return taken


def taking(queue, **how):
    """Take a key if one can be had at once."""
    return queue.take(**how, waits=False)


def test_a_key_is_never_in_two_hands_and_never_lost():
    queue = WorkQueue()
    queue.add("n/a")
    queue.add("n/a")
    assert queue.take() == "n/a"
    queue.add("n/a")
    queue.add("n/b")
    assert queue.take() == "n/b", "a is being worked on"
    queue.done("n/a")
    assert queue.take() == "n/a", "it was added meanwhile"
    queue.done("n/a")
    queue.done("n/b")
    queue.close()
    assert queue.take() is None


def test_what_is_urgent_goes_before_all_others_also_where_it_waited_already():
    queue = WorkQueue()
    for name in "abc":
        queue.add(f"n/{name}")
    queue.add("n/c", urgent=True)
    assert queue.depth() == 3
    assert drain(queue) == ["n/c", "n/a", "n/b"]


def test_a_worker_of_the_urgent_lane_takes_nothing_else():
    queue = WorkQueue()
    queue.add("n/a")
    assert taking(queue, urgent_only=True) is None
    queue.add("n/b", urgent=True)
    assert taking(queue, urgent_only=True) == "n/b" and taking(queue, urgent_only=True) is None


def test_what_becomes_urgent_while_it_is_worked_on_comes_back_urgent():
    queue = WorkQueue()
    queue.add("n/a")
    assert queue.take() == "n/a"
    queue.add("n/a")
    queue.add("n/a", urgent=True)
    queue.add("n/b")
    queue.done("n/a")
    assert drain(queue) == ["n/a", "n/b"]


def test_namespaces_take_turns():
    queue = WorkQueue()
    for number in range(4):
        queue.add(f"many/{number}")
    queue.add("few/0")
    assert drain(queue) == ["many/0", "few/0", "many/1", "many/2", "many/3"]


def test_no_namespace_has_all_workers():
    queue = WorkQueue(share_max=2)
    for number in range(5):
        queue.add(f"many/{number}")
    queue.add("few/0")
    assert sorted(drain(queue)) == ["few/0", "many/0", "many/1"]
    queue.done("many/0")
    assert drain(queue) == ["many/2"]


def test_a_namespace_at_its_bound_still_gets_its_abort_through():
    queue = WorkQueue(share_max=1)
    queue.add("many/0")
    queue.add("many/1")
    assert drain(queue) == ["many/0"]
    queue.add("many/2", urgent=True)
    assert drain(queue) == ["many/2"]


def test_a_delay_is_over_by_its_own_clock_and_the_newest_delay_counts():
    clock = Clock()
    queue = WorkQueue(clock=clock)
    queue.add_after("n/a", 10.0)
    queue.add_after("n/b", 1.0)
    queue.add_after("n/a", 2.0)
    assert drain(queue) == []
    clock.at += 1.5
    assert drain(queue) == ["n/b"]
    clock.at += 1.0
    assert drain(queue) == ["n/a"]
    clock.at += 100.0
    assert drain(queue) == [], "the older delay was replaced"


def test_a_worker_that_waits_is_woken_by_a_delay():
    queue = WorkQueue()
    taken = []
    worker = threading.Thread(target=lambda: taken.append(queue.take()), daemon=True)
    worker.start()
    queue.add_after("n/a", 0.05)
    worker.join(30)
    assert taken == ["n/a"]


@pytest.mark.parametrize("how", [{}, {"urgent_only": True}], ids=["any", "urgent"])
def test_closing_lets_every_worker_end(how):
    queue = WorkQueue()
    worker = threading.Thread(target=queue.take, kwargs=how, daemon=True)
    worker.start()
    queue.close()
    worker.join(30)
    assert not worker.is_alive()
    queue.add("n/a")
    queue.add_after("n/b", 0.0)
    assert queue.depth() == 0


def test_each_key_wakes_one_worker_and_is_taken_whoever_kept_the_time():
    queue, taken, lock = WorkQueue(), [], threading.Lock()

    def work():
        while (key := queue.take()) is not None:
            with lock:
                taken.append(key)
            queue.done(key)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    for number in range(500):
        queue.add(f"n/a{number}")
        queue.add_after(f"n/b{number}", number / 5000)
    end = time.monotonic() + 60
    while len(taken) < 1000 and time.monotonic() < end:
        time.sleep(0.01)
    queue.close()
    for thread in threads:
        thread.join(30)
    assert len(taken) == 1000 and not any(thread.is_alive() for thread in threads)


def test_a_delay_that_ends_sooner_than_the_one_that_is_waited_for_is_not_overslept():
    queue, taken = WorkQueue(), threading.Event()
    queue.add_after("n/late", 3600)
    threading.Thread(target=lambda: (queue.take(), taken.set()), daemon=True).start()
    queue.add_after("n/soon", 0.05)
    assert taken.wait(30)
    queue.close()


def test_an_urgent_delay_is_kept_by_the_urgent_lane_where_all_others_are_busy():
    queue, taken = WorkQueue(), threading.Event()
    queue.add("n/busy")
    assert queue.take() == "n/busy"
    threading.Thread(target=lambda: (queue.take(urgent_only=True), taken.set()), daemon=True).start()
    queue.add_after("n/abort", 0.05, urgent=True)
    assert taken.wait(30)
    queue.close()
