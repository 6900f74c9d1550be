"""One rule of a route that is somebody else's: which backends in it are ours, what they get, and how to change that.

Pure: from an object of the API to facts, and to the JSON patch that changes two weights and nothing else. Weights are
ratios: a user's 1 and 1, or 900 and 100, are read as they are meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rollout.cluster.kinds import Object
from rollout.engine.route import SetWeight
from rollout.model.naming import Naming
from rollout.model.status import Reason
from rollout.model.units import FULL_BP


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a kind of route calls things. rules, backends: the keys of the lists. target: from a backend to what says
    which Service it is. usual_base: what weights are written on. default_weight: of a backend that names none.
    alone_gets_all: whether a backend that is the only one gets everything, also at weight 0.
    """

    rules: str
    backends: str
    target: Callable[[Object], Object]
    target_path: str
    name_key: str
    service_of: Callable[[Object, Naming], str | None]
    new_backend: Callable[[str, Naming], Object]
    usual_base: int
    default_weight: int
    alone_gets_all: bool


@dataclass(frozen=True, slots=True)
class Backend:
    """One of our backends in a rule: where it stands, and its weight."""

    index: int
    weight: int


class Refused(Exception):  # noqa: N818  a name that reads well where it is raised
    """The route is not one whose weights we would change. reason: for programs."""

    def __init__(self, message: str, reason: Reason = Reason.ROUTE_REFUSED) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule we were told of. ours: our backends by version. others: what all the others get together."""

    index: int
    raw: Object
    ours: Mapping[str, Backend]
    others: int

    @property
    def base(self) -> int:
        return sum(backend.weight for backend in self.ours.values())

    @property
    def shares(self) -> dict[str, int]:
        """Return each version's share in basis points."""
        base = self.base
        return {version: round(FULL_BP * each.weight / base) if base else 0 for version, each in self.ours.items()}


def find_rule(route: Object, dialect: Dialect, naming: Naming, named: str | None, versions: Iterable[str]) -> Rule:
    """Return the rule that is meant. Raises Refused where that cannot be told, or the rule is not ours to change."""
    rules = [each for each in route.get("spec", {}).get(dialect.rules) or () if isinstance(each, dict)]
    if named is not None:
        found = [index for index, each in enumerate(rules) if each.get("name") == named]
        known = ", ".join(str(each["name"]) for each in rules if each.get("name")) or "none with a name"
        if not found:
            raise Refused(f"has no rule called {named}; there is {known}")
        if len(found) > 1:
            raise Refused(f"has {len(found)} rules called {named}, so which one is meant cannot be told: rename one")
        return _read(rules[found[0]], found[0], dialect, naming)
    wanted = set(versions)
    read = [_read(each, index, dialect, naming) for index, each in enumerate(rules)]
    having = [rule for rule in read if (wanted & rule.ours.keys() if wanted else rule.ours)]
    whole = [rule for rule in having if wanted <= rule.ours.keys()]
    chosen = whole or having
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        example = naming.service(min(wanted, default="v1"))
        raise Refused(f"has no rule with a backend such as {example}: add one, or correct backends.service")
    raise Refused(
        f"has {len(chosen)} rules that name our versions: say which with `rule`, after naming it in the route"
    )


def names_any(route: Object, dialect: Dialect, naming: Naming, versions: Iterable[str]) -> bool:
    """Whether any rule has a backend of one of the versions."""
    wanted = set(versions)
    services = (
        dialect.service_of(backend, naming)
        for rule in route.get("spec", {}).get(dialect.rules) or ()
        for backend in rule.get(dialect.backends) or ()
    )
    return any(service is not None and naming.version_of(service) in wanted for service in services)


