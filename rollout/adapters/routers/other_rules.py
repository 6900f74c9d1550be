"""The rules of a route beside the one that is split: which versions they name, and what that means. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.routers.rule import RouteDialect, Rule, backends_in, is_pin_entry, rules_in
from rollout.model.api.naming import Naming

IsShifted = Callable[[Object, RouteDialect], bool]
"""Whether another rule, of a list, moves with this one: then it goes where this one goes."""


def elsewhere(
    route: Object, rule: Rule, dialects: tuple[RouteDialect, ...], naming: Naming, is_shifted: IsShifted
) -> tuple[str, ...]:
    """Return the versions that other rules of a route send requests to.

    Args:
        dialects: of the list that the rule stands in, and of the other lists.
    """
    named = (_versions_in(other, dialect, naming) for _, other, dialect in _others(route, rule, dialects, is_shifted))
    return tuple(sorted(set[str]().union(*named)))


def notes(
    route: Object,
    rule: Rule,
    dialects: tuple[RouteDialect, ...],
    naming: Naming,
    versions: Iterable[str],
    is_shifted: IsShifted,
) -> tuple[str, ...]:
    """Return what users should know of a rule before traffic moves: what else it does, and who else sends traffic."""
    cautions = [f"rule {rule.label} {caution}" for caution in dialects[0].cautions(rule.raw)]
    ours = set(versions)
    for index, other, dialect in _others(route, rule, dialects, is_shifted):
        for version in sorted(ours & _versions_in(other, dialect, naming)):
            of = "" if dialect is dialects[0] else f" of {dialect.rules}"
            label = f"{other.get('name') or f'number {index + 1}'}{of}"
            cautions.append(
                f"rule {label} sends other requests to {naming.backend(version)}: they are in its counters too, so "
                "measure the split by a counter of this rule alone (spec.metrics.prometheus.requests); they stay there "
                "afterwards"
            )
    return tuple(cautions)


def _others(
    route: Object, rule: Rule, dialects: tuple[RouteDialect, ...], is_shifted: IsShifted
) -> list[tuple[int, Object, RouteDialect]]:
    """Return the rules that stay as they are while this one is shifted, with their places and lists."""
    return [
        (index, other, dialect)
        for dialect in dialects
        for index, other in enumerate(rules_in(route, dialect))
        if (dialect is not dialects[0] or index != rule.index)
        and not is_pin_entry(other)
        and not is_shifted(other, dialect)
    ]


def _versions_in(raw: Object, dialect: RouteDialect, naming: Naming) -> set[str]:
    return {
        version for entry in backends_in(raw, dialect) if (version := dialect.version_of(entry, naming)) is not None
    }
