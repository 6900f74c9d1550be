"""An API for one turn: what was read in it is not read again, until somebody acts.

Several questions of a turn read the same Deployment, or the same endpoints. Read once, all of them get the same answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rollout.adapters.kubernetes.api import Api, Watch
from rollout.adapters.kubernetes.resources import DEPLOYMENT, ENDPOINT_SLICE, SERVICE, Kind, Object
from rollout.errors import NotFound

KINDS = frozenset({SERVICE, ENDPOINT_SLICE, DEPLOYMENT})

Answer = TypeVar("Answer")


class ReadOnce:
    """The `Api` of one turn. What is read is not to be changed in place: others read it too."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._objects: dict[tuple[object, ...], Object | NotFound] = {}
        self._lists: dict[tuple[object, ...], tuple[list[Object], str]] = {}

    @property
    def manager(self) -> str:
        return self._api.manager

    def forget(self) -> None:
        """Read everything anew: before an act, and after it."""
        self._objects.clear()
        self._lists.clear()

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        if kind not in KINDS:
            return self._api.get(kind, namespace, name)
        key = (kind, namespace, name)
        if key not in self._objects:
            try:
                self._objects[key] = self._api.get(kind, namespace, name)
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
            self._lists[key] = self._api.list_all(kind, namespace, **selectors)
        return self._lists[key]

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

    def watch(self, kind: Kind, namespace: str | None, version: str, timeout_s: float) -> Watch:
        return self._api.watch(kind, namespace, version, timeout_s)

    def _acted(self, act: Callable[[], Answer]) -> Answer:
        try:
            return act()
        finally:
            self.forget()
