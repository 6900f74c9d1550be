"""A router that does not read its route anew while nothing has changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from rollout.adapters.kubernetes.kept_answers import KeptAnswers, Reads, Seen
from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.routers.kubernetes import KubernetesRouter
from rollout.adapters.routers.route_pins import Cache
from rollout.engine.effects import LeaveRoute, SetPins, SetWeight
from rollout.engine.route_facts import BorrowedRoute


@dataclass(frozen=True)
class KeptRouter:
    """A rule of a route whose facts are kept from one turn to the next.

    Attributes:
        rollout: its key.
    """

    router: KubernetesRouter
    answers: KeptAnswers
    rollout: str

    @property
    def name(self) -> str:
        return self.router.name

    def observe(self) -> BorrowedRoute:
        router = self.router
        if router.cache.problem:
            return router.observe()
        asked_with = (
            router.split,
            router.naming,
            router.versions,
            router.beside,
            router.alone,
            router.conversations,
            router.owner,
            router.draining,
            router.labels,
            router.denials.get(router.name),
        )
        return self.answers.of(self.rollout, self.name, asked_with, self._observe)

    def apply(self, weight: SetWeight) -> None:
        self.router.apply(weight)

    def pin(self, effect: SetPins) -> None:
        self.router.pin(effect)

    def leave(self, effect: LeaveRoute) -> None:
        self.router.leave(effect)

    def _observe(self, reads: Reads) -> BorrowedRoute:
        facts = replace(self.router, cache=_NotedCache(self.router.cache, reads)).observe()
        if not facts.reachable:
            reads.are_watched = False  # why it is not was asked for
        return facts


@dataclass(frozen=True)
class _NotedCache:
    """A cache of routes that notes what is read of it."""

    cache: Cache
    reads: Reads

    @property
    def problem(self) -> str:
        return self.cache.problem

    def get(self, namespace: str, name: str) -> Object | None:
        self.reads.add(Seen.now(partial(_whether_and_how, self.cache, namespace, name)))
        return self.cache.get(namespace, name)

    def under(self, prefix: str) -> list[Object]:
        self.reads.are_watched = False  # what may come is not told by what is there
        return self.cache.under(prefix)

    def token(self, namespace: str, name: str) -> object | None:
        return self.cache.token(namespace, name)

    def note(self, obj: Object) -> None:
        self.cache.note(obj)

    def forget(self, obj: Object) -> None:
        self.cache.forget(obj)


def _whether_and_how(cache: Cache, namespace: str, name: str) -> tuple[object | None]:
    """Return the token of a route; one that is not there is known not to be."""
    return (cache.token(namespace, name),)
