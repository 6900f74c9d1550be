"""Where a route of the spec splits traffic: one rule or several, in the named object or in those it delegates to.

Pure. Which rules these are is decided while nothing has moved; from then on the status says it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from rollout.adapters.kubernetes.resources import VIRTUAL_SERVICE, Object, name_of
from rollout.adapters.routers.istio import delegates_of
from rollout.adapters.routers.route_kinds import RouteKind, route_name
from rollout.adapters.routers.rule import (
    RouteDialect,
    Rule,
    backends_in,
    identity_of,
    matches_digest,
    name_in,
    rules_in,
)
from rollout.adapters.routers.rule_choice import splitting
from rollout.model.api.naming import Naming
from rollout.model.api.routes import ClusterRoute
from rollout.model.status.traffic import RuleIdentity

NEXT = "#"
"""Between the name of a route and the number of a further rule in it: httpRoute/agent#2."""


@dataclass(frozen=True, slots=True)
class Split:
    """One rule that is shifted.

    Attributes:
        label: how it is called in facts, statuses and messages.
        dialect: the words of the list that the rule stands in.
        route: the object that it stands in.
        is_delegate: whether that is another one than the spec names.
        chosen: which rule it is, once that was decided.
    """

    label: str
    route_kind: RouteKind
    dialect: RouteDialect
    route: ClusterRoute
    is_delegate: bool = False
    chosen: RuleIdentity | None = None

    def identity(self, obj: Object, rule: Rule) -> RuleIdentity:
        """Return by what the rule is found again, in which object and which list of it."""
        usual = self.dialect is self.route_kind.dialect
        where = {"route": name_of(obj) if self.is_delegate else "", "protocol": "" if usual else self.dialect.rules}
        return identity_of(obj, rule, self.dialect).model_copy(update=where)

    def is_of(self, raw: Object) -> bool:
        """Whether a raw rule of its list is the one that it shifts."""
        if self.chosen is None:
            return self.route.rule is not None and name_in(raw) == self.route.rule
        return (name_in(raw), matches_digest(raw, self.dialect)) == (self.chosen.name, self.chosen.matches)


def label_of(split: str) -> str:
    """Return the label of the route of the spec that a split is of."""
    return split.partition(NEXT)[0]


def only_split(route_kind: RouteKind, named: ClusterRoute) -> Split:
    """Return the rule that a route names, or the only one in it."""
    return Split(route_name(route_kind, named), route_kind, route_kind.dialect, named)


def splits_of(
    route_kind: RouteKind,
    named: ClusterRoute,
    get: Callable[[str], Object | None],
    naming: Naming,
    versions: tuple[str, ...],
    rules: Mapping[str, RuleIdentity],
) -> list[Split]:
    """Return all that a route of the spec shifts: the rules that were chosen, else every rule between the versions.

    Args:
        get: returns an object of this kind by its name.
        versions: that a rule must name, stable first.
        rules: those that were chosen, by label; empty where they are to be chosen.
    """
    first = only_split(route_kind, named)
    if first.label in rules:
        return [_chosen(first, label, rule) for label, rule in _of_route(first.label, rules)]
    root = get(named.name)
    places = list(_places(first, root, get)) if root is not None else []
    if named.rule is not None:
        having = (place for place, obj in places if _has(obj, place.dialect, named.rule))
        return [next(having, first)]
    shared = [(place, obj, rule) for place, obj in places for rule in splitting(obj, place.dialect, naming, versions)]
    told_apart = len({(place.route.name, place.identity(obj, rule).model_dump_json()) for place, obj, rule in shared})
    if len(shared) > 1 and told_apart == len(shared):  # else nobody could find one of them again
        labels = (first.label, *(f"{first.label}{NEXT}{number}" for number in range(2, len(shared) + 1)))
        return [
            replace(place, label=label, chosen=place.identity(obj, rule))
            for label, (place, obj, rule) in zip(labels, shared, strict=True)
        ]
    return [next((place for place, _, _ in shared), None) or _likely(first, places, naming)]


def is_there(split: Split, get: Callable[[str], Object | None]) -> bool:
    """Whether the rule of a split can still be found in its object as it was chosen."""
    obj = get(split.route.name)
    return obj is None or split.chosen is None or any(split.is_of(raw) for raw in rules_in(obj, split.dialect))


def _of_route(label: str, rules: Mapping[str, RuleIdentity]) -> Iterable[tuple[str, RuleIdentity]]:
    """Return the rules of a route, in the order of their numbers."""
    of = [(name, rule) for name, rule in rules.items() if label_of(name) == label]
    return sorted(of, key=lambda entry: int(entry[0].partition(NEXT)[2] or 1))


def _chosen(first: Split, label: str, rule: RuleIdentity) -> Split:
    kind = first.route_kind
    dialect = next((dialect for dialect in kind.dialects if dialect.rules == rule.protocol), kind.dialect)
    route = first.route.model_copy(update={"name": rule.route}) if rule.route else first.route
    return Split(label, kind, dialect, route, bool(rule.route), rule)


def _places(first: Split, root: Object, get: Callable[[str], Object | None]) -> Iterator[tuple[Split, Object]]:
    """Return each list of rules that may be meant: those of the object, and those of the ones it delegates to."""
    for dialect in first.route_kind.dialects:
        yield replace(first, dialect=dialect), root
    for name in delegates_of(root) if first.route_kind.kind is VIRTUAL_SERVICE else ():
        if (delegate := get(name)) is not None:
            yield replace(first, route=first.route.model_copy(update={"name": name}), is_delegate=True), delegate


def _has(obj: Object, dialect: RouteDialect, rule: str) -> bool:
    return any(name_in(raw) == rule for raw in rules_in(obj, dialect))


def _likely(first: Split, places: list[tuple[Split, Object]], naming: Naming) -> Split:
    """Return where a rule names one of our versions at least, else where rules usually stand."""
    for place, obj in places:
        for raw in rules_in(obj, place.dialect):
            listed = backends_in(raw, place.dialect)
            if any(place.dialect.version_of(entry, naming) is not None for entry in listed):
                return place
    return first
