"""Services, EndpointSlices and Deployments as watches tell of them, shared by all rollouts of a controller.

Only namespaces that somebody reads of are watched, each kind of each by one watch; where these become many, one watch
of each kind for the whole cluster takes their place. What cannot be watched (no right to, no server) is read as it is
asked for, and so is what a cache does not have: it may have been created just now.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.reflector import Reflector
from rollout.adapters.kubernetes.resources import DESTINATION_RULE, ENDPOINT_SLICE, Kind, Object, key_of
from rollout.adapters.kubernetes.slim import KINDS, SERVICE_NAME, packing, unpacked

NAMESPACES_MAX = 8
"""So many namespaces are watched one by one, each with a thread for each kind."""

FILLING_S = 5.0
"""So long a first question waits for its cache to fill."""

UNREAD_S = 3600.0
"""What nobody has read of for so long is not watched any more."""


class _Cache:
    """One kind in one namespace, or in all."""

    def __init__(self, api: Api, kind: Kind, namespace: str | None) -> None:
        self._by_service: dict[str, set[str]] = defaultdict(set)
        self._service_of: dict[str, str] = {}
        self._lock = threading.Lock()
        self.read_at = time.monotonic()
        self.reflector = Reflector(
            api,
            kind,
            namespace,
            self._index if kind is ENDPOINT_SLICE else lambda _: None,
            optional=True,
            pack=packing(kind),
            unpack=unpacked,
            selectors={"labelSelector": SERVICE_NAME} if kind is ENDPOINT_SLICE else {},
        )
        self.reflector.start()

    def is_ready(self, wait_s: float) -> bool:
        """Whether it tells what there is; it is waited for while it fills for the first time."""
        reflector = self.reflector
        if not reflector.synced.is_set() and not reflector.problem:
            reflector.synced.wait(wait_s)
        return reflector.synced.is_set() and not reflector.problem

    def of_service(self, namespace: str, service: str) -> list[Object]:
        listed = map(self.reflector.by_key, self._slices_of(namespace, service))
        return [obj for obj in listed if obj is not None]

    def token_of_service(self, namespace: str, service: str) -> object:
        """Return what is another once an EndpointSlice of a Service has come, changed or gone."""
        keys = self._slices_of(namespace, service)
        return [(key, self.reflector.token(*key.split("/", 1))) for key in keys]

    def _slices_of(self, namespace: str, service: str) -> list[str]:
        with self._lock:
            return sorted(self._by_service.get(f"{namespace}/{service}", ()))

    def _index(self, obj: Object) -> None:
        key, namespace = key_of(obj), key_of(obj).partition("/")[0]
        service = (obj["metadata"].get("labels") or {}).get(SERVICE_NAME)
        is_there = self.reflector.by_key(key) is not None and isinstance(service, str)
        with self._lock:
            before = self._service_of.pop(key, None)
            if before is not None:
                self._by_service[before].discard(key)
                if not self._by_service[before]:
                    del self._by_service[before]
            if is_there:
                self._service_of[key] = f"{namespace}/{service}"
                self._by_service[f"{namespace}/{service}"].add(key)


@dataclass
class WorkloadCaches:
    """The caches of a controller. Stop them after use.

    Attributes:
        scope: the only namespace that the controller may look at as a whole; None for all.
    """

    api: Api
    scope: str | None = None
    _caches: dict[tuple[str, str | None], _Cache] = field(default_factory=dict)  # by plural and namespace
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return an object as it was seen last; None where that is not known here. It is the caller's own."""
        cache = self._ready(kind, namespace)
        return None if cache is None else cache.reflector.get(namespace, name)

    def listed(self, kind: Kind, namespace: str, selectors: Mapping[str, str]) -> list[Object] | None:
        """Return the objects that are selected; None where a cache cannot tell."""
        if service := slices_of_which(kind, selectors):
            cache = self._ready(kind, namespace)
            return None if cache is None else cache.of_service(namespace, service)
        if kind is DESTINATION_RULE and not selectors:
            cache = self._ready(kind, namespace)
            if cache is not None:
                return cache.reflector.under(f"{namespace}/")
        return None

    def token(self, kind: Kind, namespace: str, name: str) -> object | None:
        """Return what is another once an object has changed; None where no cache has it."""
        cache = self._ready(kind, namespace)
        return None if cache is None else cache.reflector.token(namespace, name)

    def token_of_slices(self, namespace: str, service: str) -> object | None:
        """Return what is another once an EndpointSlice of a Service has changed; None where no cache can tell."""
        cache = self._ready(ENDPOINT_SLICE, namespace)
        return None if cache is None else cache.token_of_service(namespace, service)

    def mentioning(self, kind: Kind, namespace: str, word: str) -> list[Object] | None:
        """Return the objects of a namespace that have a word anywhere; None where a cache cannot tell."""
        cache = self._ready(kind, namespace)
        if cache is None:
            return None
        return [unpacked(text) for text in cache.reflector.kept(f"{namespace}/") if word in text]

    def note(self, kind: Kind, obj: Object) -> None:
        """Take in what a read or a write has returned."""
        for place in (None, key_of(obj).partition("/")[0]):
            if (cache := self._caches.get((kind.plural, place))) is not None:
                cache.reflector.note(obj)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            caches, self._caches = list(self._caches.values()), {}
        for cache in caches:
            cache.reflector.stop()

    def _ready(self, kind: Kind, namespace: str) -> _Cache | None:
        if kind not in KINDS:
            return None
        every = self._caches.get((kind.plural, None))
        if every is not None and every.is_ready(FILLING_S):
            self._end(kind)
            return every
        cache = self._caches.get((kind.plural, namespace)) or self._begun(kind, namespace)
        if cache is None or not cache.is_ready(FILLING_S):
            return None
        cache.read_at = time.monotonic()
        return cache

    def _begun(self, kind: Kind, namespace: str) -> _Cache | None:
        """Begin to watch a namespace, or the whole cluster where these become many."""
        with self._lock:
            places = [place for plural, place in self._caches if plural == kind.plural and place is not None]
            place = None if self.scope is None and len(places) >= NAMESPACES_MAX else namespace
            if self._stopped:
                return None
            self._sweep()
            if (kind.plural, place) not in self._caches:
                self._caches[kind.plural, place] = _Cache(self.api, kind, place)
            return self._caches[kind.plural, place]

    def _sweep(self) -> None:
        """Stop watching namespaces that nobody reads of any more."""
        now = time.monotonic()
        for key in [key for key, cache in self._caches.items() if key[1] and now - cache.read_at > UNREAD_S]:
            self._caches.pop(key).reflector.stop()

    def _end(self, kind: Kind) -> None:
        """Stop watching single namespaces, now that all are watched together."""
        if len(self._caches) <= len(KINDS):
            return
        with self._lock:
            ended = [key for key in self._caches if key[0] == kind.plural and key[1] is not None]
            caches = [self._caches.pop(key) for key in ended]
        for cache in caches:
            cache.reflector.stop()


def slices_of_which(kind: Kind, selectors: Mapping[str, str]) -> str:
    """Return the Service whose EndpointSlices are selected; empty where something else is."""
    label, _, service = selectors.get("labelSelector", "").partition("=")
    return service if kind is ENDPOINT_SLICE and label == SERVICE_NAME else ""
