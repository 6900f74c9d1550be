"""The entries that keep started conversations on their versions, before a rule of a VirtualService. Pure.

Routes of one host in several VirtualServices have no order, so these stand in the user's own object: named, just before
the rule that they are about, and taken out by their names. A JSON patch tests each position first.
"""

from __future__ import annotations

import hashlib

from rollout.adapters.kubernetes.resources import Object, version_of
from rollout.adapters.routers.pin_route import PinPlan
from rollout.adapters.routers.pinning import HeaderMatch
from rollout.adapters.routers.rule import PIN_MARK, Rule, name_in
from rollout.model.status.conversations import Pins

_OURS = ("name", "match", "route")


def entries_of(rule: Rule, mark: str, plan: PinPlan, pins: Pins) -> list[Object]:
    """Return the entries that stand before the rule, in order.

    Args:
        mark: what the names of this rule's entries have in common.
    """
    kept = {key: value for key, value in rule.raw.items() if key not in _OURS}
    listed = rule.raw.get("match")
    matches = [match for match in listed if isinstance(match, dict)] if isinstance(listed, list) else []
    pinned = plan.versions_and_matches(pins)
    return [
        {
            **kept,
            "name": _name(mark, version, started=index >= len(pins.versions)),
            "match": [_with_header(match, header) for match in matches or [{}]],
            "route": [plan.backend(rule, version)],
        }
        for index, (version, header) in enumerate(pinned)
    ]


def mark_of(rollout: str, label: str) -> str:
    """Return what the names of the entries before one rule of one Rollout have in common."""
    return f"{rollout}/{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def seen_entries(route: Object, mark: str) -> list[tuple[int, Object]]:
    """Return the entries of a rule, or of all rules of a Rollout, with their places."""
    spec = route.get("spec")
    http = spec.get("http") if isinstance(spec, dict) else None
    prefixes = (_name(mark, "", started=False), _name(mark, "", started=True))
    return [
        (index, entry)
        for index, entry in enumerate(http if isinstance(http, list) else ())
        if isinstance(entry, dict) and name_in(entry).startswith(prefixes)
    ]


def pins_in(route: Object, rule: Rule, mark: str, plan: PinPlan) -> Pins | None:
    """Return the pins that are written; None where they are not as we wrote them, or do not stand before the rule."""
    seen = seen_entries(route, mark)
    pin, started = _name(mark, "", started=False), _name(mark, "", started=True)
    names = [name_in(entry) for _, entry in seen]
    versions = tuple(name.removeprefix(pin) for name in names if name.startswith(pin))
    rest = [name.removeprefix(started) for name in names if name.startswith(started)]
    pins = Pins(versions=versions, started=rest[0] if rest else None)
    places = [index for index, _ in seen]
    in_place = places == list(range(rule.index - len(seen), rule.index))
    right = [entry for _, entry in seen] == entries_of(rule, mark, plan, pins)
    return pins if in_place and right else None


def removal(route: Object, entries: list[tuple[int, Object]]) -> list[Object]:
    """Return the patch that takes entries out; empty where there are none."""
    if not entries:
        return []
    version = {"op": "test", "path": "/metadata/resourceVersion", "value": version_of(route)}
    tests = [{"op": "test", "path": f"/spec/http/{place}/name", "value": name_in(entry)} for place, entry in entries]
    return [version, *tests, *({"op": "remove", "path": f"/spec/http/{place}"} for place, _ in reversed(entries))]


def pin_patch(route: Object, rule: Rule, mark: str, plan: PinPlan, pins: Pins) -> list[Object]:
    """Return the patch that brings the entries to what is wanted; empty where they are."""
    if pins_in(route, rule, mark, plan) == pins:
        return []
    seen = seen_entries(route, mark)
    tests = [{"op": "test", "path": f"/spec/http/{place}/name", "value": name_in(entry)} for place, entry in seen]
    if rule.raw.get("name"):
        tests.append({"op": "test", "path": f"/spec/http/{rule.index}/name", "value": rule.raw["name"]})
    removals = [{"op": "remove", "path": f"/spec/http/{place}"} for place, _ in reversed(seen)]
    at = rule.index - sum(place < rule.index for place, _ in seen)
    wanted = entries_of(rule, mark, plan, pins)
    added = [{"op": "add", "path": f"/spec/http/{at + offset}", "value": entry} for offset, entry in enumerate(wanted)]
    version = {"op": "test", "path": "/metadata/resourceVersion", "value": version_of(route)}
    return [version, *tests, *removals, *added] if removals or added else []


def _name(mark: str, version: str, *, started: bool) -> str:
    return f"{PIN_MARK}{'started' if started else 'pin'}/{mark}/{version}"


def _with_header(match: Object, header: HeaderMatch) -> Object:
    headers = match.get("headers") if isinstance(match.get("headers"), dict) else {}
    value = {"regex": header.value} if header.is_regex else {"exact": header.value}
    return {**match, "headers": {**(headers or {}), header.name: value}}
