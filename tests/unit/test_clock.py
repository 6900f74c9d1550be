"""A clock for those who measure spans: a step of the clock on the wall moves no deadline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rollout.runtime.clock import SlewedClock

START = datetime(2026, 1, 1, tzinfo=UTC)


class Hands:
    """A clock on the wall that somebody may set, and one that nobody can."""

    def __init__(self):
        self.wall, self.monotonic_s = START, 0.0
        self.clock = SlewedClock(lambda: self.wall, lambda: self.monotonic_s)

    def pass_s(self, seconds):
        self.wall += timedelta(seconds=seconds)
        self.monotonic_s += seconds

    def set_by(self, seconds):
        self.wall += timedelta(seconds=seconds)

    def span_s(self, seconds, every_s=1.0):
        """How long the clock says it was while so much time passed."""
        before = self.clock.now()
        for _ in range(round(seconds / every_s)):
            self.pass_s(every_s)
            self.clock.now()
        return (self.clock.now() - before).total_seconds()


def test_without_a_step_it_is_the_clock_on_the_wall():
    hands = Hands()
    assert hands.span_s(600) == pytest.approx(600)
    assert hands.clock.now() == hands.wall


@pytest.mark.parametrize("step_s", [3600, -3600], ids=["forth", "back"])
def test_a_step_of_an_hour_changes_spans_by_a_tenth_at_most_and_is_caught_up_with(step_s):
    hands = Hands()
    hands.span_s(60)
    hands.set_by(step_s)
    assert hands.span_s(600) == pytest.approx(600, rel=0.11)
    hands.span_s(12 * 3600, every_s=60)
    assert abs((hands.clock.now() - hands.wall).total_seconds()) <= 2.0


@pytest.mark.parametrize("step_s", [3600, -3600, -1.5])
def test_it_never_goes_back(step_s):
    hands = Hands()
    before = hands.clock.now()
    hands.set_by(step_s)
    for _ in range(20):
        hands.pass_s(0.05)
        after = hands.clock.now()
        assert after >= before
        before = after
