"""An API for one turn: what was read in it is not read again, until somebody acts.

Several questions of a turn read the same Deployment, or the same endpoints: all of them get the same answer. It comes
from what is watched, where that is known; before an act, and after it, from the API server itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from rollout.adapters.kubernetes.api import Api, Watch
from rollout.adapters.kubernetes.kept_answers import Reads, Seen
from rollout.adapters.kubernetes.resources import Kind, Object
from rollout.adapters.kubernetes.slim import KINDS
from rollout.adapters.kubernetes.workload_caches import WorkloadCaches, slices_of_which
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
        self._seen: dict[tuple[object, ...], Seen] = {}
        self._reads: Reads | None = None

    @property
    def manager(self) -> str:
        return self._api.manager

    def forget(self) -> None:
        """Read everything anew: before an act, and after it."""
        self._objects.clear()
        self._lists.clear()
        self._seen.clear()
        self._fresh = True

    @contextmanager
    def noting(self, reads: Reads) -> Iterator[None]:
        """Note what is read meanwhile."""
        self._reads = reads
        try:
            yield
        finally:
            self._reads = None

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        if kind not in KINDS:
            self._note(None)
            return self._api.get(kind, namespace, name)
        key = (kind, namespace, name)
        if key not in self._objects and self._watched is not None:
            self._seen[key] = Seen.now(partial(self._watched.token, kind, namespace, name))
        self._note(self._seen.get(key))
        if key not in self._objects:
            try:
                self._objects[key] = self._cached(kind, namespace, name) or self._asked(kind, namespace, name)
            except NotFound as error:
                self._objects[key] = error
        known = self._objects[key]
        if isinstance(known, NotFound):
            raise known
        return known

    def list_all(self, kind: Kind, namespace: str | None, **selectors: str) -> tuple[list[Object], str]:
        if kind not in KINDS:
            self._note(None)
            return self._api.list_all(kind, namespace, **selectors)
        key = (kind, namespace, *sorted(selectors.items()))
        watched = None if namespace is None else self._watched
        service = slices_of_which(kind, selectors)
        if key not in self._lists and watched is not None and namespace is not None and service:
            self._seen[key] = Seen.now(partial(watched.token_of_slices, namespace, service))
        self._note(self._seen.get(key))
        if key not in self._lists:
            listed = None
            if watched is not None and namespace is not None:
                listed = watched.listed(kind, namespace, selectors)
            self._lists[key] = self._api.list_all(kind, namespace, **selectors) if listed is None else (listed, "")
        return self._lists[key]

    def mentioning(self, kind: Kind, namespace: str, word: str) -> list[Object]:
        """Return the objects of a namespace that have a word anywhere, and maybe others. Raises ClusterUnavailable."""
        self._note(None)
        if self._watched is not None:
            mentioning = self._watched.mentioning(kind, namespace, word)
            if mentioning is not None:
                return mentioning
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

    @property
    def _watched(self) -> WorkloadCaches | None:
        """The caches, while what they tell is fresh enough."""
        return None if self._fresh else self._caches

    def _note(self, seen: Seen | None) -> None:
        """Note a read before it is tried; None: of what no watch tells."""
        if self._reads is not None and seen is not None:
            self._reads.add(seen)
        elif self._reads is not None:
            self._reads.are_watched = False

    def _cached(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return None if self._watched is None else self._watched.get(kind, namespace, name)

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
