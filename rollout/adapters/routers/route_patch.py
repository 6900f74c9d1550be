"""The JSON patches that change a route: two weights and nothing else, and what is taken out again in the end. Pure.

Every position is tested first, and the whole route's version: a rule that has moved, or that somebody else has just
changed, fails the patch instead of being changed wrongly.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollout.adapters.kubernetes.resources import Object, version_of
from rollout.adapters.routers.rule import RouteDialect, Rule, RuleRefused, addition
from rollout.engine.effects import SetWeight
from rollout.model.api.naming import Naming
from rollout.model.status.vocabulary import Reason
from rollout.model.units import FULL_BP


def weight_patch(
    route: Object, rule: Rule, dialect: RouteDialect, naming: Naming, wanted: SetWeight, *, name: str, manages: bool
) -> list[Object]:
    """Return the patch that brings a rule to a weight; empty where it is there.

    Raises RuleRefused where a backend that is to get traffic is not in the rule.

    Args:
        name: the route's.
    """
    base = wanted.base_of(name) or rule.base or dialect.usual_base
    candidate_weight = base * wanted.weight_bp // FULL_BP
    weights = {wanted.stable: base - candidate_weight}
    if wanted.candidate not in (None, wanted.stable):
        weights[wanted.candidate] = candidate_weight
    tests: list[Object] = []
    changes: list[Object] = []
    for version, weight in weights.items():
        backend = rule.ours.get(version)
        if backend is None:
            if manages and not (wanted.restores and not weight):
                added = addition(rule, dialect, naming, version)
                changes.append({**added, "value": {**added["value"], "weight": weight}})
            elif weight:
                raise RuleRefused(f"has no backend for {version}", Reason.BACKEND_NOT_FOUND)
            continue
        at = f"{_root(rule, dialect)}/{dialect.backends}/{backend.index}"
        raw = rule.raw[dialect.backends][backend.index]
        literal = raw.get("weight")
        literal = dialect.default_weight if literal is None else literal
        # One that is alone gets everything, whatever its weight says.
        alone = len(weights) == 1 and len(rule.ours) == 1 and not backend.again
        if literal != weight and not alone:
            tests.append(_identity_test(at, raw, dialect))
            changes.append({"op": "add", "path": f"{at}/weight", "value": weight})
        for other in backend.again:  # the same Service once more, on the way back: one place has all of its weight
            at = f"{_root(rule, dialect)}/{dialect.backends}/{other}"
            if rule.raw[dialect.backends][other].get("weight", dialect.default_weight):
                tests.append(_identity_test(at, rule.raw[dialect.backends][other], dialect))
                changes.append({"op": "add", "path": f"{at}/weight", "value": 0})
    return _whole(route, rule, dialect, tests, changes)


def removal_patch(
    route: Object, rule: Rule, dialect: RouteDialect, versions: Iterable[str], unweighted: Iterable[str] = ()
) -> list[Object]:
    """Return the patch that takes the backends of versions out that get no traffic; empty where there is none.

    Args:
        unweighted: versions whose backend named no weight: it is taken out of the one that is left alone. Beside
            another one it must stay, for a rule whose weights add up to 0 is refused.
    """
    over = sorted(
        (rule.ours[version].index for version in versions if version in rule.ours and not rule.ours[version].weight),
        reverse=True,
    )  # from the last on: positions before them stay
    root = _root(rule, dialect)
    tests = [
        _identity_test(f"{root}/{dialect.backends}/{index}", rule.raw[dialect.backends][index], dialect)
        for index in over
    ]
    changes = [{"op": "remove", "path": f"{root}/{dialect.backends}/{index}"} for index in over]
    left = [index for index in range(len(rule.raw[dialect.backends])) if index not in over]
    alone = [
        rule.ours[version].index
        for version in unweighted
        if version in rule.ours and [rule.ours[version].index] == left
    ]
    if alone and over and "weight" in rule.raw[dialect.backends][alone[0]]:
        changes.append({"op": "remove", "path": f"{root}/{dialect.backends}/0/weight"})
    return _whole(route, rule, dialect, tests, changes)


def release_patch(route: Object, manager: str) -> list[Object]:
    """Return the patch that lets go of the fields recorded as written by a manager; empty where none are.

    `rules` is one field (`listType: atomic`): as long as we are recorded as its manager, the owner's server-side apply
    of the route fails with a conflict.
    """
    entries = route["metadata"].get("managedFields") or ()
    held = [index for index, entry in enumerate(entries) if isinstance(entry, dict) and is_ours(entry, manager)]
    changes: list[Object] = []
    for index in reversed(held):
        changes.append({"op": "test", "path": f"/metadata/managedFields/{index}/manager", "value": manager})
        changes.append({"op": "remove", "path": f"/metadata/managedFields/{index}"})
    return [{"op": "test", "path": "/metadata/resourceVersion", "value": version_of(route)}, *changes] if held else []


def is_ours(entry: Object, manager: str) -> bool:
    """Whether an entry of managedFields records what a manager has written into the object itself."""
    return entry.get("manager") == manager and not entry.get("subresource")


def _root(rule: Rule, dialect: RouteDialect) -> str:
    return f"/spec/{dialect.rules}/{rule.index}"


def _identity_test(at: str, raw: Object, dialect: RouteDialect) -> Object:
    """Return the test that a backend is still the one that was read."""
    target = dialect.target(raw)
    key = "subset" if target.get("subset") else dialect.name_key
    return {"op": "test", "path": f"{at}{dialect.target_path}/{key}", "value": target[key]}


def _whole(
    route: Object, rule: Rule, dialect: RouteDialect, tests: list[Object], changes: list[Object]
) -> list[Object]:
    if not changes:
        return []
    if rule.raw.get("name"):
        tests = [{"op": "test", "path": f"{_root(rule, dialect)}/name", "value": rule.raw["name"]}, *tests]
    return [{"op": "test", "path": "/metadata/resourceVersion", "value": version_of(route)}, *tests, *changes]
