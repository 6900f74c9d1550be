"""Which rule of a route is shifted: chosen once, by name or as the only one, and then found by its identity."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.routers.rule import (
    CAUSES_MAX,
    RouteDialect,
    Rule,
    RuleRefused,
    backends_in,
    is_pin_entry,
    matches_digest,
    name_in,
    read_rule,
    rules_in,
)
from rollout.model.api.naming import Naming
from rollout.model.status.traffic import RuleIdentity
from rollout.model.status.vocabulary import Reason


def find_rule(
    route: Object,
    dialect: RouteDialect,
    naming: Naming,
    named: str | None,
    versions: Iterable[str],
    chosen: RuleIdentity | None = None,
) -> Rule:
    """Return the rule that is meant. Raises RuleRefused where that cannot be told, or the rule is not ours to change.

    Args:
        named: by the spec.
        chosen: which one it was; then no other one is.
        versions: that the rule should have.
    """
    rules, wanted = rules_in(route, dialect), tuple(versions)
    if named is not None:
        index = _named(rules, named)
        return read_rule(rules[index], index, dialect, naming)
    if chosen is not None:
        index = _again(rules, dialect, naming, chosen, wanted)
        return read_rule(rules[index], index, dialect, naming)
    having, shared = _having(route, dialect, naming, wanted), splitting(route, dialect, naming, wanted)
    candidates = shared or [rule for rule in having if set(wanted) <= rule.ours.keys()] or having
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise RuleRefused(_no_rule(route, rules, dialect, naming, wanted))
    labels = ", ".join(rule.label for rule in candidates)
    what = "both versions" if shared else naming.backend(wanted[0]) if wanted else "its versions"
    raise RuleRefused(f"has {len(candidates)} rules that name {what} ({labels}): name the rule, then set `rule`")


def splitting(route: Object, dialect: RouteDialect, naming: Naming, versions: tuple[str, ...]) -> list[Rule]:
    """Return the rules that name all these versions, and one more at least where it is only one: they split."""
    having = _having(route, dialect, naming, versions)
    return [rule for rule in having if set(versions) <= rule.ours.keys() and len(rule.ours) > 1]


def _having(route: Object, dialect: RouteDialect, naming: Naming, versions: tuple[str, ...]) -> list[Rule]:
    """Return the rules that name one of the versions; any of ours where none is known."""
    read = _read(rules_in(route, dialect), dialect, naming)
    return [rule for rule in read if (set(versions) & rule.ours.keys() if versions else rule.ours)]


def _named(rules: list[Object], named: str) -> int:
    positions = [index for index, rule in enumerate(rules) if rule.get("name") == named]
    if not positions:
        known = ", ".join(str(rule["name"]) for rule in rules if rule.get("name")) or "none with a name"
        raise RuleRefused(f"has no rule called {named}; there is {known}")
    if len(positions) > 1:
        raise RuleRefused(
            f"has {len(positions)} rules called {named}, so which one is meant cannot be told: rename one"
        )
    return positions[0]


def _read(rules: list[Object], dialect: RouteDialect, naming: Naming) -> list[Rule]:
    return [read_rule(rule, index, dialect, naming) for index, rule in enumerate(rules) if not is_pin_entry(rule)]


def _again(
    rules: list[Object], dialect: RouteDialect, naming: Naming, chosen: RuleIdentity, wanted: tuple[str, ...]
) -> int:
    """Find the rule that was chosen: by name and matches, or one of the two.

    One that was edited beyond that is the only new one with both versions: none that stood beside it is taken for it.
    """
    theirs = [(index, other) for index, other in enumerate(rules) if not is_pin_entry(other)]
    known = [(index, name_in(other), matches_digest(other, dialect)) for index, other in theirs]
    same = [index for index, name, matches in known if (name, matches) == (chosen.name, chosen.matches)]
    named = [index for index, name, _ in known if chosen.name and name == chosen.name]
    matching = [index for index, _, matches in known if matches == chosen.matches]
    fresh = [index for index, _, matches in known if matches not in chosen.siblings]
    read = {rule.index: rule for rule in _read(rules, dialect, naming)}
    both = [index for index in fresh if len(wanted) > 1 and index in read and set(wanted) <= read[index].ours.keys()]
    of_ours = [index for index in matching if index not in read or read[index].ours]
    for candidates in (same, named, of_ours, both):
        if len(candidates) == 1:
            return candidates[0]
    message = f"the rule that was chosen ({chosen.name or 'without a name'}) is not there any more"
    raise RuleRefused(message, Reason.ROUTE_NOT_FOUND)


def _no_rule(
    route: Object, rules: list[Object], dialect: RouteDialect, naming: Naming, versions: tuple[str, ...]
) -> str:
    """Say what was found instead of a rule with our versions."""
    if cause := dialect.unsplit(route):
        return cause
    causes = []
    for index, rule in enumerate(rules):
        label = rule.get("name") or f"number {index + 1}"
        reasons = (dialect.why_not(backend, naming) for backend in backends_in(rule, dialect))
        causes += [f"rule {label}: {reason}" for reason in reasons if reason]
    example = naming.service(min(versions, default="v1")) or naming.example
    cause = f"has no rule with a backend such as {example}"
    if not causes:
        return f"{cause}: add one, or correct {naming.written}"
    more = f", and {len(causes) - CAUSES_MAX} more" if len(causes) > CAUSES_MAX else ""
    return f"{cause}. {'; '.join(causes[:CAUSES_MAX])}{more}"
