"""The route of ours that keeps started conversations on their versions, beside a rule of somebody else's. Pure.

Gateway API: the user's object is not touched. Each match of the rule is repeated with the pin added: of two matches
that are alike otherwise, the one with more headers is taken (GEP-1722), and of equal ones that of the older route, so
ours is never older than theirs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.routers.missing_backends import addition
from rollout.adapters.routers.pinning import HeaderMatch, pin_match, started_match
from rollout.adapters.routers.rule import RouteDialect, Rule, rules_in
from rollout.model.api.conversations import Conversations
from rollout.model.api.naming import Naming
from rollout.model.status.conversations import Pins

RULES_MAX, MATCHES_MAX, MATCHES_IN_ALL_MAX, HEADERS_MAX = 16, 64, 128, 16
"""What the Gateway API allows of a route, of a rule, and of a match."""

_OURS = ("name", "matches", "backendRefs")


@dataclass(frozen=True, slots=True)
class PinPlan:
    """What conversations are pinned by in one rule.

    Attributes:
        naming: how a version becomes a backend where the rule does not list it any more.
    """

    conversations: Conversations
    naming: Naming
    dialect: RouteDialect

    def versions_and_matches(self, pins: Pins) -> list[tuple[str, HeaderMatch]]:
        """Return whose requests are told by what, in order: those with a pin before those that only have an id."""
        pinned = [(version, pin_match(self.conversations, version)) for version in pins.versions]
        if pins.started is not None:
            pinned.append((pins.started, started_match(self.conversations)))
        return pinned

    def backend(self, rule: Rule, version: str) -> Object:
        """Return a version's backend alone: as the rule has it, else as it would be added."""
        listed = rule.ours.get(version)
        if listed is not None:
            raw = rule.raw[self.dialect.backends][listed.index]
        else:
            raw = addition(rule, self.dialect, self.naming, version)["value"]
        return {key: value for key, value in raw.items() if key != "weight"}


def pin_spec(route: Object, rule: Rule, plan: PinPlan, pins: Pins) -> Object:
    """Return the spec of our route."""
    spec = route["spec"]
    kept = {key: value for key, value in rule.raw.items() if key not in _OURS}
    matches = _matches(rule)
    rules = [
        {
            **kept,
            "matches": [_with_header(match, header) for match in matches],
            "backendRefs": [plan.backend(rule, version)],
        }
        for version, header in plan.versions_and_matches(pins)
    ]
    shared = {key: spec[key] for key in ("parentRefs", "hostnames") if spec.get(key)}
    return {**shared, "rules": rules}


def beyond_limits(rule: Rule, plan: PinPlan, pins: Pins) -> str:
    """Say which limit of the API the pins would break; empty where none."""
    rules, matches = len(plan.versions_and_matches(pins)), _matches(rule)
    headers = max(len(_headers(match)) for match in matches) + 1
    for count, most, what in (
        (rules, RULES_MAX, "rules"),
        (len(matches), MATCHES_MAX, "matches in a rule"),
        (rules * len(matches), MATCHES_IN_ALL_MAX, "matches in a route"),
        (headers, HEADERS_MAX, "headers in a match"),
    ):
        if count > most:
            remedy = "give the agent a rule of its own with fewer matches"
            return f"pins need {count} {what}, and the Gateway API allows {most}: {remedy}"
    return ""


def clash(names: Iterable[str], plan: PinPlan) -> str:
    """Say that a rule matches the very header that a pin would be read from; empty where it does not.

    Args:
        names: of the headers that the rule matches.
    """
    ours = {header.name for _, header in plan.versions_and_matches(Pins(versions=("v",), started="v"))}
    taken = sorted(ours & {name.lower() for name in names})
    remedy = "pin by another header, or take it out of the rule"
    return f"the rule matches the header {taken[0]} itself: {remedy}" if taken else ""


def header_names(rule: Rule) -> list[str]:
    """Return the headers that a rule of the Gateway API matches."""
    return [str(header.get("name", "")) for match in _matches(rule) for header in _headers(match)]


def digest_of(spec: Object) -> str:
    """Return what tells one spec of ours from another: a server fills in defaults, so the object itself does not."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True, default=str).encode()).hexdigest()[:16]


def collision(route: Object, rule: Rule, dialect: RouteDialect) -> str:
    """Say which other rule would lose requests to the pins, though it has them now; empty where none."""
    for index, other in enumerate(rules_in(route, dialect)):
        if index == rule.index:
            continue
        for mine in _matches(rule):
            if any(_overtaken(theirs, mine) for theirs in _objects(other.get("matches")) or [{}]):
                label = other.get("name") or f"number {index + 1}"
                return (
                    f"rule {label} takes requests out of rule {rule.label} by its query parameters, which a pin would "
                    "overtake: match it by a header or by its path"
                )
    return ""


def _overtaken(theirs: Object, mine: Object) -> bool:
    """Whether a match of another rule wins against ours, and loses once ours has one more header."""
    if _place(theirs) != _place(mine):
        return False
    them, us = _rank(theirs), _rank(mine)
    return them > us and (us[0] + 1, us[1]) > them


def _place(match: Object) -> tuple[Any, ...]:
    """Return what decides before headers do: the path and the method."""
    path = match.get("path") if isinstance(match.get("path"), dict) else {}
    method = match.get("method")
    if isinstance(method, dict):  # of a GRPCRoute
        method = (method.get("service"), method.get("method"))
    return (path or {}).get("type", "PathPrefix"), (path or {}).get("value", "/"), method


def _rank(match: Object) -> tuple[int, int]:
    return len(_headers(match)), len(_objects(match.get("queryParams")))


def _matches(rule: Rule) -> list[Object]:
    """Return the matches of a rule; one without any takes everything."""
    return _objects(rule.raw.get("matches")) or [{}]


def _headers(match: Object) -> list[Object]:
    return _objects(match.get("headers"))


def _objects(value: Any) -> list[Object]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _with_header(match: Object, header: HeaderMatch) -> Object:
    kind = "RegularExpression" if header.is_regex else "Exact"
    return {**match, "headers": [*_headers(match), {"type": kind, "name": header.name, "value": header.value}]}


def holds(actual: Any, wanted: Any) -> bool:
    """Whether what a server keeps is what was written: it fills in defaults, and leaves the rest as it was."""
    if isinstance(wanted, dict):
        return isinstance(actual, dict) and all(holds(actual.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(actual, list)
            and len(actual) == len(wanted)
            and all(holds(one, other) for one, other in zip(actual, wanted, strict=True))
        )
    return bool(actual == wanted)
