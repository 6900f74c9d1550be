"""What a controller watches, and which rollouts each change is about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.reflector import Reflector
from rollout.adapters.kubernetes.resources import POLICY, ROLLOUT, Object, key_of, name_of, namespace_of
from rollout.adapters.routers.kubernetes import ROUTE_KINDS

Reference = tuple[str, str, str]
"""Kind, namespace and name of something that a rollout refers to."""


class Informers:
    """The caches of a controller. enqueue: is told the key of each rollout that something has changed for."""

    def __init__(self, api: Api, namespace: str | None, enqueue: Callable[[str], None]) -> None:
        self._enqueue = enqueue
        self._lock = threading.Lock()
        self._refers: dict[str, set[Reference]] = {}
        self._referred: dict[Reference, set[str]] = {}
        self.rollouts = Reflector(api, ROLLOUT, namespace, self._rollout_changed)
        self.policies = Reflector(api, POLICY, namespace, self._referred_changed)
        self.routes: Mapping[str, Reflector] = {
            flavour.key: Reflector(api, flavour.kind, namespace, self._referred_changed, optional=True)
            for flavour in ROUTE_KINDS
        }
        self.all = (self.rollouts, self.policies, *self.routes.values())

    def start(self) -> None:
        for each in self.all:
            each.start()

    def stop(self, timeout_s: float) -> None:
        for each in self.all:
            each.stop()
        for each in self.all:
            each.join(timeout_s)

    def sharing(self, found: Object) -> list[Object]:
        """Return the other Rollouts that refer to a route of this one."""
        mine = {each for each in references_of(found) if each[0] != POLICY.kind}
        with self._lock:
            keys = {key for each in mine for key in self._referred.get(each, ())} - {key_of(found)}
        every = (self.rollouts.get(*key.split("/", 1)) for key in keys)
        return [each for each in every if each is not None]

    def not_ready(self) -> str:
        """Say which cache has not been filled yet; a kind that is not installed holds nobody up."""
        waiting = [each for each in self.all if not each.synced.is_set() and not (each.optional and each.problem)]
        return "; ".join(f"{each.kind.resource}: {each.problem or 'not listed yet'}" for each in waiting)

    def _rollout_changed(self, found: Object) -> None:
        key = key_of(found)
        with self._lock:
            gone = self.rollouts.get(namespace_of(found), name_of(found)) is None
            wanted = set() if gone else references_of(found)
            before = self._refers.pop(key, set())
            for each in before - wanted:
                self._referred[each].discard(key)
                if not self._referred[each]:
                    del self._referred[each]
            for each in wanted:
                self._referred.setdefault(each, set()).add(key)
            if wanted:
                self._refers[key] = wanted
            shared = {each for each in wanted | before if each[0] != POLICY.kind}
            sharers = {other for each in shared for other in self._referred.get(each, ())} - {key}
        for concerned in (key, *sorted(sharers)):  # a rule that it has, or had, may be another's now
            self._enqueue(concerned)

    def _referred_changed(self, found: Object) -> None:
        with self._lock:
            keys = list(self._referred.get((found.get("kind", ""), namespace_of(found), name_of(found)), ()))
        for key in keys:
            self._enqueue(key)


def references_of(found: Object) -> set[Reference]:
    """Return what a raw Rollout refers to, as far as it can be read: it may be malformed."""
    namespace, spec = namespace_of(found), found.get("spec")
    made: set[Reference] = set()
    if not isinstance(spec, dict):
        return made
    if (name := _name(spec.get("policyRef"))) is not None:
        made.add((POLICY.kind, namespace, name))
    routes = spec.get("routes")
    for route in routes if isinstance(routes, list) else ():
        for flavour in ROUTE_KINDS:
            if isinstance(route, dict) and (name := _name(route.get(flavour.key))) is not None:
                made.add((flavour.kind.kind, namespace, name))
    return made


def _name(raw: Any) -> str | None:
    return raw["name"] if isinstance(raw, dict) and isinstance(raw.get("name"), str) else None
