"""The records of a rollout in a cluster: the Rollout resource itself.

Every write carries the resourceVersion it was decided on: what a deposed leader still sends is refused. The finalizer
stands only while traffic is not where it was found, so that an uninstalled controller blocks nothing for ever.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from pydantic import ValidationError

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.events import Events
from rollout.adapters.kubernetes.merge_patch import merge_patch
from rollout.adapters.kubernetes.resources import ROLLOUT, Object, name_of, namespace_of, version_of
from rollout.adapters.storage import history_configmap
from rollout.adapters.storage.command_annotations import ABORT, COMMAND, commands_of
from rollout.engine.facts import Command
from rollout.engine.planned import Plan
from rollout.errors import ClusterUnavailable, Fault, InvalidInput, RecordsUnavailable
from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.documents import rollout_spec
from rollout.model.rollout import Rollout
from rollout.model.status.conditions import PENDING, ClusterStatus, Condition, packed, unpacked
from rollout.model.status.decision import Decision
from rollout.model.status.finished_release import FinishedRelease
from rollout.model.status.status import Status
from rollout.model.status.traffic import Traffic
from rollout.model.status.vocabulary import Phase, Reason

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

FINALIZER = "rollout.dev/traffic"

_WARNINGS = {
    Reason.WORSE, Reason.CANDIDATE_DOWN, Reason.TRAFFIC_NOT_SHIFTING, Reason.WEIGHT_DRIFT, Reason.SAMPLE_RATIO,
    Reason.SOURCE_ERROR, Reason.ENVIRONMENT, Reason.PREFLIGHT_FAILED, Reason.CHECK_FAILED, Reason.CHECK_LATE,
    Reason.SPEND, Reason.ROUTER_DOWN, Reason.RESPONSES_DIFFER, Reason.ROUTE_NOT_FOUND, Reason.ROUTE_REFUSED,
    Reason.ROUTE_NOT_ACCEPTED, Reason.BACKEND_NOT_FOUND, Reason.NOT_READY, Reason.STABLE_UNKNOWN,
    Reason.STABLE_DOWN, Reason.ROUTE_WRITE_DENIED,
}  # fmt: skip


def status_of(obj: Object) -> Status:
    """Return an object's status. Raises InvalidInput where somebody has made it unreadable."""
    try:
        return Status.model_validate(unpacked(obj.get("status") or {}))
    except (ValueError, RecursionError) as error:  # pydantic's are ValueErrors too
        loc = error.errors()[0]["loc"] if isinstance(error, ValidationError) else ("internal",)
        where = ".".join(map(str, loc))
        remedy = "restore it; the controller goes on by the rest of the status, and sends all traffic back to stable"
        raise InvalidInput([Fault(f"status.{where}", "cannot be read", remedy)]) from error


def mended_status(obj: Object) -> dict[str, Any] | None:
    """Return a status to go on from, where what only the controller goes by cannot be read; None if nothing can."""
    shown = {key: value for key, value in (obj.get("status") or {}).items() if key != "internal"}
    if shown.get("phase") == PENDING:
        shown["phase"] = Phase.STABLE
    if not shown.get("candidateVersion"):
        shown["candidateVersion"] = wanted_of(obj)
    try:
        status = Status.model_validate(shown)
    except ValidationError:
        return None
    if status.is_active and status.stable_version is not None:
        message = "what was known of this release cannot be read any more, so it cannot be judged"
        back = Traffic(wanted_bp=0, asked_at=status.phase_since, off_since=status.phase_since)
        changes = {"phase": Phase.ROLLING_BACK, "reason": Reason.FAULT, "message": message}
        release = status.latest.model_copy(update={"traffic": back})
        status = status.model_copy(update={**changes, "release": release})
    return packed(status.model_dump(mode="json", by_alias=True, exclude_none=True))


def spec_of(obj: Object) -> RolloutSpec:
    """Return an object's spec; fields that this release does not know are passed over. Raises InvalidInput."""
    spec, faults = rollout_spec(copy.deepcopy(obj.get("spec")), lenient=True)
    if spec is not None and spec.is_local:
        remedy = "use backends.service, or carry it out on a machine with `rollout start -f`"
        faults.append(Fault("spec.backends.endpoints", "are for rollouts on one machine", remedy))
    if faults or spec is None:
        raise InvalidInput(faults)
    return spec


def metadata_of(obj: Object) -> Metadata:
    return Metadata.model_construct(name=name_of(obj), namespace=namespace_of(obj))


