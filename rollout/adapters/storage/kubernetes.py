"""The rollouts of a cluster, for people: read from the resources, asked by annotations. No command writes status."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import ROLLOUT, Kind, Object, name_of, version_of
from rollout.adapters.storage import history_configmap
from rollout.adapters.storage.base import Row
from rollout.adapters.storage.command_annotations import ABORT, annotation_of, commands_of
from rollout.adapters.storage.rollout_resource import conditions_in, metadata_of, spec_of, status_of
from rollout.engine.facts import Command, DrainOrder, Verb
from rollout.errors import Busy, ClusterUnavailable, Conflict, InvalidInput, NotFound, NotInstalled
from rollout.model.api.rollout import RolloutSpec
from rollout.model.rollout import Rollout
from rollout.model.status.decision import Decision
from rollout.model.status.finished_release import FinishedRelease
from rollout.model.status.status import Status

TRIES_MAX = 5
_SELF = Kind("SelfSubjectReview", "selfsubjectreviews", "authentication.k8s.io")


class KubernetesStore:
    """The rollouts of one namespace, or of all (None)."""

    poll_s = 2.0

    def __init__(self, api: Api, namespace: str | None) -> None:
        self._api, self._namespace = api, namespace

    def all(self) -> list[Row]:
        objects, _ = self._api.list_all(ROLLOUT, self._namespace)
        return [row_of(obj) for obj in objects]

    def get(self, name: str) -> Row | None:
        obj = self._object(name)
        return None if obj is None else row_of(obj)

    def _object(self, name: str) -> Object | None:
        try:
            return self._api.get(ROLLOUT, self._one_namespace(), name)
        except NotInstalled:
            raise
        except NotFound:
            return None

    def decisions(self, name: str, *, samples: bool, limit: int, of: FinishedRelease | None = None) -> list[Decision]:
        """Return what the journal has, or the status's last ones.

        Args:
            samples: they are in the controller's log only.
        """
        del samples
        obj = self._object(name)
        if obj is None:
            return []
        kept, _ = history_configmap.read(self._api, obj)
        known = {decision.at for decision in kept}
        ring = row_of(obj).rollout.status.decisions
        every = sorted([*kept, *(decision for decision in ring if decision.at not in known)], key=lambda item: item.at)
        if of is not None:
            every = [decision for decision in every if of.started_at <= decision.at <= of.ended_at]
        return every[-limit:]

    def decisions_after(self, name: str, last: int) -> list[tuple[int, Decision]]:
        row = self.get(name)
        ring = row.rollout.status.decisions if row else ()
        return [(number(decision), decision) for decision in ring if number(decision) > last]

    def last_decision(self, name: str) -> int:
        return max((numbered for numbered, _ in self.decisions_after(name, -1)), default=-1)

    def releases(self, name: str, limit: int) -> list[FinishedRelease]:
        obj = self._object(name)
        return [] if obj is None else history_configmap.read(self._api, obj)[1][-limit:]

    def append(
        self,
        name: str,
        verb: Verb,
        actor: str,
        reason: str,
        at: datetime,
        status: Status,
        drain: DrainOrder | None = None,
    ) -> str:
        """Write a command's annotation over the version that was read.

        Raises Busy while another command waits for its answer; an abort has a place of its own and never waits.
        """
        policy = status.latest.policy.digest if status.latest.policy and status.is_active else None
        lasts = verb in ("abort", "undo", "drain")
        phase, step = (None, None) if lasts else (str(status.phase), status.latest.step)
        version, then = (drain.version, drain.then) if drain else (status.stable_version, None)
        command = Command(uuid.uuid4().hex, verb, actor, reason, at, phase, step, version, policy, then)
        key, text = annotation_of(command)
        for _ in range(TRIES_MAX):
            obj = self._api.get(ROLLOUT, self._one_namespace(), name)
            if verb != "abort":
                _refuse_while_pending(obj)
            patch = {"metadata": {"resourceVersion": version_of(obj), "annotations": {key: text}}}
            try:
                self._api.merge(ROLLOUT, self._one_namespace(), name, patch)
            except Conflict:
                continue
            return command.id
        raise Busy(f"{name} changes faster than a command can be noted: try again")

    def declare(self, name: str, version: str) -> Row:
        """Want another version; return the rollout as it is declared then."""
        return row_of(self._api.merge(ROLLOUT, self._one_namespace(), name, {"spec": {"version": version}}))

    def is_held(self, name: str) -> bool:  # noqa: ARG002  the store's
        """Return True: only a controller in the cluster answers."""
        return True

    def who(self) -> str | None:
        """Return the name that the cluster knows us by, if it says so."""
        try:
            review = self._api.create(_SELF, "", {"apiVersion": _SELF.api_version, "kind": _SELF.kind})
        except ClusterUnavailable:
            return None
        return ((review.get("status") or {}).get("userInfo") or {}).get("username")

    def _one_namespace(self) -> str:
        assert self._namespace is not None, "verbs about one rollout name its namespace"
        return self._namespace


def row_of(obj: Object) -> Row:
    """Return a Rollout resource as listed; one that cannot be read says so in its `problem`."""
    problem = ""
    try:
        spec = spec_of(obj)
    except InvalidInput as error:
        problem = str(error)
        given = obj.get("spec")
        version = given.get("version") if isinstance(given, dict) else None
        construct: Any = RolloutSpec.model_construct  # only to be shown
        spec = construct(version=version if isinstance(version, str) else None)
    try:
        status = status_of(obj)
    except InvalidInput as error:
        problem, status = problem or str(error), Status()
    metadata: dict[str, Any] = obj["metadata"]
    seen = _observed_generation(obj) >= metadata.get("generation", 0)
    stalled = next((condition for condition in conditions_in(obj) if condition.type == "Stalled"), None)
    if not problem and stalled is not None and stalled.status == "True" and stalled.reason != status.reason:
        problem = f"{stalled.reason}: {stalled.message}"
    holder = "the cluster's controller" if seen else ""
    return Row(Rollout(metadata_of(obj), spec, status), holder, metadata.get("uid", ""), seen, problem)


def _observed_generation(obj: Object) -> int:
    """Return which generation of a Rollout its controller has seen; -1 where nobody can tell."""
    seen = (obj.get("status") or {}).get("observedGeneration")
    return seen if isinstance(seen, int) else -1


def _refuse_while_pending(obj: Object) -> None:
    handled = status_of(obj).handled
    pending = [command for command in commands_of(obj) if command.verb != "abort" and command.id not in handled]
    if pending:
        message = f"another command waits for its answer ({pending[0].verb}): is the controller running?"
        raise Busy(f"{name_of(obj)}: {message} The annotation {ABORT} works all the same")


def number(decision: Decision) -> int:
    """Return a decision's number: the time it was made, in microseconds."""
    return int(decision.at.timestamp() * 1_000_000)
