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
from rollout.adapters.routers.pin_entries import pin_patch, pins_in
from rollout.adapters.routers.pin_route import PinPlan, beyond_limits, collision, holds, pin_spec
from rollout.adapters.routers.rule import Rule
from rollout.errors import NotFound
from rollout.model.status.conversations import NO_PINS, Pins

PINS = "rollout.dev/pins"
"""The annotation of our route that says whose conversations it keeps: it is believed where the rules say the same."""


class Cache(Protocol):
    """Objects of one kind as last seen. problem: why they may be old, or missing."""

    @property
    def problem(self) -> str: ...

    def get(self, namespace: str, name: str) -> Object | None: ...

    def note(self, obj: Object) -> None: ...

    def forget(self, obj: Object) -> None: ...


@dataclass(frozen=True, slots=True)
class SeenPins:
    """What is known of the pins of a rule.

    Attributes:
        pins: those that are written; None where they are not as they were meant.
        waiting: why they are not effective yet.
        refused: why there can be none.
    """

    pins: Pins | None
    waiting: str = ""
    refused: str = ""


class RoutePins(Protocol):
    """The pins of one rule."""

    def seen(self, route: Object, rule: Rule, needed: Pins) -> SeenPins:
        """Return what is written, and whether what is needed can be."""
        ...

    def write(self, route: Object, rule: Rule, pins: Pins) -> None:
        """Bring the pins to what is wanted. Idempotent. Raises ClusterUnavailable and its children."""
        ...


@dataclass(frozen=True)
class EntryPins:
    """Entries in a VirtualService.

    Attributes:
        patch: carries out a JSON patch of the route.
    """

    rollout: str
    plan: PinPlan
    patch: Callable[[Object, list[Object]], Object]

    def seen(self, route: Object, rule: Rule, needed: Pins) -> SeenPins:
        del needed
        return SeenPins(pins_in(route, rule, self.rollout, self.plan))

    def write(self, route: Object, rule: Rule, pins: Pins) -> None:
        self.patch(route, pin_patch(route, rule, self.rollout, self.plan, pins))


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
    """

    api: Api
    cache: Cache
    kind: Kind
    acceptance: Callable[[Object], Acceptance]
    owner: OwningRollout
    plan: PinPlan
    label: str

    @property
    def name(self) -> str:
        return f"{self.owner.name}-pins-{hashlib.sha256(self.label.encode()).hexdigest()[:8]}"

    @property
    def namespace(self) -> str:
        return self.plan.naming.namespace

    def seen(self, route: Object, rule: Rule, needed: Pins) -> SeenPins:
        own = self.cache.get(self.namespace, self.name)
        if own is not None and not self.owner.owns(own):
            return SeenPins(NO_PINS, refused=f"{self.kind.kind} {self.name} is there and not this Rollout's: delete it")
        refused = beyond_limits(rule, self.plan, needed) or collision(route, rule, GATEWAY)
        if own is None:
            return SeenPins(NO_PINS, refused=refused)
        pins = _annotated(own)
        if pins is None or _is_older(own, route) or not holds(own.get("spec"), pin_spec(route, rule, self.plan, pins)):
            return SeenPins(None, refused=refused)
        accepted = self.acceptance(own)
        return SeenPins(
            pins, waiting="" if accepted.programmed else f"{self.name}: {accepted.message}", refused=refused
        )

    def write(self, route: Object, rule: Rule, pins: Pins) -> None:
        own = self.cache.get(self.namespace, self.name)
        if own is not None and not self.owner.owns(own):
            return
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

    def _body(self, route: Object, rule: Rule, pins: Pins) -> Object:
        metadata = {
            "name": self.name,
            "namespace": self.namespace,
            "labels": {"app.kubernetes.io/managed-by": "rollout", "rollout.dev/rollout": self.owner.name},
            "annotations": {PINS: pins.model_dump_json(exclude_none=True), "rollout.dev/for": self.label},
            "ownerReferences": [self.owner.reference],
        }
        spec = pin_spec(route, rule, self.plan, pins)
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
