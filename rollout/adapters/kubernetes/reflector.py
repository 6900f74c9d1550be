"""A cache of all objects of one kind, kept by listing once and watching on.

Own, because the client's informer cannot watch custom resources and reconnects without a pause while the API is
down. Back-off is client-go's: 0.8 s doubling to 30 s, with jitter; a stream that ends in less than a second is a
failure, and only an event or a bookmark ends a row of them.
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import structlog

from rollout.adapters.kubernetes.api import Api, Watch
from rollout.adapters.kubernetes.resources import Kind, Object, key_of, version_of
from rollout.backoff import Backoff
from rollout.errors import ClusterUnavailable, Expired, Forbidden, NotFound

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

BACKOFF = Backoff(0.8, 30.0, jitter=2.0)
WATCH_S = (240.0, 300.0)
MISSING_RETRY_S = 60.0
"""A kind that is not installed, or that we may not read, may become so; asking often helps nobody."""

SHORT_S = 1.0
GONE_KEPT = 1000
"""So many deletions are remembered, so that a late answer of a write does not bring the object back."""


class Reflector:
    """Keeps `items` as the cluster has them.

    Args:
        changed: is told every object that came, changed or went.
        optional: whether the daemon is ready without it: its kind may not be installed, or be forbidden.
        pack, unpack: what is kept of an object, and the object again.
        remembers: so many objects that were asked for last are not unpacked anew until they change.
        selectors: by which objects are kept at all.
    """

    def __init__(
        self,
        api: Api,
        kind: Kind,
        namespace: str | None,
        changed: Callable[[Object], None],
        *,
        optional: bool = False,
        pack: Callable[[Object], Any] = lambda obj: obj,
        unpack: Callable[[Any], Object] = lambda kept: kept,
        remembers: int = 0,
        selectors: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.kind = kind
        self.optional = optional
        self.problem = ""
        self.synced = threading.Event()
        self._api, self._namespace, self._changed = api, namespace, changed
        self._pack, self._unpack, self._selectors = pack, unpack, dict(selectors)
        self._items: dict[str, tuple[str, Any]] = {}
        self._remembers, self._remembered = remembers, OrderedDict[str, tuple[Any, Object]]()
        self._gone: dict[str, str] = {}
        self._untold: dict[str, str] = {}
        self._lock = threading.Lock()  # around a change of either: what a write returned comes from another thread
        self._version = ""
        self._watch: Watch | None = None
        self._stopped = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=f"reflect-{kind.plural}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if (watch := self._watch) is not None:
            watch.stop()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def get(self, namespace: str, name: str) -> Object | None:
        """Return an object as last seen. It is shared: never change it."""
        return self.by_key(f"{namespace}/{name}")

    def by_key(self, key: str) -> Object | None:
        item = self._items.get(key)
        if item is None or not self._remembers:
            return None if item is None else self._unpack(item[1])
        with self._lock:
            kept, obj = self._remembered.pop(key, (None, None))
            if obj is None or kept != item[1]:
                obj = self._unpack(item[1])
            self._remembered[key] = item[1], obj
            if len(self._remembered) > self._remembers:
                self._remembered.popitem(last=False)
        return obj

    def token(self, namespace: str, name: str) -> object | None:
        """Return what is another once an object has changed; None where it is not there."""
        return self._items.get(f"{namespace}/{name}")

    def keys(self) -> list[str]:
        return list(self._items)

    def under(self, prefix: str) -> list[Object]:
        """Return the objects whose key, `namespace/name`, begins with a prefix."""
        return [self._unpack(kept) for kept in self.kept(prefix)]

    def all(self) -> list[Object]:
        return [self._unpack(kept) for _, kept in list(self._items.values())]

    def kept(self, prefix: str) -> list[Any]:
        """Return what is kept of the objects whose key begins with a prefix."""
        return [kept for key, (_, kept) in list(self._items.items()) if key.startswith(prefix)]

    def note(self, obj: Object, *, wakes: bool = True) -> None:
        """Take in what a write of ours has returned, unless the watch has seen a newer version already.

        Args:
            wakes: whether somebody is to be told once the watch brings it.
        """
        with self._lock:
            key = key_of(obj)
            known = self._items[key][0] if key in self._items else self._gone.get(key)
            if known is None or is_newer(version_of(obj), known):
                self._items[key] = self._kept(obj)
                if key in self._remembered:
                    self._remembered[key] = self._items[key][1], obj  # parsed as it is: whoever wrote it reads it next
                if not wakes:
                    self._untold[key] = version_of(obj)

    def forget(self, obj: Object) -> None:
        """Take an object out that the API says is not there."""
        with self._lock:
            self._items.pop(key_of(obj), None)
            self._remembered.pop(key_of(obj), None)
        self._changed(obj)

    def _run(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                if not self._version:
                    self._list()
                self._follow()
                ended_early = time.monotonic() - began < SHORT_S
                self._failures = self._failures + 1 if ended_early else 0
            except Expired:
                self._version = ""
                self._failures += 1
            except (Forbidden, NotFound) as error:
                self._trouble(str(error))
                self._version = ""
                self._stopped.wait(MISSING_RETRY_S if self.optional else BACKOFF.after_s(self._failures))
                continue
            except ClusterUnavailable as error:
                self._failures += 1
                self._trouble(str(error))
                self._stopped.wait(error.retry_after_s)
            except Exception as error:  # noqa: BLE001  a cache that stops without a word would blind the daemon
                self._failures += 1
                self._version = ""
                self._trouble(f"internal error: {error!r}")
            if self._failures:
                self._stopped.wait(BACKOFF.after_s(self._failures))

    def _trouble(self, why: str) -> None:
        if self.problem != why:
            _LOG.warning("the cache falls behind", kind=self.kind.resource, why=why)
        self.problem = why

    def _kept(self, obj: Object) -> tuple[str, Any]:
        return version_of(obj), self._pack(_slim(obj))

    def _list(self) -> None:
        now: dict[str, tuple[str, Any]] = {}
        version = ""
        for objects, at in self._api.pages(self.kind, self._namespace, **self._selectors):
            now.update((key_of(obj), self._kept(obj)) for obj in objects)
            version = at
        with self._lock:
            before, self._items, self._version = self._items, now, version
        self.problem = ""
        for key, (at, kept) in list(now.items()):
            if key not in before or before[key][0] != at:
                self._changed(self._unpack(kept))
        for key in before.keys() - now.keys():
            self._changed(self._unpack(before[key][1]))
        self.synced.set()

    def _follow(self) -> None:
        lasts_s = random.uniform(*WATCH_S)  # noqa: S311
        watch = self._api.watch(self.kind, self._namespace, self._version, lasts_s, **self._selectors)
        self._watch = watch
        if self._stopped.is_set():
            watch.stop()
        for event in watch:
            obj = event["object"]
            if event["type"] != "BOOKMARK":
                self._take(event["type"], obj)
            self._version = version_of(obj)
            self._failures, self.problem = 0, ""

    def _take(self, kind: str, obj: Object) -> None:
        with self._lock:
            untold = self._untold.pop(key_of(obj), None)
            if kind == "DELETED":
                self._items.pop(key_of(obj), None)
                self._remembered.pop(key_of(obj), None)
                self._gone[key_of(obj)] = version_of(obj)
                if len(self._gone) > GONE_KEPT:
                    del self._gone[next(iter(self._gone))]
            else:
                known = self._items.get(key_of(obj))
                if known is None or known[0] != version_of(obj):  # else a write of ours has brought it already
                    self._items[key_of(obj)] = self._kept(obj)
                if untold == version_of(obj):
                    return
        self._changed(obj)


def is_newer(one: str, other: str) -> bool:
    """Whether what has version `one` was read after `other`. They are numbers in every API server that there is."""
    try:
        return int(one) >= int(other)
    except ValueError:
        return one != other


def _slim(obj: Object) -> Object:
    """Return the object without what only servers read, half of its size; who manages fields stays, at its place."""
    kept = [
        {key: entry[key] for key in ("manager", "operation", "subresource") if key in entry}
        for entry in obj["metadata"].pop("managedFields", None) or ()
    ]
    if kept:
        obj["metadata"]["managedFields"] = kept
    return obj