class KubernetesStatus:
    """One Rollout resource as it was last seen: the `Records` port of the engine, for one turn."""

    def __init__(
        self,
        api: Api,
        obj: Object,
        spec: RolloutSpec | None,
        *,
        events: Events,
        now: Callable[[], datetime],
        may_write: Callable[[], bool],
        note: Callable[[Object], None],
        controller: str = "",
    ) -> None:
        """spec: to go by; None where there is none, and nothing but the conditions can be told. note: hears every
        write.
        """
        self._api, self._obj, self._events = api, obj, events
        self._now, self._may_write, self._note = now, may_write, note
        self._spec, self._controller = spec, controller
        self._status = status_of(obj)
        self._untold: list[Decision] = []
        self._finished: FinishedRelease | None = None

    def load(self) -> Rollout:
        assert self._spec is not None, "a spec that cannot be read is carried out by nobody"
        return Rollout(metadata_of(self._obj), self._spec, self._status)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions as they were read, or as they were written last."""
        return conditions_in(self._obj)

    def commands(self) -> tuple[Command, ...]:
        """Return what the annotations ask for; a deletion in mid-flight asks for all traffic to go back to stable."""
        given = commands_of(self._obj)
        if not is_deleted(self._obj):
            return given
        uid = self._obj["metadata"].get("uid", "")
        return (*given, Command(f"deleted-{uid}", "abort", "kubernetes", "the Rollout is deleted", self._now()))

    def save(self, plan: Plan) -> None:
        """Write the status over the version that was read. Raises RecordsUnavailable; then nothing was written."""
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
        self._write(status, conditions)
        self._drop_answered()
        if not needs_finalizer(self._status):
            self._set_finalizer(wanted=False)

    def _write(self, status: Status, conditions: tuple[Condition, ...]) -> None:
        shown = ClusterStatus.of(status, conditions, generation=generation_of(self._obj), controller=self._controller)
        patch = merge_patch(self._obj.get("status") or {}, _as_json(shown))
        if patch:
            self._send({"status": patch}, sub="status")
        self._status = status

    def _send(self, patch: Object, sub: str = "") -> None:
        if not self._may_write():
            raise RecordsUnavailable("this controller does not lead any more: it stops writing")
        body = {"metadata": {"resourceVersion": version_of(self._obj)}}
        for key, value in patch.items():
            body[key] = {**body[key], **value} if key == "metadata" else value
        self._obj = self._api.merge(ROLLOUT, namespace_of(self._obj), name_of(self._obj), body, sub=sub)
        self._note(self._obj)

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


class DryRunStatus(KubernetesStatus):
    """Records that are read and never written."""

    def save(self, plan: Plan) -> None:
        """Keep nothing: the plan is logged by whoever made it."""

    def tell(self) -> None:
        """Tell nobody."""

    def publish(self, status: Status, conditions: tuple[Condition, ...]) -> None:
        """Tell nobody."""


def _by_annotation(obj: Object) -> dict[str, Command]:
    return {ABORT if command.verb == "abort" else COMMAND: command for command in commands_of(obj)}


def needs_finalizer(status: Status) -> bool:
    """Whether traffic may be elsewhere than it was found, or a route has a backend that was added to it."""
    return status.is_active and (status.latest.traffic.asked_at is not None or any(status.added.values()))


def wanted_of(obj: Object) -> str | None:
    """Return the version that is declared, whatever else is wrong with the spec."""
    spec = obj.get("spec")
    version = spec.get("version") if isinstance(spec, dict) else None
    return version if isinstance(version, str) else None


def is_urgent(obj: Object) -> bool:
    """Whether all traffic is to go back to stable: by an abort, a deletion, or a rollback that is under way."""
    status = obj.get("status")
    phase = status.get("phase") if isinstance(status, dict) else None
    if phase in (Phase.ROLLING_BACK, Phase.SUPERSEDING):
        return True
    under_way = phase not in (None, Phase.STABLE, Phase.ROLLED_BACK)
    return ABORT in (obj["metadata"].get("annotations") or {}) or (under_way and is_deleted(obj))


def claim_of(obj: Object) -> str:
    """Return the lease of the controller that carries a Rollout out, if one does."""
    status = obj.get("status")
    claim = status.get("controller") if isinstance(status, dict) else None
    return claim if isinstance(claim, str) else ""


def generation_of(obj: Object) -> int:
    """Return which edition of its spec an object has."""
    return int(obj["metadata"].get("generation", 0))


def conditions_in(obj: Object) -> tuple[Condition, ...]:
    """Return an object's conditions as they stand; none where somebody has made them unreadable."""
    try:
        return ClusterStatus.model_validate({"conditions": (obj.get("status") or {}).get("conditions", ())}).conditions
    except ValidationError:
        return ()


def is_deleted(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def _as_json(status: ClusterStatus) -> dict[str, Any]:
    return packed(status.model_dump(mode="json", by_alias=True, exclude_none=True))
