"""The rollouts of a cluster, with the rights of whoever looks: the API server decides on every request."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.storage.base import RolloutStore, Row
from rollout.adapters.storage.kubernetes import KubernetesStore
from rollout.dashboard.source import ANSWER_TIMEOUT_S
from rollout.engine.facts import Verb
from rollout.errors import Busy, NotFound
from rollout.model.status.decision import CommandOutcome


class ClusterSource:
    """A cluster as one user sees it.

    Args:
        namespace: the only one that is shown; None: all.
    """

    poll_s = 3.0

    def __init__(self, api: Api, namespace: str | None, label: str) -> None:
        self._api, self._namespace, self._label = api, namespace, label
        self._actor: str | None = None

    @property
    def label(self) -> str:
        return self._label

    @property
    def actor(self) -> str:
        if self._actor is None:
            self._actor = KubernetesStore(self._api, None).who() or "unknown"
        return self._actor

    def all(self, namespace: str | None = None) -> list[Row]:
        return KubernetesStore(self._api, self._namespace or namespace).all()

    def store(self, namespace: str) -> RolloutStore:
        if self._namespace not in (None, namespace):
            raise NotFound(f"the namespace {namespace} is not shown here: only {self._namespace} is")
        return KubernetesStore(self._api, namespace)

    def ask(self, row: Row, verb: Verb, reason: str) -> str:
        metadata, store = row.rollout.metadata, self.store(row.rollout.metadata.namespace)
        command = store.append(metadata.name, verb, self.actor, reason, datetime.now(UTC), row.rollout.status)
        for _ in range(int(ANSWER_TIMEOUT_S / store.poll_s)):
            answered = store.get(metadata.name)
            if answered is not None and command in answered.rollout.status.handled:
                return _outcome(answered, command, verb)
            time.sleep(store.poll_s)
        raise Busy(f"{verb} is noted for {metadata.name}, but the controller has not answered yet. Is it running?")


def _outcome(row: Row, command: str, verb: Verb) -> str:
    answers: tuple[CommandOutcome, ...] = row.rollout.status.answers
    outcome = next((answer for answer in answers if answer.id == command), None)
    if outcome is None:
        return f"{verb} was answered"
    if not outcome.accepted:
        raise Busy(f"{verb} was refused: {outcome.message}")
    return f"{verb}: {outcome.message}"
