"""One rule of a route that is somebody else's: which one is meant, which backends in it are ours, and what they get.

Pure. Weights are ratios: a user's 1 and 1, or 900 and 100, are read as they are meant. The rule is chosen once; from
then on it is found by its name, or by what it matches, so that nobody else's rule is ever taken for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

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
        has_headers: whether requests can be told apart by their headers.
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
    has_headers: bool = True


@dataclass(frozen=True, slots=True)
class Backend:
    """One of our backends in a rule: where it stands, its weight, and whether it names one.

    Attributes:
        again: where else the same Service stands in the rule, or another one that runs the same version.
        parts: the weight of each of these places, where there are several.
        strays: the part of the weight that goes to another Service than the version's own.
    """

    index: int
    weight: int
    is_named: bool = True
    again: tuple[int, ...] = ()
    parts: tuple[int, ...] = ()
    strays: int = 0

    @property
    def places(self) -> tuple[int, ...]:
        return (self.index, *self.again)


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
    def parts(self) -> dict[str, tuple[int, ...]]:
        """Return, by version, the weights of its places where it has several, and traffic."""
        return {version: backend.parts for version, backend in self.ours.items() if backend.again and backend.weight}

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


def read_rule(raw: Object, index: int, dialect: RouteDialect, naming: Naming) -> Rule:
    """Read a rule. A Service may be listed more than once, as with other filters: the weights are added up."""
    places_of: dict[str, list[tuple[bool, Backend]]] = {}
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
            continue
        here = Backend(position, weight, is_named=given is not None)
        places_of.setdefault(version, []).append((_is_at_home(backend, version, dialect, naming), here))
    ours = {version: _joined(places) for version, places in places_of.items()}
    single = next(iter(ours.values())) if len(ours) == 1 and not others else None
    if dialect.alone_gets_all and single is not None and not single.weight and not single.again:
        # One backend alone gets everything, whatever its weight says.
        ours = {version: Backend(entry.index, dialect.usual_base, entry.is_named) for version, entry in ours.items()}
    return Rule(index, raw, ours, others)


def _is_at_home(backend: Object, version: str, dialect: RouteDialect, naming: Naming) -> bool:
    """Whether it is the version's own Service: with roles, both may run the version for a while."""
    service = str(dialect.target(backend).get(dialect.name_key, "")).partition(".")[0]
    return not naming.backends.roles or service == naming.service(version)


def _joined(places: list[tuple[bool, Backend]]) -> Backend:
    """Return one backend for all places of a version, its own Service's first."""
    (_, first), *others = sorted(places, key=lambda place: not place[0])
    if not others:
        return first
    parts = (first.weight, *(other.weight for _, other in others))
    strays = sum(other.weight for is_home, other in others if not is_home)
    again = tuple(other.index for _, other in others)
    return Backend(first.index, sum(parts), first.is_named, again, parts, strays)


def ports_of(rule: Rule, dialect: RouteDialect) -> dict[str, int]:
    """Return, by version, the port that its backend names."""
    ports = {
        version: port_of(rule.raw[dialect.backends][backend.index], dialect) for version, backend in rule.ours.items()
    }
    return {version: port for version, port in ports.items() if port is not None}


def port_of(backend: Object, dialect: RouteDialect) -> int | None:
    """Return the port that a backend names, as a number or as Istio writes it."""
    port = dialect.target(backend).get("port")
    port = port.get("number") if isinstance(port, dict) else port
    return port if isinstance(port, int) else None
