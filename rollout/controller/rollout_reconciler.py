"""One look at one Rollout resource: read it, find its policy, carry it out, say what is wrong with it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from rollout.adapters.kubernetes.events import Events
from rollout.adapters.kubernetes.resources import ROLLOUT, Object, key_of, name_of, namespace_of, version_of
from rollout.adapters.routers.rule import RuleRefused
from rollout.adapters.storage.command_annotations import unreadable
from rollout.adapters.storage.kubernetes_status import (
    DryRunStatus,
    KubernetesStatus,
    claim_of,
    is_deleted,
    mended_status,
    status_of,
)
from rollout.controller.admission import declared_policy, in_force, readable, taken_rule, told
from rollout.controller.informers import Informers
from rollout.controller.wiring import Shared, reconciler
from rollout.engine.conditions import Trouble
from rollout.engine.eligibility import starts_by_itself
from rollout.engine.plan import IDLE_S, Plan
from rollout.errors import (
    Forbidden,
    InvalidInput,
    Rejected,
    RouteRaced,
    RouterUnavailable,
    RouteWriteDenied,
    Unavailable,
)
from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import RolloutSpec
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Reason
from rollout.runtime.clock import CLOCK

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

ACTIVE_MAX_S = 2.0
"""While something is under way it is looked at this often at least: deadlines, and what no watch tells."""

WAITING_S = 15.0
RETRY_S = (0.5, 30.0)
"""An effect that failed is tried again so soon, and so late at most."""


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """How a look ended. again_s: when to come again; None: when something changes, or at the resync."""

    status: Status | None
    again_s: float | None
    verdicts: tuple[str, ...] = ()


class RolloutReconciler:
    """Carries out what a Rollout resource says. It remembers nothing but what failed last, and what it warned of."""

    def __init__(self, shared: Shared, informers: Informers, events: Events) -> None:
        self._shared, self._informers, self._events = shared, informers, events
        self._warned: dict[str, set[str]] = {}
        self._failed: dict[str, Trouble] = {}
        self._tries: dict[str, int] = {}

    def forget(self, key: str) -> None:
        """Forget a Rollout that is gone."""
        self._warned.pop(key, None)
        self._failed.pop(key, None)
        self._tries.pop(key, None)

    def reconcile(self, found: Object) -> ReconcileResult:
        """Take one look. Raises ClusterUnavailable and its children; nothing is half done then."""
        if other := self._shared.claims.held_by_another(claim_of(found), version_of(found)):
            return self._leave_to(found, other)
        try:
            status = status_of(found)
        except InvalidInput as error:
            return self._mend(found, error)
        spec, trouble = readable(found)
        policy: PolicySpec | None = None
        if spec is not None:
            policy, wrong = declared_policy(self._informers, found, spec)
            trouble = trouble or wrong or taken_rule(self._informers, found, spec, status)
        spec, policy = in_force(found, spec, policy, status, trouble)
        barred, trouble = trouble is not None, trouble or _misread(found)
        if spec is None or policy is None:
            records = self._records(found, None, trouble)
            records.refuse(trouble.message if trouble else "there is nothing to go by")
            records.publish(trouble)
            return ReconcileResult(status, WAITING_S)
        return self._carry_out(found, spec, policy, trouble, barred=barred)

    def _mend(self, found: Object, error: InvalidInput) -> ReconcileResult:
        """Go on from a status that somebody has made unreadable: by what people see of it, if that can be read.

        What was known of a release is lost then, so it cannot be judged any more: all traffic goes back to stable.
        """
        why = told(error.faults)
        if why not in self._warned.setdefault(key_of(found), set()):
            self._warned[key_of(found)].add(why)
            self._events.tell(found, "Warning", Reason.INVALID_SPEC, "Reconcile", why)
        mended = mended_status(found)
        if mended is None or self._shared.dry_run:
            return ReconcileResult(None, WAITING_S)
        patch = {"metadata": {"resourceVersion": version_of(found)}, "status": mended}
        if self._shared.may_write():
            written = self._shared.api.merge(ROLLOUT, namespace_of(found), name_of(found), patch, sub="status")
            self._informers.rollouts.note(written)
        return ReconcileResult(None, 0.0)

    def _leave_to(self, found: Object, other: str) -> ReconcileResult:
        """Leave a Rollout to another controller, and say so once: two would undo each other's weights."""
        remedy = "stop one of the two controllers, or narrow one down with --namespace"
        told = f"it is carried out by {other}: {remedy}"
        if told not in self._warned.setdefault(key_of(found), set()):
            self._warned[key_of(found)].add(told)
            self._events.tell(found, "Warning", Reason.CLAIMED, "Reconcile", told)
            _LOG.warning("left alone", why=told)
        return ReconcileResult(None, WAITING_S)

    def _carry_out(
        self, found: Object, spec: RolloutSpec, policy: PolicySpec, trouble: Trouble | None, *, barred: bool
    ) -> ReconcileResult:
        key, leaving = key_of(found), is_deleted(found)
        records = self._records(found, spec, trouble or self._failed.get(key))
        rollout = records.load()
        if leaving and not rollout.status.is_active:
            records.publish(trouble)
            return ReconcileResult(rollout.status, None)
        warned = self._warned.setdefault(key, set())
        loop = reconciler(self._shared, rollout, policy, records, leaving=leaving, barred=barred, warned=warned)
        try:
            made = loop.reconcile()
        except (Forbidden, Rejected) as error:
            self._failed[key] = _refused(error)
            if str(error) not in warned:
                warned.add(str(error))
                self._events.tell(found, "Warning", self._failed[key].reason, "Reconcile", str(error))
            with contextlib.suppress(Forbidden, Rejected):
                records.publish(trouble or self._failed[key])
            raise
        failed = [failure for failure in loop.failures if not _is_told_elsewhere(failure)]
        if failed:
            self._failed[key] = _refused(failed[0])
        elif not loop.failures and (made.effects or made.status.phase is not rollout.status.phase):
            self.forget(key)
        records.publish(trouble or self._failed.get(key))
        if self._shared.dry_run:
            return ReconcileResult(made.status, WAITING_S * 2)
        if loop.failures:
            tries = self._tries[key] = self._tries.get(key, 0) + 1
            return ReconcileResult(made.status, min(RETRY_S[1], RETRY_S[0] * 2.0 ** min(tries - 1, 10)))
        return ReconcileResult(made.status, again_s(made, rollout), tuple(_verdicts(made)))

    def _records(self, found: Object, spec: RolloutSpec | None, trouble: Trouble | None) -> KubernetesStatus:
        kind = DryRunStatus if self._shared.dry_run else KubernetesStatus
        return kind(
            self._shared.api,
            copy.deepcopy(found),
            spec,
            trouble=trouble,
            events=self._events,
            now=CLOCK.now,
            may_write=self._shared.may_write,
            note=self._informers.rollouts.note,
            controller=self._shared.claims.own,
        )


