"""Rules for gates: a window opens, a check can be told from another."""

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo, available_timezones

from rollout.errors import Fault
from rollout.model.units import duration_s
from rollout.model.validation.rules import Raw, items, mapping, number

_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PART = re.compile(r"^(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/(\d+))?$")
WINDOW_MAX_S = 60 * 86_400.0


def gates(raw: Raw) -> Iterator[Fault]:
    """Windows are times that come; checks have names of their own and enough time."""
    declared = mapping(raw.get("gates"))
    for kind in ("windows", "freezes"):
        for index, window in enumerate(items(declared.get(kind))):
            yield from _window(mapping(window), f"gates.{kind}[{index}]")
    seen: set[str] = set()
    for kind in ("webhooks", "commands"):
        for index, check in enumerate(items(declared.get(kind))):
            path, check_raw = f"gates.{kind}[{index}]", mapping(check)
            name = check_raw.get("name")
            if isinstance(name, str) and name in seen:
                yield Fault(f"{path}.name", "is used by another check", "give each check its own name", name)
            if isinstance(name, str):
                seen.add(name)
            for key in ("timeout", "pollEvery"):
                if number(duration_s, check_raw.get(key)) == 0:
                    yield Fault(f"{path}.{key}", "leaves no time", "10m is usual for a timeout, 5s for pollEvery", "0s")


def _window(window: Raw, path: str) -> Iterator[Fault]:
    if isinstance(window.get("cron"), str):
        yield from (fault.within(f"{path}.cron") for fault in _cron(window["cron"]))
    lasts = number(duration_s, window.get("for"))
    if lasts is not None and not 0 < lasts <= WINDOW_MAX_S:
        yield Fault(f"{path}.for", "must be above 0s and at most 60 days", "8h is usual", window["for"])
    zone = window.get("timezone")
    if isinstance(zone, str) and not _is_zone(zone):
        remedy = "use a name of the time zone database, such as Europe/Berlin or UTC"
        yield Fault(f"{path}.timezone", "is not a time zone", remedy, zone)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return name in available_timezones()
    return True


def _cron(text: str) -> Iterator[Fault]:
    """Say what is wrong with a cron line. Weekdays are words: 0 is Sunday to some programs, Monday to others."""
    parts = text.lower().split()
    if len(parts) != len(_FIELDS):
        remedy = f"write {len(_FIELDS)}: {', '.join(_FIELDS)}; as in 0 9 * * mon-fri"
        yield Fault("", f"has {len(parts)} fields", remedy, text)
        return
    for index, (field, part) in enumerate(zip(_FIELDS, parts, strict=True)):
        for item in part.split(","):
            if problem := _item(index, item):
                yield Fault("", f"{field}: {problem[0]}", problem[1], text)
                return
    if _never(parts):
        yield Fault("", "names a day that never comes", "name a day that the month has", text)


def _item(index: int, item: str) -> tuple[str, str] | None:
    """Return what is wrong with one item of a cron field, and the remedy; None if nothing is."""
    match = _PART.match(item)
    if match is None:
        return f"{item} cannot be read", "use *, a value, a range a-b, a step */n, or several with commas"
    low, high = _RANGES[index]
    names: tuple[str, ...] = _MONTHS if index == 3 else _DAYS if index == 4 else ()
    values = []
    for end in match.groups()[:2]:
        if end in (None, "*"):
            continue
        if index == 4 and end.isdigit():
            return f"{item} counts weekdays, which programs do differently", "write mon, tue, … or mon-fri"
        if end in names:
            values.append(names.index(end))
        elif end.isdigit() and low <= int(end) <= high:
            values.append(int(end) - (1 if index == 3 else 0))
        else:
            return f"{item} is out of range", f"use {low} to {high}" + (
                f" or {names[0]} to {names[-1]}" if names else ""
            )
    if len(values) == 2 and values[1] < values[0]:
        return f"{item} runs backwards", "write two items, such as fri-sun,mon"
    if match.group(3) == "0":
        return f"{item} has a step of 0", "use 1 or more"
    return None


_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _never(parts: list[str]) -> bool:
    """Whether the days of the month are beyond every month that is named."""
    days, months = parts[2], parts[3]
    if not all(re.fullmatch(r"\d+", day) for day in days.split(",")):
        return False
    named = [
        _MONTHS.index(month) if month in _MONTHS else int(month) - 1
        for month in months.split(",")
        if "-" not in month and "*" not in month
    ]
    if not named or len(named) != len(months.split(",")):
        return False
    return min(int(day) for day in days.split(",")) > max(_LONGEST[month] for month in named)
