"""One turn for one Rollout resource: read it, find its policy, carry it out, say what is wrong with it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import structlog

from rollout.adapters.kubernetes.events import Events
from rollout.adapters.kubernetes.resources import ROLLOUT, Object, key_of, name_of, namespace_of, version_of
from rollout.adapters.routers.route_pins import OwningRollout
from rollout.adapters.storage.held_statuses import HeldStatuses, WriteTimings
from rollout.adapters.storage.kubernetes_status import DryRunStatusStore, KubernetesStatusStore
from rollout.adapters.storage.rollout_resource import (
    claim_of,
    generation_of,
    is_deleted,
    needs_finalizer,
    visible_status,
    wanted_of,
)
from rollout.controller.declared import Declared
from rollout.controller.effective_spec import EffectiveSpecs, summary_of
from rollout.controller.informers import Informers
from rollout.controller.route_conflicts import route_conflict
from rollout.controller.shards import are_siblings
from rollout.controller.troubles import is_told_elsewhere, misread, refusal_of
from rollout.controller.wiring import Shared, reconciler
from rollout.engine.commands.dispatch import refused
from rollout.engine.conditions import conditions_of
from rollout.engine.facts import ResourceFacts, Trouble
from rollout.engine.planned import Plan
from rollout.engine.rollback.lost import without_evidence
from rollout.engine.transitions import OBSERVED
from rollout.errors import (
    ClusterUnavailable,
    Forbidden,
    InvalidInput,
    LeaseLost,
    Rejected,
    Unavailable,
)
from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import RolloutSpec
from rollout.model.rollout import Rollout
from rollout.model.status.cluster_status import packed
from rollout.model.status.conditions import Condition, ConditionType
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Reason
from rollout.runtime.clock import CLOCK
from rollout.runtime.reconciler import ReconcileResult

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

WAITING_S = 15.0
"""How soon to come again where something is wrong that no watch tells of."""

HANDED_OVER_S = 2.0
"""How soon to come again to a Rollout that another shard is about to let go of."""

DRY_RUN_S = 30.0


@dataclass(frozen=True, slots=True)
class ResourceResult:
    """How a turn ended.

    Attributes:
        requeue_after_s: when to come again; None: when something changes, or at the resync.
        failures: what could not be asked or done: it is tried again, later and later.
        verdicts: of the samples taken.
    """

    status: Status | None
    requeue_after_s: float | None
    failures: tuple[Unavailable, ...] = ()
    verdicts: tuple[str, ...] = ()


class RolloutReconciler:
    """Carries out what a Rollout resource says.

    It remembers what failed last, what it warned of, and evidence that is not written yet. All of it may be lost.
    """

    def __init__(
        self,
        shared: Shared,
        informers: Informers,
        events: Events,
        timings: WriteTimings = WriteTimings(),  # noqa: B008  frozen
    ) -> None:
        self._shared, self._informers, self._events = shared, informers, events
        self._statuses = HeldStatuses(timings)
        self._declared, self._effective = Declared(informers, shared.egress), EffectiveSpecs()
        self._warned: dict[str, set[str]] = {}
        self._failed: dict[str, Trouble] = {}

    def forget(self, key: str) -> None:
        """Forget a Rollout that is gone."""
        self._warned.pop(key, None)
        self._failed.pop(key, None)
        self._rest(key)

    def flush(self, deadline_s: float, keys: Iterable[str]) -> None:
        """Write the evidence of Rollouts that has waited, until a deadline (monotonic): whoever goes on has it then."""
        for key in set(keys).intersection(self._statuses.unwritten()):
            obj = self._informers.rollouts.get(*key.split("/", 1))
            if obj is None or time.monotonic() > deadline_s or not self._shared.may_write(key):
                continue
            try:
                self._status_store(obj, None).flush()
            except (ClusterUnavailable, InvalidInput, LeaseLost) as error:
                _LOG.info("evidence was not written; whoever goes on counts it anew", rollout=key, why=str(error))

    def reconcile(self, obj: Object) -> ResourceResult:
        """Take one turn. Raises ClusterUnavailable and its children; nothing is half done then."""
        result = self._reconcile(obj)
        if result.status is None or not result.status.is_active:
            self._rest(key_of(obj))
        return result

    def _rest(self, key: str) -> None:
        """Keep nothing that was worked out of a Rollout that is at rest: there are many, and their turns are rare."""
        self._statuses.forget(key)
        self._declared.forget(key)
        self._effective.forget(key)
        self._shared.answers.forget(key)

    def _reconcile(self, obj: Object) -> ResourceResult:
        own = self._shared.share.lease_of(key_of(obj))
        if other := self._shared.claims.held_by_another(claim_of(obj), own, version_of(obj)):
            return self._leave_to(obj, other)
        try:
            status = self._statuses.of(obj).status
        except InvalidInput as error:
            return self._mend(obj, error)
        spec, policy, trouble = self._declared.of(obj)
        if spec is not None:
            trouble = trouble or route_conflict(self._informers, obj, spec, status)
        spec, policy = self._effective.of(obj, spec, policy, status, trouble)
        barred, trouble = trouble is not None, trouble or misread(obj)
        if spec is None or policy is None:
            return self._refuse(obj, status, trouble)
        return self._carry_out(obj, spec, policy, trouble, barred=barred)

    def _refuse(self, obj: Object, status: Status, trouble: Trouble | None) -> ResourceResult:
        """Answer the commands that wait, where there is nothing to carry them out by."""
        status_store = self._status_store(obj, None)
        waiting = tuple(command for command in status_store.commands() if command.id not in status.handled)
        if waiting:
            why = trouble.message if trouble else "there is nothing to go by"
            status = refused(status, waiting, f"{why}. Fix that first", CLOCK.now())
        self._publish(status_store, obj, status, trouble)
        return ResourceResult(status, WAITING_S)

    def _mend(self, obj: Object, error: InvalidInput) -> ResourceResult:
        """Go on from a status that somebody has made unreadable: by what people see of it, if that can be read.

        What was known of a release is lost then, so it cannot be judged any more: all traffic goes back to stable.
        """
        why = summary_of(error.faults)
        if why not in self._warned.setdefault(key_of(obj), set()):
            self._warned[key_of(obj)].add(why)
            self._events.tell(obj, "Warning", Reason.INVALID_SPEC, "Reconcile", why)
        visible = visible_status(obj)
        if visible is None or self._shared.dry_run or not self._shared.may_write(key_of(obj)):
            return ResourceResult(None, WAITING_S)
        patch = {"metadata": {"resourceVersion": version_of(obj)}, "status": packed(without_evidence(visible))}
        answer = self._shared.api.merge(ROLLOUT, namespace_of(obj), name_of(obj), patch, sub="status")
        self._informers.rollouts.note(answer)
        return ResourceResult(None, 0.0)

    def _leave_to(self, obj: Object, other: str) -> ResourceResult:
        """Leave a Rollout to another controller, and say so once: two would undo each other's weights.

        While the number of shards changes it is another shard's for a moment, which is nobody's trouble.
        """
        if are_siblings(claim_of(obj), self._shared.share.lease_of(key_of(obj))):
            return ResourceResult(None, HANDED_OVER_S)
        remedy = "stop one of the two controllers, or narrow one down with --namespace"
        message = f"it is carried out by {other}: {remedy}"
        if message not in self._warned.setdefault(key_of(obj), set()):
            self._warned[key_of(obj)].add(message)
            self._events.tell(obj, "Warning", Reason.CLAIMED, "Reconcile", message)
            _LOG.warning("left alone", why=message)
        return ResourceResult(None, WAITING_S)

    def _carry_out(
        self, obj: Object, spec: RolloutSpec, policy: PolicySpec, trouble: Trouble | None, *, barred: bool
    ) -> ResourceResult:
        key, leaving = key_of(obj), is_deleted(obj)
        status_store = self._status_store(obj, spec)
        rollout = status_store.load()
        if leaving and not needs_finalizer(rollout.status):
            self._publish(status_store, obj, rollout.status, trouble)
            return ResourceResult(rollout.status, None)
        resource = ResourceFacts(
            is_watched=True,
            keeps_samples=False,
            generation=generation_of(obj),
            conditions=status_store.conditions,
            trouble=trouble or self._failed.get(key),
            leaving=leaving,
            barred=barred,
        )
        warned = self._warned.setdefault(key, set())
        owner = OwningRollout(name_of(obj), str(obj["metadata"].get("uid", "")))
        loop = reconciler(self._shared, rollout, policy, status_store, resource, warned, owner)
        try:
            result = loop.reconcile()
        except (Forbidden, Rejected) as error:
            self._note_refusal(obj, status_store, trouble, error)
            raise
        self._note_failures(key, result, rollout)
        after = trouble or self._failed.get(key)
        planned = result.plan.conditions if after == resource.trouble and spec.version == wanted_of(obj) else None
        self._publish(status_store, obj, result.plan.status, after, planned)
        requeue_after_s = DRY_RUN_S if self._shared.dry_run else self._next_turn_s(key, result.plan)
        failures = () if self._shared.dry_run else result.failures
        return ResourceResult(result.plan.status, requeue_after_s, failures, tuple(_verdicts(result.plan)))

    def _next_turn_s(self, key: str, plan: Plan) -> float | None:
        """Return when to come again: its next sample is taken at its time, and wakes it then."""
        status = plan.status
        if status.is_active and status.phase in OBSERVED and status.latest.next_sample_at is not None:
            sample_s = (status.latest.next_sample_at - CLOCK.now()).total_seconds()
            if sample_s > 0 and not self._shared.sampler.foresee(key, sample_s):
                return min(sample_s, plan.requeue_after_s or sample_s)
        return plan.requeue_after_s

    def _note_failures(self, key: str, result: ReconcileResult, rollout: Rollout) -> None:
        """Keep in mind what failed, until something succeeds."""
        failed = [failure for failure in result.failures if not is_told_elsewhere(failure)]
        moved = result.plan.effects or result.plan.status.phase is not rollout.status.phase
        if failed:
            self._failed[key] = refusal_of(failed[0])
        elif not result.failures and moved:
            self._failed.pop(key, None)
            self._warned.pop(key, None)

    def _note_refusal(
        self, obj: Object, status_store: KubernetesStatusStore, trouble: Trouble | None, error: Forbidden | Rejected
    ) -> None:
        """Tell that the API server refuses what we write of a Rollout, as far as it can be told."""
        key = key_of(obj)
        failed = self._failed[key] = refusal_of(error)
        warned = self._warned.setdefault(key, set())
        if str(error) not in warned:
            warned.add(str(error))
            self._events.tell(obj, "Warning", failed.reason, "Reconcile", str(error))
        with contextlib.suppress(Forbidden, Rejected):
            self._publish(status_store, obj, status_store.load().status, trouble or failed)

    def _publish(
        self,
        status_store: KubernetesStatusStore,
        obj: Object,
        status: Status,
        trouble: Trouble | None,
        planned: tuple[Condition, ...] | None = None,
    ) -> None:
        """Bring what others read up to date, and tell of a trouble when it begins; planned: known conditions."""
        before, generation = status_store.before, generation_of(obj)
        conditions = planned or conditions_of(
            status, wanted_of(obj), status_store.conditions, generation=generation, now=CLOCK.now(), trouble=trouble
        )
        status_store.publish(status, conditions)
        stalled = {
            condition.reason
            for condition in before
            if condition.type == ConditionType.STALLED and condition.status == "True"
        }
        if trouble is not None and trouble.reason not in stalled and not self._shared.dry_run:
            self._events.tell(obj, "Warning", trouble.reason, "Reconcile", trouble.message)

    def _status_store(self, obj: Object, spec: RolloutSpec | None) -> KubernetesStatusStore:
        kind = DryRunStatusStore if self._shared.dry_run else KubernetesStatusStore
        return kind(
            self._shared.api,
            obj,
            spec,
            statuses=self._statuses,
            events=self._events,
            now=CLOCK.now,
            may_write=partial(self._shared.may_write, key_of(obj)),
            note=self._informers.rollouts.note,
            controller=self._shared.share.lease_of(key_of(obj)),
            warned=self._warned.setdefault(key_of(obj), set()),
        )


def _verdicts(plan: Plan) -> Iterable[str]:
    """Yield each KPI's verdict where a sample was taken."""
    if any(decision.kind == "sample" for decision in plan.decisions):
        yield from (state.verdict for state in plan.status.latest.evidence.values())