def _is_told_elsewhere(failure: Unavailable) -> bool:
    """Whether the status tells it (a write that was denied), or the next look mends it (somebody was faster)."""
    return isinstance(failure, (RouteRaced, RouteWriteDenied))


def _refused(error: Exception) -> Trouble:
    cause = error.__cause__
    if isinstance(error, Forbidden) or isinstance(cause, Forbidden):
        return Trouble(Reason.FORBIDDEN, f"{error}: see the controller's role (manifests/access)")
    if isinstance(cause, RuleRefused):
        return Trouble(cause.reason, str(error))
    return Trouble(Reason.ROUTER_DOWN if isinstance(error, RouterUnavailable) else Reason.WRITE_DENIED, str(error))


def _misread(found: Object) -> Trouble | None:
    text = unreadable(found)
    return Trouble(Reason.INVALID_SPEC, text) if text else None


def again_s(made: Plan, before: Rollout) -> float | None:
    """Return when to look again: a watch brings what changes, so only time itself must be waited for."""
    status = made.status
    if status.is_active:
        soon = made.effects or made.decisions or made.again_s < IDLE_S
        return min(ACTIVE_MAX_S, made.again_s) if soon else ACTIVE_MAX_S
    if made.effects or status.phase is not before.status.phase or status.bases:
        return made.again_s
    wanted = before.spec.version
    if starts_by_itself(status, wanted) or status.stable_version is None:
        return WAITING_S
    return None


def _verdicts(made: Plan) -> Iterable[str]:
    for decision in made.decisions:
        if decision.kind == "sample":
            yield from (figures.verdict for figures in decision.kpis.values())
