"""A router that is a route in the cluster: read from the watch's cache, written by a JSON patch with tests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import VIRTUAL_SERVICE, Kind, Object, version_of
from rollout.adapters.routers.absent_route import why_absent
from rollout.adapters.routers.gateway_api import Acceptance
from rollout.adapters.routers.missing_backends import added_ports, missing, others_in
from rollout.adapters.routers.other_rules import elsewhere, notes
from rollout.adapters.routers.pin_route import PinPlan
from rollout.adapters.routers.pins import NoPins, RoutePins, SeenPins
from rollout.adapters.routers.route_patch import release_patch, removal_patch, weight_patch
from rollout.adapters.routers.route_pins import Cache, EntryPins, ObjectPins, OwningRollout
from rollout.adapters.routers.rule import RouteDialect, Rule, RuleRefused, ports_of
from rollout.adapters.routers.rule_choice import find_rule
from rollout.adapters.routers.splits import Split
from rollout.engine.effects import LeaveRoute, SetPins, SetWeight
from rollout.engine.route_facts import BorrowedRoute
from rollout.errors import (
    ClusterUnavailable,
    Conflict,
    Forbidden,
    Rejected,
    RouteRaced,
    RouterUnavailable,
    RouteWriteDenied,
)
from rollout.model.api.conversations import Conversations
from rollout.model.api.naming import Naming
from rollout.model.status.conversations import NO_PINS, Pins
from rollout.model.status.vocabulary import Reason

LEAVE_TRIES = 5


@dataclass(frozen=True)
class KubernetesRouter:
    """One rule of one route.

    Attributes:
        versions: those that the rollout is about, stable first.
        beside: other rules that are shifted with this one.
        alone: whether backends of other versions are others, as while a rollout is under way.
        denials: by route, the API server's words where it denied the last write; shared between turns.
        conversations: how they are kept on their versions.
        owner: the Rollout, for what is made for it.
        draining: versions that keep their conversations beside those of the rollout.
        labels: the names of all routes of the rollout.
    """

    api: Api
    cache: Cache
    split: Split
    naming: Naming
    versions: tuple[str, ...]
    may_write: Callable[[], bool] = field(default=lambda: True)
    beside: tuple[Split, ...] = ()
    alone: bool = True
    denials: dict[str, str] = field(default_factory=dict)
    conversations: Conversations = Conversations()
    owner: OwningRollout = OwningRollout("", "")
    draining: tuple[str, ...] = ()
    labels: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self.split.label

    @property
    def kind(self) -> Kind:
        return self.split.route_kind.kind

    @property
    def dialect(self) -> RouteDialect:
        return self.split.dialect

    @property
    def object_name(self) -> str:
        """The name of the object that the rule stands in."""
        return self.split.route.name

    def observe(self) -> BorrowedRoute:
        """Read the rule as it is in the cache. Never raises."""
        try:
            obj, rule = self._find()
        except RuleRefused as refused:
            gone = refused.reason is Reason.ROUTE_NOT_FOUND
            text = str(refused)
            pins = self._pins.left(self.cache.get(self.naming.namespace, self.object_name)) if gone else NO_PINS
            return BorrowedRoute(self.name, reachable=False, gone=gone, problem=text, reason=refused.reason, pins=pins)
        problem, reason = self._problem(rule)
        accepted = self.split.route_kind.acceptance(obj)
        dialect = self.dialect
        pinned = self._pinned(obj, rule)
        return BorrowedRoute(
            self.name,
            reachable=True,
            problem=problem,
            reason=reason,
            rule=self.split.identity(obj, rule),
            shares=rule.shares,
            programmed=accepted.programmed,
            accepted=accepted.accepted,
            waiting=accepted.message,
            denied=self.denials.get(self.name, ""),
            base=rule.base,
            usual_base=dialect.usual_base,
            absent=rule.absent,
            parts=rule.parts,
            managed=self.split.route.manage_backends,
            missing=tuple(version for version in self.versions if version not in rule.ours),
            owned=bool(release_patch(obj, self.api.manager)),
            ports={**self._added_ports(rule), **ports_of(rule, dialect)},
            notes=self._notes(obj, rule, accepted),
            strays=rule.strays,
            elsewhere=elsewhere(obj, rule, self._lists, self.naming, self._is_beside),
            repeats=tuple(f"rule {rule.label} {how}" for how in dialect.repeats(rule.raw)),
            pins=pinned.pins,
            unpinned=pinned.refused or pinned.waiting,
            refuses_pins=bool(pinned.refused),
        )

    def apply(self, weight: SetWeight) -> None:
        """Write the two weights, if they are not there yet. Raises RouterUnavailable; the next turn tries again."""
        try:
            obj, rule = self._find()
            patch = weight_patch(
                obj,
                rule,
                self.dialect,
                self.naming,
                weight,
                name=self.name,
                manages=self.split.route.manage_backends,
            )
        except RuleRefused as refused:
            raise RouterUnavailable(f"{self.name} {refused}") from refused
        self._write(obj, patch)
        self.denials.pop(self.name, None)

    def pin(self, effect: SetPins) -> None:
        """Bring the pins beside the rule to what is wanted. Raises RouterUnavailable; the next turn tries again."""
        if not self.may_write():
            raise RouterUnavailable(f"{self.name} is left alone: this controller does not lead any more")
        try:
            if effect.pins:
                self._pins.write(*self._find(), effect.pins)
            else:
                self._pins.clear(self.cache.get(self.naming.namespace, self.object_name))
        except RuleRefused as refused:
            raise RouterUnavailable(f"{self.name} {refused}") from refused
        except Conflict as error:
            self._read_anew()
            raise RouteRaced(f"what pins conversations beside {self.name} has changed meanwhile: {error}") from error
        except (Rejected, Forbidden) as error:
            raise self._denied(error) from error
        except ClusterUnavailable as error:
            raise RouterUnavailable(f"conversations were not pinned, or we cannot know it: {error}") from error

    @property
    def _pins(self) -> RoutePins:
        """Return the pins of this rule: also where none are declared any more, what was written is taken out."""
        plan = PinPlan(self.conversations, self.naming, self.dialect)
        labels = self.labels | {self.name}
        if not self.dialect.has_headers:
            return NoPins(self.dialect.rules)
        if self.kind is VIRTUAL_SERVICE:
            return EntryPins(self.owner.name, plan, self.name, labels, self._write)
        acceptance = self.split.route_kind.acceptance
        return ObjectPins(self.api, self.cache, self.kind, acceptance, self.owner, plan, self.name, labels)

    def _pinned(self, obj: Object, rule: Rule) -> SeenPins:
        """Return what is known of pins; where none are declared there are none."""
        declared = self.conversations
        if declared.pin is None:
            return SeenPins(self._pins.left(obj))
        started = self.versions[0] if self.versions and declared.started == "stable" else None
        return self._pins.seen(obj, rule, Pins(versions=(*self.versions, *self.draining), started=started))

    def leave(self, effect: LeaveRoute) -> None:
        """Take out the backends that were added, and let go of the route's fields. Raises RouterUnavailable.

        It is asked for once, and a gateway writes its status just then: who was faster is no reason to leave anything.
        """
        for tries_left in reversed(range(LEAVE_TRIES)):
            try:
                obj, rule = self._find()
                patch = removal_patch(obj, rule, self.dialect, effect.versions, effect.unweighted)
                obj = self._write(obj, patch)
                self._write(obj, release_patch(obj, self.api.manager))
            except RuleRefused:
                return  # nothing of ours is in it any more
            except RouteRaced:
                if not tries_left:
                    raise
            else:
                return

    def _write(self, obj: Object, operations: list[Object]) -> Object:
        """Carry out a patch; return the route as it is then. Raises RouterUnavailable, by what stood in the way."""
        if not operations:
            return obj
        if not self.may_write():
            raise RouterUnavailable(f"{self.name} is left alone: this controller does not lead any more")
        try:
            written = self.api.patch(self.kind, self.naming.namespace, self.object_name, operations)
        except (Conflict, Rejected) as error:
            # A `test` that fails is answered like a refusal. Whether the route has changed tells them apart, and the
            # watch may be far behind: what it shows would be refused again and again.
            now = self._read_anew()
            if isinstance(error, Conflict) or now is None or version_of(now) != version_of(obj):
                raise RouteRaced(f"{self.name} has changed meanwhile: {error}") from error
            raise self._denied(error) from error
        except Forbidden as error:
            raise self._denied(error) from error
        except ClusterUnavailable as error:
            raise RouterUnavailable(f"{self.name} was not changed, or we cannot know it: {error}") from error
        self.cache.note(written)
        self.denials.pop(self.name, None)
        return written

    def _denied(self, error: ClusterUnavailable) -> RouteWriteDenied:
        rights = isinstance(error, Forbidden)
        remedy = ": grant it, see the controller's role (manifests/access)" if rights else ""
        self.denials[self.name] = f"{error}{remedy}"
        return RouteWriteDenied(f"{self.name}: the change was denied: {error}{remedy}")

    def _find(self) -> tuple[Object, Rule]:
        if self.cache.problem:
            self._read_anew()
        obj = self.cache.get(self.naming.namespace, self.object_name)
        if obj is None:
            raise why_absent(self.api, self.cache, self.kind, self.naming.namespace, self.object_name)
        named, chosen = self.split.route.rule, self.split.chosen
        try:
            rule = find_rule(obj, self.dialect, self.naming, named, self.versions, chosen)
        except RuleRefused:
            if named is None or chosen is None:
                raise
            rule = find_rule(obj, self.dialect, self.naming, None, self.versions, chosen)  # it may have been renamed
        return obj, rule.only(self.versions) if self.alone else rule

    def _read_anew(self) -> Object | None:
        """Read the route past the cache; where that fails too, the cache is all there is."""
        with contextlib.suppress(ClusterUnavailable):
            obj = self.api.get(self.kind, self.naming.namespace, self.object_name)
            self.cache.note(obj)
            return obj
        return None

    def _problem(self, rule: Rule) -> tuple[str, Reason]:
        if rule.others > 0:
            kept = {place for backend in rule.ours.values() for place in backend.places}
            named, cause = others_in(rule, self.dialect, self.naming, kept)
            remedy = f"give it weight 0, or a rule of its own{f' ({cause})' if cause else ''}"
            message = f"rule {rule.label} also sends traffic to {named}, no version of this rollout: {remedy}"
            return message, Reason.ROUTE_REFUSED
        absent = missing(rule, self.dialect, self.naming, self.versions)
        if absent is not None and not (absent.addable and self.split.route.manage_backends):
            return absent.message, Reason.BACKEND_NOT_FOUND
        return "", Reason.ROUTER_DOWN

    def _added_ports(self, rule: Rule) -> dict[str, int]:
        """Return, by version, the port of the backend that would be added."""
        if not self.split.route.manage_backends:
            return {}
        return added_ports(rule, self.dialect, self.naming, self.versions)

    def _notes(self, obj: Object, rule: Rule, accepted: Acceptance) -> tuple[str, ...]:
        cautions = notes(obj, rule, self._lists, self.naming, self.versions, self._is_beside)
        return (*cautions, accepted.message) if accepted.programmed and accepted.message else cautions

    @property
    def _lists(self) -> tuple[RouteDialect, ...]:
        """The words of the list that the rule stands in, and of the object's other lists."""
        return (self.dialect, *(one for one in self.split.route_kind.dialects if one is not self.dialect))

    def _is_beside(self, raw: Object, dialect: RouteDialect) -> bool:
        """Whether another rule of the same object is shifted with this one."""
        there = (self.object_name, dialect)
        return any((other.route.name, other.dialect) == there and other.is_of(raw) for other in self.beside)
