"""Where the status of a rollout is kept in a cluster: the Rollout resource itself.

Every write carries the resourceVersion it was decided on: what a deposed leader still sends is refused. Evidence is
held between writes. The finalizer stands only while traffic is not where it was found, so that an uninstalled
controller blocks nothing for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

import structlog

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.events import Events
from rollout.adapters.kubernetes.merge_patch import merge_patch
from rollout.adapters.kubernetes.resources import ROLLOUT, Object, name_of, namespace_of, version_of
from rollout.adapters.storage import history_configmap, roles_configmap
from rollout.adapters.storage.command_annotations import ABORT, COMMAND, commands_of
from rollout.adapters.storage.held_statuses import HeldStatus, HeldStatuses
from rollout.adapters.storage.rollout_resource import (
    generation_of,
    is_deleted,
    metadata_of,
    needs_finalizer,
)
from rollout.engine.facts import Command
from rollout.engine.planned import Plan
from rollout.engine.roles import roles_of
from rollout.engine.status_writes import conditions_must_be_written, must_be_written
from rollout.errors import ClusterUnavailable, LeaseLost
from rollout.model.api.rollout import RolloutSpec
from rollout.model.rollout import Rollout
from rollout.model.status.cluster_status import ClusterStatus, packed
from rollout.model.status.conditions import Condition
from rollout.model.status.decision import Decision
from rollout.model.status.finished_release import FinishedRelease
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Reason
from rollout.redaction import SECRETS

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

FINALIZER = "rollout.dev/traffic"

_WARNINGS = {
    Reason.WORSE, Reason.CANDIDATE_DOWN, Reason.TRAFFIC_NOT_SHIFTING, Reason.WEIGHT_DRIFT, Reason.SAMPLE_RATIO,
    Reason.SOURCE_ERROR, Reason.ENVIRONMENT, Reason.PREFLIGHT_FAILED, Reason.CHECK_FAILED, Reason.CHECK_LATE,
    Reason.SPEND, Reason.ROUTER_DOWN, Reason.RESPONSES_DIFFER, Reason.ROUTE_NOT_FOUND, Reason.ROUTE_REFUSED,
    Reason.ROUTE_NOT_ACCEPTED, Reason.BACKEND_NOT_FOUND, Reason.NOT_READY, Reason.STABLE_UNKNOWN,
    Reason.STABLE_DOWN, Reason.ROUTE_WRITE_DENIED,
}  # fmt: skip


class Noted(Protocol):
    """Takes in what a write has returned."""

    def __call__(self, obj: Object, *, wakes: bool = True) -> None: ...


class KubernetesStatusStore:
    """One Rollout resource as it was last seen: the `StatusStore` port of the engine, for one turn."""

    def __init__(
        self,
        api: Api,
        obj: Object,
        spec: RolloutSpec | None,
        *,
        statuses: HeldStatuses,
        events: Events,
        now: Callable[[], datetime],
        may_write: Callable[[], bool],
        note: Noted,
        controller: str = "",
        warned: set[str] | None = None,
    ) -> None:
        """Read the status of one Rollout. Raises InvalidInput where it cannot be read.

        Args:
            spec: to go by; None where there is none, and nothing but the conditions can be told.
            statuses: holds what is not written at once.

        Attributes:
            before: the conditions as they were when the turn began.
            note: hears every write, and whether it is a reason to look again.
            warned: what was logged already, and need not be at each turn.
        """
        self._api, self._obj, self._events = api, obj, events
        self._now, self._may_write, self._note = now, may_write, note
        self._spec, self._controller = spec, controller
        self._warned: set[str] = set() if warned is None else warned
        self._statuses = statuses
        held = statuses.of(obj)
        self._status, self.before = held.status, held.conditions
        self._seen: tuple[Status, tuple[Condition, ...], Mapping[str, str]] | None = None
        self._untold: list[Decision] = []
        self._finished: FinishedRelease | None = None

    def load(self) -> Rollout:
        assert self._spec is not None, "a spec that cannot be read is carried out by nobody"
        return Rollout(metadata_of(self._obj), self._spec, self._status)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions as they were read, or as they were decided last."""
        return self._statuses.of(self._obj).conditions

    def commands(self) -> tuple[Command, ...]:
        """Return what the annotations ask for; a deletion in mid-flight asks for all traffic to go back to stable."""
        given = commands_of(self._obj)
        if not is_deleted(self._obj):
            return given
        uid = self._obj["metadata"].get("uid", "")
        return (*given, Command(f"deleted-{uid}", "abort", "kubernetes", "the Rollout is deleted", self._now()))

    def save(self, plan: Plan) -> None:
        """Write the status over the version that was read, or hold it where it may wait.

        Raises StoreUnavailable; then nothing was written. What may wait is evidence: it is no intent of an effect.
        """
        if needs_finalizer(plan.status) and not is_deleted(self._obj):
            self._set_finalizer(wanted=True)
        self._write(plan.status, plan.conditions)
        self._untold = [decision for decision in plan.decisions if decision.kind != "sample"]
        self._finished = plan.finished

    def tell(self) -> None:
        """Write events and the journal: nothing that moves traffic waits for them."""
        untold, self._untold = self._untold, []
        finished, self._finished = self._finished, None
        for decision in untold:
            self._tell(decision)
        if untold or finished:
            try:
                history_configmap.write(self._api, self._obj, untold, finished)
            except ClusterUnavailable as error:
                _LOG.warning("the journal was not written; the status has the last decisions", why=str(error))

    def publish(self, status: Status, conditions: tuple[Condition, ...]) -> None:
        """Bring what others read up to date: conditions, finalizer, answered commands. Writes nothing in vain."""
        self._write(status, conditions, self._roles(status))
        self._drop_answered()
        if not needs_finalizer(self._status):
            self._set_finalizer(wanted=False)

    def flush(self) -> None:
        """Write what has waited."""
        held = self._statuses.of(self._obj)
        self._write(held.status, held.conditions, at_once=True)

    def _write(
        self,
        status: Status,
        conditions: tuple[Condition, ...],
        roles: Mapping[str, str] | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        """Write what has changed, or hold it; `roles`: those that were told, None as they stand."""
        roles = self._told_roles if roles is None else roles
        if self._seen is not None and not at_once and self._seen[0] is status and self._seen[1:] == (conditions, roles):
            return  # this turn has written it, or found that it may wait
        held = self._statuses.of(self._obj)
        can_wait = not at_once and self._can_wait(held, status, conditions, roles)
        if can_wait and not self._is_due(held, status, conditions):
            self._statuses.hold(self._obj, status, conditions)
            self._status, self._seen = status, (status, conditions, roles)
            return
        shown = ClusterStatus.of(
            status, conditions, generation=generation_of(self._obj), controller=self._controller, roles=roles
        )
        patch = merge_patch(self._obj.get("status") or {}, SECRETS.redacted(packed(shown)))
        if patch:
            self._send({"status": patch}, sub="status", wakes=not can_wait)
        self._statuses.wrote(self._obj, status, conditions)
        self._status, self._seen = status, (status, conditions, roles)

    def _can_wait(
        self, held: HeldStatus, status: Status, conditions: tuple[Condition, ...], roles: Mapping[str, str]
    ) -> bool:
        """Whether nothing differs from what is written but evidence."""
        shown = self._obj.get("status") or {}
        return (
            shown.get("controller") == self._controller
            and shown.get("observedGeneration") == generation_of(self._obj)
            and roles == self._told_roles
            and not must_be_written(held.written, status)
            and not conditions_must_be_written(held.written_conditions, conditions)
        )

    def _is_due(self, held: HeldStatus, status: Status, conditions: tuple[Condition, ...]) -> bool:
        if not self._statuses.may_be_due(held):
            return False
        differs = status != held.written or conditions != held.written_conditions
        return differs and self._statuses.is_due(held)

    def _roles(self, status: Status) -> Mapping[str, str]:
        """Tell workers the roles of versions; return those that they were told. What could not be is told again."""
        roles, before = roles_of(status), self._told_roles
        if roles == before or is_deleted(self._obj):
            return before
        if not self._may_write():
            raise LeaseLost("this controller does not lead any more: it stops writing")
        try:
            roles_configmap.write(self._api, self._obj, roles)
        except ClusterUnavailable as error:
            if str(error) not in self._warned:
                self._warned.add(str(error))
                _LOG.warning("the roles of versions were not written; workers go by the old ones", why=str(error))
            return before
        return roles

    @property
    def _told_roles(self) -> Mapping[str, str]:
        return (self._obj.get("status") or {}).get("roles") or {}

    def _send(self, patch: Object, sub: str = "", *, wakes: bool = True) -> None:
        if not self._may_write():
            raise LeaseLost("this controller does not lead any more: it stops writing")
        body = {"metadata": {"resourceVersion": version_of(self._obj)}}
        for key, value in patch.items():
            body[key] = {**body[key], **value} if key == "metadata" else value
        self._obj = self._api.merge(ROLLOUT, namespace_of(self._obj), name_of(self._obj), body, sub=sub)
        self._note(self._obj, wakes=wakes)

    def _set_finalizer(self, *, wanted: bool) -> None:
        present = self._obj["metadata"].get("finalizers") or []
        if (FINALIZER in present) == wanted:
            return
        kept = [finalizer for finalizer in present if finalizer != FINALIZER]
        self._send({"metadata": {"finalizers": [*kept, FINALIZER] if wanted else kept or None}})

    def _drop_answered(self) -> None:
        """Take out annotations that were answered, so that the next command finds its place free."""
        annotations = self._obj["metadata"].get("annotations") or {}
        answered = {command.id for command in commands_of(self._obj)} & set(self._status.handled)
        done = {
            key: None
            for key, command in _by_annotation(self._obj).items()
            if key in annotations and command.id in answered
        }
        if done and not is_deleted(self._obj):
            self._send({"metadata": {"annotations": done}})

    def _tell(self, decision: Decision) -> None:
        kind = "Warning" if decision.reason in _WARNINGS or decision.phase is Phase.ROLLING_BACK else "Normal"
        action = {"command": "Command", "traffic": "Shift", "check": "Check"}.get(decision.kind, str(decision.phase))
        self._events.tell(self._obj, kind, decision.reason, action, decision.message)


class DryRunStatusStore(KubernetesStatusStore):
    """A status that is read and never written."""

    def save(self, plan: Plan) -> None:
        """Keep nothing: the plan is logged by whoever made it."""

    def tell(self) -> None:
        """Tell nobody."""

    def publish(self, status: Status, conditions: tuple[Condition, ...]) -> None:
        """Tell nobody."""


def _by_annotation(obj: Object) -> dict[str, Command]:
    return {ABORT if command.verb == "abort" else COMMAND: command for command in commands_of(obj)}
