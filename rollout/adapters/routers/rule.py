"""One rule of a route that is somebody else's: which one is meant, which backends in it are ours, and what they get.

Pure. Weights are ratios: a user's 1 and 1, or 900 and 100, are read as they are meant. The rule is chosen once; from
then on it is found by its name, or by what it matches, so that nobody else's rule is ever taken for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from rollout.adapters.kubernetes.resources import Object
from rollout.model.api.naming import Naming
from rollout.model.status.traffic import RuleIdentity
from rollout.model.status.vocabulary import Reason
from rollout.model.units import FULL_BP

PIN_MARK = "rollout.dev/"
"""What the names of entries begin with that are ours, in a route of somebody else's."""

CAUSES_MAX = 4
"""So many causes are told: a route may have hundreds of backends."""


@dataclass(frozen=True, slots=True)
class RouteDialect:
    """What a kind of route calls things.

    Attributes:
        rules, backends, matches: the keys of the lists.
        target: from a backend to what says which Service it is.
        version_of: from a backend to the version that it is of.
        usual_base: what weights are written on.
        default_weight: of a backend that names none.
        alone_gets_all: whether a backend that is the only one gets everything, also at weight 0.
        why_not: why a backend is none of ours.
        cautions: what a rule does besides splitting that matters to an agent.
        repeats: how it lets an agent get one request twice.
        unsplit: why a route has no rule that can be split.
    """

    rules: str
    backends: str
    matches: str
    target: Callable[[Object], Object]
    target_path: str
    name_key: str
    version_of: Callable[[Object, Naming], str | None]
    why_not: Callable[[Object, Naming], str]
    cautions: Callable[[Object], Iterable[str]]
    repeats: Callable[[Object], Iterable[str]]
    unsplit: Callable[[Object], str]
    new_backend: Callable[[str, Naming], Object]
    usual_base: int
    default_weight: int
    alone_gets_all: bool


@dataclass(frozen=True, slots=True)
class Backend:
    """One of our backends in a rule: where it stands, its weight, and whether it names one.

    Attributes:
        again: where else the same Service stands in the rule, or another one that runs the same version.
        strays: the part of the weight that goes there.
    """

    index: int
    weight: int
    is_named: bool = True
    again: tuple[int, ...] = ()
    strays: int = 0


class RuleRefused(Exception):  # noqa: N818  a name that reads well where it is raised
    """The route is not one whose weights we would change.

    Args:
        reason: for programs.
    """

    def __init__(self, message: str, reason: Reason = Reason.ROUTE_REFUSED) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule that is meant.

    Attributes:
        ours: its backends by version.
        others: what all the other backends get together.
    """

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
        return {
            version: round(FULL_BP * backend.weight / base) if base else 0 for version, backend in self.ours.items()
        }

    @property
    def absent(self) -> tuple[str, ...]:
        """The versions whose backend names no weight."""
        return tuple(version for version, backend in self.ours.items() if not backend.is_named)

    @property
    def label(self) -> str:
        """How people call the rule: by its name, or by its place."""
        return str(self.raw.get("name") or f"number {self.index + 1}")

    @property
    def strays(self) -> tuple[str, ...]:
        """The versions that get traffic by another backend than theirs."""
        return tuple(version for version, backend in self.ours.items() if backend.strays)

    def only(self, versions: Iterable[str]) -> Rule:
        """Return the rule as one rollout sees it: backends of other versions are others."""
        kept = set(versions)
        ours = {version: backend for version, backend in self.ours.items() if version in kept}
        others = self.others + sum(backend.weight for version, backend in self.ours.items() if version not in kept)
        return Rule(self.index, self.raw, ours, others)


def rules_in(route: Object, dialect: RouteDialect) -> list[Object]:
    """Return the raw rules of a route; what is no rule is left out."""
    spec = route.get("spec")
    raw = spec.get(dialect.rules) if isinstance(spec, dict) else None
    return [entry for entry in raw if isinstance(entry, dict)] if isinstance(raw, list) else []


def identity_of(route: Object, rule: Rule, dialect: RouteDialect) -> RuleIdentity:
    """Return by what a rule is found again."""
    others = [
        other for index, other in enumerate(rules_in(route, dialect)) if index != rule.index and not is_pin_entry(other)
    ]
    siblings = tuple(dict.fromkeys(matches_digest(other, dialect) for other in others))
    return RuleIdentity(name=name_in(rule.raw), matches=matches_digest(rule.raw, dialect), siblings=siblings)


def name_in(raw: Object) -> str:
    name = raw.get("name")
    return name if isinstance(name, str) else ""


def is_pin_entry(raw: Object) -> bool:
    """Whether an entry is one that keeps conversations on their versions."""
    return name_in(raw).startswith(PIN_MARK)


def matches_digest(raw: Object, dialect: RouteDialect) -> str:
    text = json.dumps(raw.get(dialect.matches) or [], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def backends_in(raw: Object, dialect: RouteDialect) -> list[Object]:
    entries = raw.get(dialect.backends)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def read_rule(raw: Object, index: int, dialect: RouteDialect, naming: Naming, *, twice: bool = False) -> Rule:
    """Read a rule.

    Raises RuleRefused.

    Args:
        twice: whether a Service may be listed twice.
    """
    ours: dict[str, Backend] = {}
    others = 0
    listed = raw.get(dialect.backends)
    for position, backend in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(backend, dict):
            continue
        given = backend.get("weight")
        weight = given if isinstance(given, int) and not isinstance(given, bool) else dialect.default_weight
        version = dialect.version_of(backend, naming)
        if version is None:
            others += weight
        elif version in ours and (twice or naming.backends.roles):
            here = Backend(position, weight, is_named=given is not None)
            is_home = _service_in(backend, dialect) == naming.service(version) and bool(naming.backends.roles)
            ours[version] = _joined(here, ours[version]) if is_home else _joined(ours[version], here)
        elif version in ours:
            raise RuleRefused(
                f"names {naming.backend(version)} twice in one rule, so its share cannot be set: merge the two"
            )
        else:
            ours[version] = Backend(position, weight, is_named=given is not None)
    if dialect.alone_gets_all and len(ours) == 1 and not others and not any(entry.weight for entry in ours.values()):
        # One backend alone gets everything, whatever its weight says.
        ours = {version: Backend(entry.index, dialect.usual_base, entry.is_named) for version, entry in ours.items()}
    return Rule(index, raw, ours, others)


def _service_in(backend: Object, dialect: RouteDialect) -> str:
    return str(dialect.target(backend).get(dialect.name_key, "")).partition(".")[0]


def _joined(first: Backend, other: Backend) -> Backend:
    """Return one backend for two: the weight of both is at the first one's place once it is written."""
    again = (*first.again, *other.again, other.index)
    return replace(first, weight=first.weight + other.weight, again=again, strays=first.strays + other.weight)