def _read(raw: Object, index: int, dialect: Dialect, naming: Naming) -> Rule:
    ours: dict[str, Backend] = {}
    others = 0
    for position, backend in enumerate(raw.get(dialect.backends) or ()):
        weight = backend.get("weight")
        weight = dialect.default_weight if weight is None else int(weight)
        service = dialect.service_of(backend, naming)
        version = naming.version_of(service) if service else None
        if version is None:
            others += weight
        elif version in ours:
            raise Refused(f"names {service} twice in one rule, so its share cannot be set: merge them into one backend")
        else:
            ours[version] = Backend(position, weight)
    if dialect.alone_gets_all and len(ours) == 1 and not others and not any(each.weight for each in ours.values()):
        # One backend alone gets everything, whatever its weight says.
        ours = {version: Backend(each.index, dialect.usual_base) for version, each in ours.items()}
    return Rule(index, raw, ours, others)


def missing(rule: Rule, dialect: Dialect, naming: Naming, versions: tuple[str, ...]) -> str:
    """Say which version has no backend in the rule, with the patch that adds it; an empty text if none lacks one.

    versions: stable first.
    """
    for version in versions:
        if version not in rule.ours and version == versions[0] and len(versions) > 1:
            return f"has no backend for {version}, which is stable: put it back"
        if version not in rule.ours:
            patch = json.dumps([_addition(rule, dialect, naming, version)])
            return (
                f"has no backend for {version}: add it at weight 0 with kubectl patch --type=json -p '{patch}', "
                "or set manageBackends: true"
            )
    return ""


def _addition(rule: Rule, dialect: Dialect, naming: Naming, version: str) -> Object:
    path = f"/spec/{dialect.rules}/{rule.index}/{dialect.backends}/-"
    return {"op": "add", "path": path, "value": {**dialect.new_backend(version, naming), "weight": 0}}


def operations(
    rule: Rule, dialect: Dialect, naming: Naming, wanted: SetWeight, *, base: int | None, manages: bool, version: str
) -> list[Object]:
    """Return the JSON patch that brings a rule to a weight; empty where it is there.

    Every position is tested first, and the whole route's version: a rule that has moved, or that somebody else has just
    changed, fails the patch instead of being changed wrongly. version: the resourceVersion that was read.
    """
    base = base or rule.base or dialect.usual_base
    weights = dict.fromkeys(rule.ours, 0)
    candidate_weight = base * wanted.candidate_bp // FULL_BP
    weights[wanted.stable] = base - candidate_weight
    if wanted.candidate not in (None, wanted.stable):
        weights[wanted.candidate] = candidate_weight
    root = f"/spec/{dialect.rules}/{rule.index}"
    tests: list[Object] = []
    changes: list[Object] = []
    for each, weight in weights.items():
        backend = rule.ours.get(each)
        if backend is None:
            if manages:
                addition = _addition(rule, dialect, naming, each)
                changes.append({**addition, "value": {**addition["value"], "weight": weight}})
            elif weight:
                raise Refused(f"has no backend for {each}", Reason.BACKEND_NOT_FOUND)
            continue
        raw = rule.raw[dialect.backends][backend.index]
        literal = raw.get("weight")
        literal = dialect.default_weight if literal is None else literal
        if literal != weight and len(weights) > 1:  # one alone gets everything, whatever its weight says
            at = f"{root}/{dialect.backends}/{backend.index}"
            identity = dialect.target(raw)[dialect.name_key]
            tests.append({"op": "test", "path": f"{at}{dialect.target_path}/{dialect.name_key}", "value": identity})
            changes.append({"op": "add", "path": f"{at}/weight", "value": weight})
    if manages and wanted.candidate is None:
        changes += _removals(rule, dialect, root, wanted.stable)
    if not changes:
        return []
    if rule.raw.get("name"):
        tests.insert(0, {"op": "test", "path": f"{root}/name", "value": rule.raw["name"]})
    return [{"op": "test", "path": "/metadata/resourceVersion", "value": version}, *tests, *changes]


def _removals(rule: Rule, dialect: Dialect, root: str, kept: str) -> list[Object]:
    """Take out our backends that get nothing, from the last on: positions before them stay."""
    over = sorted((each.index for version, each in rule.ours.items() if version != kept and not each.weight))
    return [{"op": "remove", "path": f"{root}/{dialect.backends}/{index}"} for index in reversed(over)]
