"""The rules of a route beside the one that is split: which versions they name, and what that means. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.routers.rule import RouteDialect, Rule, backends_in, is_pin_entry, rules_in
from rollout.model.api.naming import Naming


def elsewhere(
    route: Object, rule: Rule, dialect: RouteDialect, naming: Naming, is_shifted: Callable[[Object], bool]
) -> tuple[str, ...]:
    """Return the versions that other rules of a route send requests to.

    Args:
        is_shifted: whether another rule moves with this one: then it goes where this one goes.
    """
    others = [other for _, other in _others(route, rule, dialect, is_shifted)]
    backends = [entry for other in others for entry in backends_in(other, dialect)]
    return tuple(sorted({version for entry in backends if (version := dialect.version_of(entry, naming)) is not None}))


def notes(
    route: Object,
    rule: Rule,
    dialect: RouteDialect,
    naming: Naming,
    versions: Iterable[str],
    is_shifted: Callable[[Object], bool],
) -> tuple[str, ...]:
    """Return what users should know of a rule before traffic moves: what else it does, and who else sends traffic."""
    cautions = [f"rule {rule.label} {caution}" for caution in dialect.cautions(rule.raw)]
    ours = set(versions)
    for index, other in _others(route, rule, dialect, is_shifted):
        named = {dialect.version_of(backend, naming) for backend in backends_in(other, dialect)}
        for version in sorted(ours & named):
            label = other.get("name") or f"number {index + 1}"
            cautions.append(
                f"rule {label} sends other requests to {naming.backend(version)}: they are in its counters too, so "
                "measure the split by a counter of this rule alone (spec.metrics.prometheus.requests); they stay there "
                "afterwards"
            )
    return tuple(cautions)


def _others(
    route: Object, rule: Rule, dialect: RouteDialect, is_shifted: Callable[[Object], bool]
) -> list[tuple[int, Object]]:
    """Return the rules that stay as they are while this one is shifted, with their places."""
    return [
        (index, other)
        for index, other in enumerate(rules_in(route, dialect))
        if index != rule.index and not is_pin_entry(other) and not is_shifted(other)
    ]