def others_in(rule: Rule, dialect: RouteDialect, naming: Naming, ours: Collection[int]) -> tuple[str, str]:
    """Return the names of the backends that get traffic and are none of ours, and why the first one is not.

    Args:
        ours: the places of those that are.
    """
    others = [
        entry
        for index, entry in enumerate(rule.raw.get(dialect.backends) or ())
        if index not in ours and isinstance(entry, dict) and entry.get("weight", dialect.default_weight)
    ]
    names = [str(dialect.target(entry).get(dialect.name_key)) for entry in others]
    cause = next((cause for entry in others if (cause := dialect.why_not(entry, naming))), "")
    return ", ".join(names[:CAUSES_MAX]), cause


@dataclass(frozen=True, slots=True)
class Missing:
    """A version that has no backend in a rule.

    Attributes:
        message: why, and what to do.
        addable: whether adding one mends it.
    """

    message: str
    addable: bool = False


def missing(rule: Rule, dialect: RouteDialect, naming: Naming, versions: tuple[str, ...]) -> Missing | None:
    """Return the first version that has no backend in the rule, if one lacks it.

    Args:
        versions: stable first.
    """
    for version in versions:
        if version in rule.ours:
            continue
        service = naming.service(version)
        if not service:
            return Missing(f"has no backend for {version}: {naming.lacking}")
        alike = [entry for entry in backends_in(rule.raw, dialect) if _is_alike(dialect.target(entry), naming, version)]
        causes = [cause for entry in alike if (cause := dialect.why_not(entry, naming))]
        if causes:
            return Missing(f"has no backend for {version}: {causes[0]}")
        if version == versions[0] and len(versions) > 1:
            return Missing(f"has no backend for {version}, which is stable: put it back")
        patch = json.dumps([addition(rule, dialect, naming, version)])
        remedy = f"add it at weight 0 with kubectl patch --type=json -p '{patch}', or set manageBackends: true"
        return Missing(f"has no backend for {version}: {remedy}", addable=True)
    return None


def _is_alike(target: Object, naming: Naming, version: str) -> bool:
    """Whether a backend may have been meant for a version: it has its Service, or subset, in it."""
    subset = naming.subset(version)
    return (subset if subset and target.get("subset") else naming.service(version)) in str(target)


def addition(rule: Rule, dialect: RouteDialect, naming: Naming, version: str) -> Object:
    """Return the operation of a JSON patch that adds a version's backend at weight 0."""
    path = f"/spec/{dialect.rules}/{rule.index}/{dialect.backends}/-"
    backend = {**dialect.new_backend(version, naming), "weight": 0}
    if naming.backends.port is None and rule.ours:  # nobody says which: the one that the others are on
        first = rule.raw[dialect.backends][next(iter(rule.ours.values())).index]
        if (port := dialect.target(first).get("port")) is not None:
            dialect.target(backend)["port"] = port
    return {"op": "add", "path": path, "value": backend}


def ports_of(rule: Rule, dialect: RouteDialect) -> dict[str, int]:
    """Return, by version, the port that its backend names."""
    ports = {}
    for version, backend in rule.ours.items():
        port = dialect.target(rule.raw[dialect.backends][backend.index]).get("port")
        port = port.get("number") if isinstance(port, dict) else port
        if isinstance(port, int):
            ports[version] = port
    return ports
