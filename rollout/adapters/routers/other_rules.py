"""The rules of a route beside the one that is split: which versions they name, and what that means. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.routers.rule import RouteDialect, Rule, backends_in, is_pin_entry, rules_in
from rollout.model.api.naming import Naming


def elsewhere(route: Object, rule: Rule, dialect: RouteDialect, naming: Naming) -> tuple[str, ...]:
    """Return the versions that other rules of a route send requests to."""
    others = [other for index, other in enumerate(rules_in(route, dialect)) if index != rule.index]
    backends = [entry for other in others if not is_pin_entry(other) for entry in backends_in(other, dialect)]
    return tuple(sorted({version for entry in backends if (version := dialect.version_of(entry, naming)) is not None}))


def notes(route: Object, rule: Rule, dialect: RouteDialect, naming: Naming, versions: Iterable[str]) -> tuple[str, ...]:
    """Return what users should know of a rule before traffic moves: what else it does, and who else sends traffic."""
    cautions = [f"rule {rule.label} {caution}" for caution in dialect.cautions(rule.raw)]
    ours = set(versions)
    for index, other in enumerate(rules_in(route, dialect)):
        if index == rule.index or is_pin_entry(other):
            continue
        named = {dialect.version_of(backend, naming) for backend in backends_in(other, dialect)}
        for version in sorted(ours & named):
            label = other.get("name") or f"number {index + 1}"
            cautions.append(
                f"rule {label} sends other requests to {naming.backend(version)}: they are in its counters too, so "
                "measure the split by a counter of this rule alone (spec.metrics.prometheus.requests); they stay there "
                "afterwards"
            )
    return tuple(cautions)
