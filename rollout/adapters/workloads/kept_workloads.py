"""Services of versions that are not looked into anew while nothing has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from rollout.adapters.kubernetes.kept_answers import KeptAnswers, Reads, Seen
from rollout.adapters.kubernetes.read_once import ReadOnce
from rollout.adapters.workloads.identity_reader import IdentityReader
from rollout.adapters.workloads.roles import RoleReader
from rollout.adapters.workloads.services import NO_PORTS, ServiceWorkloads
from rollout.model.api.naming import Naming

Answer = TypeVar("Answer")

Known = tuple[Mapping[str, str], Mapping[str, int], Mapping[str, frozenset[str]]]
"""By version: what is wrong; how many endpoints take requests; the pods behind these."""


class KeptWorkloads(ServiceWorkloads):
    """Services and Deployments of one rollout, in a controller that watches them.

    What runs behind roles is another thing at each turn: nothing is kept of it.
    """

    def __init__(
        self,
        api: ReadOnce,
        naming: Naming,
        route_kinds: tuple[str, ...],
        may_write: Callable[[], bool],
        roles: RoleReader | None,
        reader: IdentityReader,
        *,
        answers: KeptAnswers,
        rollout: str,
    ) -> None:
        """Args: rollout: its key."""
        identity = partial(reader.read, rollout)
        super().__init__(api, naming, route_kinds, may_write, roles, identity, api.forget, api.mentioning)
        self._once, self._answers, self._rollout, self._reader = api, answers, rollout, reader
        self._asked_with = naming, route_kinds

    def ready(self, versions: tuple[str, ...], ports: Mapping[str, tuple[int, ...]] = NO_PORTS) -> Mapping[str, str]:
        known = self._kept("ready", (versions, ports), lambda: self._known(versions, ports))
        problems, self._readiness.ready, self._readiness.pods = known
        return problems

    def asleep(self, versions: tuple[str, ...]) -> frozenset[str]:
        return self._kept("asleep", versions, lambda: super(KeptWorkloads, self).asleep(versions))

    def identities(self, versions: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:
        def noted(reads: Reads) -> Mapping[str, Mapping[str, str]]:
            with self._once.noting(reads):
                known = super(KeptWorkloads, self).identities(versions)
            # None once it is old, also if it has become so just now: what is old is not kept.
            is_fresh = partial(self._reader.is_fresh, self._rollout, tuple(self._deployments_of(versions)))
            reads.add(Seen.now(lambda: is_fresh() or None))  # without this turn's objects: it is kept
            return known

        return self._answers.of(self._rollout, "identities", (*self._asked_with, versions), noted)

    def _deployments_of(self, versions: tuple[str, ...]) -> Iterator[str]:
        for version in versions:
            if name := self._naming.deployment(version):
                yield f"{self._naming.services_in}/{name}"

    def _known(self, versions: tuple[str, ...], ports: Mapping[str, tuple[int, ...]]) -> Known:
        problems = super().ready(versions, ports)
        return problems, self._readiness.ready, self._readiness.pods

    def _kept(self, question: str, asked_with: object, make: Callable[[], Answer]) -> Answer:
        if self._roles is not None:
            return make()

        def noted(reads: Reads) -> Answer:
            with self._once.noting(reads):
                return make()

        return self._answers.of(self._rollout, question, (*self._asked_with, asked_with), noted)
