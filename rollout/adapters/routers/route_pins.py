"""Pins beside a rule of somebody else's: read back as they are, written as an object of ours or as entries in it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import ROLLOUT, Kind, Object, name_of, version_of
from rollout.adapters.routers.gateway_api import GATEWAY, Acceptance
from rollout.adapters.routers.pin_entries import mark_of, pin_patch, pins_in, removal, seen_entries
from rollout.adapters.routers.pin_route import (
    PinPlan,
    beyond_limits,
    clash,
    collision,
    digest_of,
    header_names,
    holds,
    pin_spec,
)
from rollout.adapters.routers.pins import SeenPins
from rollout.adapters.routers.rule import Rule
from rollout.errors import NotFound
from rollout.model.status.conversations import NO_PINS, Pins

OWNER_LABEL = "rollout.dev/rollout"
FOR, SPEC = "rollout.dev/for", "rollout.dev/spec"
"""The annotations of our route that say beside which rule it stands, and what was written then."""

PINS = "rollout.dev/pins"
"""The annotation of our route that says whose conversations it keeps: it is believed where the rules say the same."""


class Cache(Protocol):
    """Objects of one kind as last seen. problem: why they may be old, or missing."""

    @property
    def problem(self) -> str: ...

    def get(self, namespace: str, name: str) -> Object | None: ...

    def token(self, namespace: str, name: str) -> object | None: ...

    def under(self, prefix: str) -> list[Object]: ...

    def note(self, obj: Object) -> None: ...

    def forget(self, obj: Object) -> None: ...


@dataclass(frozen=True)
class EntryPins:
    """Entries in a VirtualService.

    Attributes:
        labels: of all rules of the Rollout: entries that are of none of them are left from before.
        patch: carries out a JSON patch of the route.
    """

    rollout: str
    plan: PinPlan
    label: str
    labels: frozenset[str]
    patch: Callable[[Object, list[Object]], Object]

    def seen(self, route: Object, rule: Rule, needed: Pins) -> SeenPins:
        del needed
        matches = rule.raw.get("match")
        headers = [match.get("headers") for match in matches if isinstance(match, dict)] if matches else []
        refused = clash([name for names in headers if isinstance(names, dict) for name in names], self.plan)
        if self._stale(route):
            return SeenPins(None, refused=refused)
        return SeenPins(pins_in(route, rule, self._mark, self.plan), refused=refused)

    def left(self, route: Object | None) -> Pins | None:
        return NO_PINS if route is None or not (self._mine(route) or self._stale(route)) else None

    def write(self, route: Object, rule: Rule, pins: Pins) -> None:
        if stale := self._stale(route):
            self.patch(route, removal(route, stale))
            return  # places have moved: the rest is for the next turn
        self.patch(route, pin_patch(route, rule, self._mark, self.plan, pins))

    def clear(self, route: Object | None) -> None:
        if route is not None:
            self.patch(route, removal(route, sorted([*self._mine(route), *self._stale(route)], key=lambda at: at[0])))

    @property
    def _mark(self) -> str:
        return mark_of(self.rollout, self.label)

    def _mine(self, route: Object) -> list[tuple[int, Object]]:
        return seen_entries(route, self._mark)

    def _stale(self, route: Object) -> list[tuple[int, Object]]:
        """Return entries of this Rollout that belong to no rule that it still has."""
        known = {place for label in self.labels for place, _ in seen_entries(route, mark_of(self.rollout, label))}
        return [(place, entry) for place, entry in seen_entries(route, self.rollout) if place not in known]


@dataclass(frozen=True, slots=True)
class OwningRollout:
    """The Rollout that what we make belongs to: with it, it goes."""

    name: str
    uid: str

    @property
    def reference(self) -> Object:
        kind = {"apiVersion": ROLLOUT.api_version, "kind": ROLLOUT.kind}
        return {**kind, "name": self.name, "uid": self.uid, "controller": True, "blockOwnerDeletion": False}

    def owns(self, obj: Object) -> bool:
        references = obj["metadata"].get("ownerReferences") or ()
        return any(isinstance(entry, dict) and entry.get("uid") == self.uid for entry in references)


@dataclass(frozen=True)
class ObjectPins:
    """A route of our own: HTTPRoute or GRPCRoute, beside the user's.

    Attributes:
        label: of the user's rule, among those of all routes: `httpRoute/agent/chat`.
        labels: of all rules of the Rollout: objects that are of none of them are left from before.
    """

    api: Api
    cache: Cache
    kind: Kind
    acceptance: Callable[[Object], Acceptance]
    owner: OwningRollout
    plan: PinPlan
    label: str
    labels: frozenset[str]

    @property
    def name(self) -> str:
        return self._name_for(self.label)

    @property
    def namespace(self) -> str:
        return self.plan.naming.namespace

    def _name_for(self, label: str) -> str:
        return f"{self.owner.name}-pins-{hashlib.sha256(label.encode()).hexdigest()[:8]}"

    def seen(self, route: Object, rule: Rule, needed: Pins) -> SeenPins:
        own = self._own()
        if own is not None and not self.owner.owns(own):
            return SeenPins(NO_PINS, refused=f"{self.kind.kind} {self.name} is there and not this Rollout's: delete it")
        refused = (
            beyond_limits(rule, self.plan, needed)
            or clash(header_names(rule), self.plan)
            or collision(route, rule, GATEWAY)
        )
        if self._stale():
            return SeenPins(None, refused=refused)
        if own is None:
            return SeenPins(NO_PINS, refused=refused)
        pins = _annotated(own)
        if pins is None or not self._is_right(own, route, rule, pins):
            return SeenPins(None, refused=refused)
        accepted = self.acceptance(own)
        waiting = "" if accepted.programmed else f"{self.name}: {accepted.message}"
        return SeenPins(pins, waiting=waiting, refused=refused)

    def _is_right(self, own: Object, route: Object, rule: Rule, pins: Pins) -> bool:
        wanted = pin_spec(route, rule, self.plan, pins)
        written = (own["metadata"].get("annotations") or {}).get(SPEC)
        return written == digest_of(wanted) and holds(own.get("spec"), wanted) and not _is_older(own, route)

    def left(self, route: Object | None) -> Pins | None:
        del route
        own = self._own()
        return None if own is not None and self.owner.owns(own) else NO_PINS

    def write(self, route: Object, rule: Rule, pins: Pins) -> None:
        own = self._own()
        if own is not None and not self.owner.owns(own):
            return
        for stale in self._stale():
            self._delete(stale)
        if own is not None and (not pins or _is_older(own, route)):
            self._delete(own)
            return  # one that was older than theirs is made anew by the next turn
        if not pins:
            return
        body = self._body(route, rule, pins)
        if own is None:
            self.cache.note(self.api.create(self.kind, self.namespace, body))
            return
        operations = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version_of(own)},
            {"op": "add", "path": "/metadata/annotations", "value": body["metadata"]["annotations"]},
            {"op": "add", "path": "/spec", "value": body["spec"]},
        ]
        self.cache.note(self.api.patch(self.kind, self.namespace, self.name, operations))

    def clear(self, route: Object | None) -> None:
        del route
        own = self._own()
        for obj in (*self._stale(), *((own,) if own is not None and self.owner.owns(own) else ())):
            self._delete(obj)

    def _own(self) -> Object | None:
        return self.cache.get(self.namespace, self.name) if self.owner.uid else None

    def _stale(self) -> list[Object]:
        """Return routes of this Rollout that belong to no rule that it still has."""
        known, prefix = {self._name_for(label) for label in self.labels}, f"{self.owner.name}-pins-"
        return [
            obj
            for obj in self.cache.under(f"{self.namespace}/{prefix}")
            if name_of(obj) not in known and self.owner.owns(obj)
        ]

    def _body(self, route: Object, rule: Rule, pins: Pins) -> Object:
        spec = pin_spec(route, rule, self.plan, pins)
        metadata = {
            "name": self.name,
            "namespace": self.namespace,
            "labels": {"app.kubernetes.io/managed-by": "rollout", OWNER_LABEL: self.owner.name},
            "annotations": {PINS: pins.model_dump_json(exclude_none=True), FOR: self.label, SPEC: digest_of(spec)},
            "ownerReferences": [self.owner.reference],
        }
        return {"apiVersion": self.kind.api_version, "kind": self.kind.kind, "metadata": metadata, "spec": spec}

    def _delete(self, own: Object) -> None:
        with contextlib.suppress(NotFound):  # somebody was faster
            self.api.delete(self.kind, self.namespace, name_of(own), version_of(own))
        self.cache.forget(own)


def _annotated(own: Object) -> Pins | None:
    text = (own["metadata"].get("annotations") or {}).get(PINS)
    try:
        return Pins.model_validate(json.loads(text)) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _is_older(own: Object, route: Object) -> bool:
    """Whether ours would win where both match equally: then the user's other rules would lose requests to it."""
    ours, theirs = (str(obj["metadata"].get("creationTimestamp", "")) for obj in (own, route))
    return ours < theirs
