"""Windows and freezes in time zones that change their clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from rollout.adapters.checks.release_windows import reading
from rollout.model.api.gates import Gates

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def gates(*windows: tuple[str, str, str], freezes: tuple[tuple[str, str, str], ...] = ()) -> Gates:
    def made(entries):
        return [{"cron": cron, "for": lasts, "timezone": zone} for cron, lasts, zone in entries]

    return Gates.model_validate({"windows": made(windows), "freezes": made(freezes)})


OFFICE = gates(("0 9 * * mon-fri", "8h", BERLIN))


def is_open(of: Gates, local: str, zone: str = BERLIN, fold: int = 0) -> bool:
    moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return reading(of, moment.astimezone(UTC)).is_open


@pytest.mark.parametrize(
    ("local", "opened"),
    [
        ("2026-11-20T08:59:59", False),
        ("2026-11-20T09:00:00", True),
        ("2026-11-20T16:59:59", True),
        ("2026-11-20T17:00:00", False),
        ("2026-11-21T12:00:00", False),  # a Saturday
    ],
)
def test_a_window_begins_when_its_line_says_and_ends_after_its_time(local, opened):
    assert is_open(OFFICE, local) is opened


@pytest.mark.parametrize(
    ("day", "utc_hour"), [("2026-03-27", 8), ("2026-03-30", 7), ("2026-10-23", 7), ("2026-10-26", 8)]
)
def test_nine_in_the_morning_stays_nine_when_the_clocks_change(day, utc_hour):
    before = datetime.fromisoformat(f"{day}T{utc_hour - 1:02}:59:59+00:00")
    at = datetime.fromisoformat(f"{day}T{utc_hour:02}:00:00+00:00")
    assert not reading(OFFICE, before).is_open and reading(OFFICE, at).is_open


def test_a_window_across_a_change_of_clocks_lasts_for_its_elapsed_time():
    night = gates(("0 0 * * sun", "4h", BERLIN))
    assert is_open(night, "2026-03-29T04:59:59"), "an hour is skipped: four hours end at 5 by the clock"
    assert not is_open(night, "2026-03-29T05:00:00")
    assert is_open(night, "2026-10-25T02:59:59", fold=1), "an hour comes twice: four hours end at 3 by the clock"
    assert not is_open(night, "2026-10-25T03:00:00")


def test_a_time_that_the_clocks_skip_still_opens_the_window():
    skipped = gates(("30 2 29 3 *", "1h", BERLIN))
    assert not reading(skipped, datetime(2026, 3, 29, 1, 29, tzinfo=UTC)).is_open
    assert reading(skipped, datetime(2026, 3, 29, 1, 30, tzinfo=UTC)).is_open


def test_a_time_that_comes_twice_opens_the_window_twice():
    twice = gates(("30 2 25 10 *", "10m", BERLIN))
    opened = [
        minute
        for minute in range(180)
        if reading(twice, datetime(2026, 10, 25, minute // 60, minute % 60, tzinfo=UTC)).is_open
    ]
    assert opened == [*range(30, 40), *range(90, 100)]


def test_a_freeze_bars_an_open_window_and_says_until_when():
    frozen = gates(("0 9 * * mon-fri", "8h", BERLIN), freezes=(("0 0 20 12 *", "336h", BERLIN),))
    found = reading(frozen, datetime(2026, 12, 21, 10, tzinfo=UTC))
    assert not found.is_open and found.message == "a freeze lasts until Sun 2027-01-03 00:00 Europe/Berlin"
    assert reading(frozen, datetime(2027, 1, 4, 10, tzinfo=UTC)).is_open


def test_a_closed_window_says_when_the_next_one_opens_in_its_own_zone():
    two = gates(("0 9 * * mon-fri", "8h", BERLIN), ("0 10 * * sat", "2h", NEW_YORK))
    found = reading(two, datetime(2026, 11, 21, 12, tzinfo=UTC))
    assert found.message == "the next one opens Sat 2026-11-21 10:00 America/New_York"
    assert reading(two, datetime(2026, 11, 21, 15, 30, tzinfo=UTC)).is_open


def test_windows_that_touch_are_one_window():
    halves = gates(freezes=(("0 0 * * *", "12h", "UTC"), ("0 12 * * *", "12h", "UTC")))
    assert not reading(halves, datetime(2026, 1, 1, 12, tzinfo=UTC)).is_open
    overlapping = gates(freezes=(("*/10 * * * *", "15m", "UTC"),))
    assert "2026-01-02" in reading(overlapping, datetime(2026, 1, 1, 12, tzinfo=UTC)).message


def test_without_windows_it_is_always_open():
    assert reading(Gates(), datetime(2026, 1, 1, tzinfo=UTC)).is_open


def test_zones_on_the_other_side_of_the_world_have_their_own_days():
    kiritimati = gates(("0 0 * * mon", "24h", "Pacific/Kiritimati"))
    assert reading(kiritimati, datetime(2026, 11, 22, 10, 0, tzinfo=UTC)).is_open, "it is Monday there already"
    assert not reading(kiritimati, datetime(2026, 11, 23, 10, 0, tzinfo=UTC)).is_open
