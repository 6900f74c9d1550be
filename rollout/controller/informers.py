"""What a controller watches, and which rollouts each change is about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.reflector import Reflector
from rollout.adapters.kubernetes.resources import (
    POLICY,
    ROLLOUT,
    VIRTUAL_SERVICE,
    Object,
    key_of,
    name_of,
    namespace_of,
)
from rollout.adapters.kubernetes.slim import compressed, decompressed, packed, unpacked
from rollout.adapters.routers.istio import delegates_of
from rollout.adapters.routers.route_kinds import ROUTE_KINDS
from rollout.adapters.routers.route_pins import OWNER_LABEL

PARSED_MAX = 2048
"""So many Rollouts are kept parsed: those under way. An object takes several times the memory of its text."""

Reference = tuple[str, str, str]
"""Kind, namespace and name of something that a rollout refers to."""


class Informers:
    """The caches of a controller.

    Args:
        enqueue: is told the key of each rollout that something has changed for.
    """

    def __init__(self, api: Api, namespace: str | None, enqueue: Callable[[str], None]) -> None:
        self._enqueue = enqueue
        self._lock = threading.Lock()
        self._refers: dict[str, set[Reference]] = {}
        self._referred: dict[Reference, set[str]] = {}
        self._roots: dict[Reference, set[Reference]] = {}
        self._delegates: dict[Reference, set[Reference]] = {}
        self.rollouts = Reflector(
            api, ROLLOUT, namespace, self._rollout_changed, pack=compressed, unpack=decompressed, remembers=PARSED_MAX
        )
        self.policies = Reflector(api, POLICY, namespace, self._referred_changed)
        self.routes: Mapping[str, Reflector] = {
            route_kind.key: Reflector(
                api,
                route_kind.kind,
                namespace,
                self._referred_changed,
                optional=True,
                pack=packed,
                unpack=unpacked,
            )
            for route_kind in ROUTE_KINDS
        }
        self.all = (self.rollouts, self.policies, *self.routes.values())

    def start(self) -> None:
        for reflector in self.all:
            reflector.start()

    def stop(self, timeout_s: float) -> None:
        for reflector in self.all:
            reflector.stop()
        for reflector in self.all:
            reflector.join(timeout_s)

    def sharing(self, obj: Object) -> list[Object]:
        """Return the other Rollouts that refer to a route of this one."""
        named = {reference for reference in references_of(obj) if reference[0] != POLICY.kind}
        with self._lock:
            mine = named.union(*(self._delegates.get(reference, ()) for reference in named))
            keys = {key for reference in mine for key in self._concerned(reference)} - {key_of(obj)}
        every = (self.rollouts.get(*key.split("/", 1)) for key in keys)
        return [rollout for rollout in every if rollout is not None]

    def not_ready(self) -> str:
        """Say which cache has not been filled yet; a kind that is not installed holds nobody up."""
        waiting = [
            reflector
            for reflector in self.all
            if not reflector.synced.is_set() and not (reflector.optional and reflector.problem)
        ]
        return "; ".join(f"{reflector.kind.resource}: {reflector.problem or 'not listed yet'}" for reflector in waiting)

    def _rollout_changed(self, obj: Object) -> None:
        key = key_of(obj)
        with self._lock:
            gone = self.rollouts.get(namespace_of(obj), name_of(obj)) is None
            wanted = set() if gone else references_of(obj)
            before = self._refers.pop(key, set())
            for reference in before - wanted:
                self._referred[reference].discard(key)
                if not self._referred[reference]:
                    del self._referred[reference]
            for reference in wanted:
                self._referred.setdefault(reference, set()).add(key)
            if wanted:
                self._refers[key] = wanted
            shared = {reference for reference in wanted | before if reference[0] != POLICY.kind}
            sharers = {other for reference in shared for other in self._referred.get(reference, ())} - {key}
        for concerned in (key, *sorted(sharers)):  # a rule that it has, or had, may be another's now
            self._enqueue(concerned)

    def _concerned(self, reference: Reference) -> set[str]:
        """Return the rollouts that refer to an object, or to one that delegates to it."""
        roots = self._roots.get(reference, ())
        return set(self._referred.get(reference, ())).union(*(self._referred.get(root, ()) for root in roots))

    def _note_delegates(self, reference: Reference, obj: Object) -> None:
        kind, namespace, _ = reference
        now = {(kind, namespace, name) for name in delegates_of(obj)} if kind == VIRTUAL_SERVICE.kind else set()
        before = self._delegates.pop(reference, set())
        if now:
            self._delegates[reference] = now
        for delegate in before - now:
            self._roots[delegate].discard(reference)
        for delegate in now - before:
            self._roots.setdefault(delegate, set()).add(reference)

    def _referred_changed(self, obj: Object) -> None:
        reference = (obj.get("kind", ""), namespace_of(obj), name_of(obj))
        with self._lock:
            self._note_delegates(reference, obj)
            keys = self._concerned(reference)
        owner = (obj["metadata"].get("labels") or {}).get(OWNER_LABEL)
        if isinstance(owner, str):  # a route that pins conversations for it
            keys.add(f"{namespace_of(obj)}/{owner}")
        for key in sorted(keys):
            self._enqueue(key)


def references_of(obj: Object) -> set[Reference]:
    """Return what a raw Rollout refers to, as far as it can be read: it may be malformed."""
    namespace, spec = namespace_of(obj), obj.get("spec")
    references: set[Reference] = set()
    if not isinstance(spec, dict):
        return references
    if (name := _name(spec.get("policyRef"))) is not None:
        references.add((POLICY.kind, namespace, name))
    routes = spec.get("routes")
    for route in routes if isinstance(routes, list) else ():
        for route_kind in ROUTE_KINDS:
            if isinstance(route, dict) and (name := _name(route.get(route_kind.key))) is not None:
                references.add((route_kind.kind.kind, namespace, name))
    return references


def _name(raw: Any) -> str | None:
    return raw["name"] if isinstance(raw, dict) and isinstance(raw.get("name"), str) else None
