"""The JSON patches that change a route: two weights and nothing else, and what is taken out again in the end. Pure.

Every position is tested first, and the whole route's version: a rule that has moved, or that somebody else has just
changed, fails the patch instead of being changed wrongly.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollout.adapters.kubernetes.resources import Object, version_of
from rollout.adapters.routers.missing_backends import addition
from rollout.adapters.routers.rule import Backend, RouteDialect, Rule, RuleRefused
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
        if len(weights) == 1 and len(rule.ours) == 1 and not backend.again:
            continue  # one that is alone gets everything, whatever its weight says
        parts = _parts(backend, weight, naming, wanted.parts_of(name, version))
        for place, part in zip(backend.places, parts, strict=True):
            raw = rule.raw[dialect.backends][place]
            literal = raw.get("weight")
            if (dialect.default_weight if literal is None else literal) != part:
                at = f"{_root(rule, dialect)}/{dialect.backends}/{place}"
                tests.append(_identity_test(at, raw, dialect))
                changes.append({"op": "add", "path": f"{at}/weight", "value": part})
    return _whole(route, rule, dialect, tests, changes)


def _parts(backend: Backend, weight: int, naming: Naming, ratios: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """Return what each place of a version gets, in the proportion that was there; with roles, its own Service all.

    Args:
        ratios: the weights of places before the release, the version's own first.
    """
    if not backend.again or naming.backends.roles:
        return (weight, *(0 for _ in backend.again))
    equal: tuple[int, ...] = (1,) * len(backend.places)
    ratio = next(parts for parts in (*ratios, backend.parts, equal) if len(parts) == len(equal) and sum(parts) > 0)
    shared = [weight * part // sum(ratio) for part in ratio]
    rest = [weight * part % sum(ratio) for part in ratio]
    for place in sorted(range(len(ratio)), key=lambda place: -rest[place])[: weight - sum(shared)]:
        shared[place] += 1
    return tuple(shared)


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
