"""An API for one turn: what was read in it is not read again, until somebody acts.

Several questions of a turn read the same Deployment, or the same endpoints: all of them get the same answer. It comes
from what is watched, where that is known; before an act, and after it, from the API server itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from rollout.adapters.kubernetes.api import Api, Watch
from rollout.adapters.kubernetes.resources import Kind, Object
from rollout.adapters.kubernetes.slim import KINDS
from rollout.adapters.kubernetes.workload_caches import WorkloadCaches
from rollout.errors import NotFound

Answer = TypeVar("Answer")


class ReadOnce:
    """The `Api` of one turn. What is read is not to be changed in place: others read it too.

    Args:
        caches: of what is watched; None: everything is asked for.
    """

    def __init__(self, api: Api, caches: WorkloadCaches | None = None) -> None:
        self._api, self._caches, self._fresh = api, caches, caches is None
        self._objects: dict[tuple[object, ...], Object | NotFound] = {}
        self._lists: dict[tuple[object, ...], tuple[list[Object], str]] = {}

    @property
    def manager(self) -> str:
        return self._api.manager

    def forget(self) -> None:
        """Read everything anew: before an act, and after it."""
        self._objects.clear()
        self._lists.clear()
        self._fresh = True

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        if kind not in KINDS:
            return self._api.get(kind, namespace, name)
        key = (kind, namespace, name)
        if key not in self._objects:
            try:
                self._objects[key] = self._seen(kind, namespace, name) or self._asked(kind, namespace, name)
            except NotFound as error:
                self._objects[key] = error
        known = self._objects[key]
        if isinstance(known, NotFound):
            raise known
        return known

    def list_all(self, kind: Kind, namespace: str | None, **selectors: str) -> tuple[list[Object], str]:
        if kind not in KINDS:
            return self._api.list_all(kind, namespace, **selectors)
        key = (kind, namespace, *sorted(selectors.items()))
        if key not in self._lists:
            watched = None
            if self._caches is not None and not self._fresh and namespace is not None:
                watched = self._caches.listed(kind, namespace, selectors)
            self._lists[key] = self._api.list_all(kind, namespace, **selectors) if watched is None else (watched, "")
        return self._lists[key]

    def mentioning(self, kind: Kind, namespace: str, word: str) -> list[Object]:
        """Return the objects of a namespace that have a word anywhere, and maybe others. Raises ClusterUnavailable."""
        if self._caches is not None and not self._fresh:
            watched = self._caches.mentioning(kind, namespace, word)
            if watched is not None:
                return watched
        return self.list_all(kind, namespace)[0]

    def pages(self, kind: Kind, namespace: str | None, **selectors: str) -> Iterator[tuple[list[Object], str]]:
        return self._api.pages(kind, namespace, **selectors)

    def create(self, kind: Kind, namespace: str, body: Object) -> Object:
        return self._acted(lambda: self._api.create(kind, namespace, body))

    def replace(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        return self._acted(lambda: self._api.replace(kind, namespace, name, body))

    def merge(self, kind: Kind, namespace: str, name: str, patch: Object, *, sub: str = "") -> Object:
        return self._acted(lambda: self._api.merge(kind, namespace, name, patch, sub=sub))

    def patch(self, kind: Kind, namespace: str, name: str, operations: list[Object]) -> Object:
        return self._acted(lambda: self._api.patch(kind, namespace, name, operations))

    def delete(self, kind: Kind, namespace: str, name: str, version: str) -> None:
        self._acted(lambda: self._api.delete(kind, namespace, name, version))

    def watch(self, kind: Kind, namespace: str | None, version: str, timeout_s: float, **selectors: str) -> Watch:
        return self._api.watch(kind, namespace, version, timeout_s, **selectors)

    def _seen(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return None if self._caches is None or self._fresh else self._caches.get(kind, namespace, name)

    def _asked(self, kind: Kind, namespace: str, name: str) -> Object:
        """Ask for an object that no cache has: it may have been created just now."""
        obj = self._api.get(kind, namespace, name)
        if self._caches is not None:
            self._caches.note(kind, obj)
        return obj

    def _acted(self, act: Callable[[], Answer]) -> Answer:
        try:
            return act()
        finally:
            self.forget()
