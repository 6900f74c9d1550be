"""One look at one Rollout resource: read it, find its policy, carry it out, say what is wrong with it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from rollout.cluster.events import Events
from rollout.cluster.kinds import Object, key_of, namespace_of
from rollout.daemon.cluster_machine import Shared, faults_of, reconciler
from rollout.daemon.watched import Watched
from rollout.engine.conditions import Trouble
from rollout.engine.draft import read_pinned
from rollout.engine.plan import Plan
from rollout.engine.wanting import starts_by_itself
from rollout.errors import Fault, Forbidden, InvalidInput
from rollout.model.documents import policy_spec
from rollout.model.policy import PolicySpec
from rollout.model.resource import RolloutSpec
from rollout.model.rollout import Rollout
from rollout.model.status import Reason, Status
from rollout.records.annotations import unreadable
from rollout.records.clustered import ClusterRecords, is_deleted, spec_of, status_of

ACTIVE_MAX_S = 2.0
"""While something is under way it is looked at this often at least: deadlines, and what no watch tells."""

WAITING_S = 15.0
FAULTS_TOLD_MAX = 8


@dataclass(frozen=True, slots=True)
class Seen:
    """How a look ended. again_s: when to come again; None: when something changes, or at the resync."""

    status: Status | None
    again_s: float | None
    verdicts: tuple[str, ...] = ()


class Reconciliation:
    """Carries out what a Rollout resource says. It remembers nothing but the last spec that could be read."""

    def __init__(self, shared: Shared, watched: Watched, events: Events) -> None:
        self._shared, self._watched, self._events = shared, watched, events
        self._last: dict[str, RolloutSpec] = {}

    def look(self, found: Object) -> Seen:
        """Take one look. Raises ClusterUnavailable and its children; nothing is half done then."""
        try:
            spec: RolloutSpec | None = spec_of(found)
            trouble: Trouble | None = None
        except InvalidInput as error:
            spec, trouble = None, Trouble(Reason.INVALID_SPEC, told(error.faults))
        try:
            status = status_of(found)
        except InvalidInput as error:
            return self._only_tell(found, Trouble(Reason.INVALID_SPEC, told(error.faults)), readable=False)
        if spec is None and status.is_active:
            spec = self._last.get(key_of(found))  # what is under way goes on as it was understood
        if spec is None:
            return self._only_tell(found, trouble)
        if trouble is None:
            self._last[key_of(found)] = spec
        policy, wrong = self._policy(found, spec, status)
        trouble = trouble or wrong
        if policy is None:
            return self._only_tell(found, trouble)
        return self._carry_out(found, spec, policy, trouble)

    def _carry_out(self, found: Object, spec: RolloutSpec, policy: PolicySpec, trouble: Trouble | None) -> Seen:
        records = self._records(found, spec)
        rollout = records.load()
        if is_deleted(found) and not rollout.status.is_active:
            records.publish()
            return Seen(rollout.status, None)
        if trouble is not None and not rollout.status.is_active:
            records.publish(trouble)
            return Seen(rollout.status, WAITING_S)
        try:
            made = reconciler(self._shared, rollout, policy, records).look()
        except Forbidden as error:
            records.publish(Trouble(Reason.FORBIDDEN, f"{error}; the controller's role lacks it"))
            raise
        if trouble is None and (text := unreadable(found)):
            trouble = Trouble(Reason.INVALID_SPEC, text)
        records.publish(trouble)
        if self._shared.dry_run:
            return Seen(made.status, WAITING_S * 2)
        return Seen(made.status, again_s(made, rollout), tuple(_verdicts(made)))

    def _only_tell(self, found: Object, trouble: Trouble | None, *, readable: bool = True) -> Seen:
        if self._shared.dry_run:
            return Seen(None, WAITING_S)
        if readable:
            self._records(found, None).publish(trouble)
        elif trouble is not None:
            self._events.tell(found, "Warning", trouble.reason, "Reconcile", trouble.message)
        return Seen(None, None)

    def _records(self, found: Object, spec: RolloutSpec | None) -> ClusterRecords:
        kind = DryRecords if self._shared.dry_run else ClusterRecords
        return kind(
            self._shared.api,
            copy.deepcopy(found),
            spec,
            events=self._events,
            now=lambda: datetime.now(UTC),
            may_write=self._shared.may_write,
            note=self._watched.rollouts.note,
        )

    def _policy(self, found: Object, spec: RolloutSpec, status: Status) -> tuple[PolicySpec | None, Trouble | None]:
        """Return the declared policy, or why there is none; what is under way goes by the one it has pinned."""
        policy, trouble = self._declared(found, spec)
        if trouble is None:
            return policy, None
        pinned = read_pinned(status.policy.text) if status.policy and status.is_active else None
        return pinned, trouble

    def _declared(self, found: Object, spec: RolloutSpec) -> tuple[PolicySpec | None, Trouble | None]:
        policy, prefix = spec.policy, "spec.policy."
        if spec.policy_ref is not None:
            name, prefix = spec.policy_ref.name, f"RolloutPolicy {spec.policy_ref.name}: spec."
            raw = self._watched.policies.get(namespace_of(found), name)
            if raw is None:
                remedy = "create it, or correct spec.policyRef"
                return None, Trouble(Reason.POLICY_NOT_FOUND, f"there is no RolloutPolicy {name} here: {remedy}")
            policy, faults = policy_spec(copy.deepcopy(raw.get("spec")), lenient=True)
            if faults or policy is None:
                return None, Trouble(Reason.INVALID_SPEC, told(fault.within(prefix) for fault in faults))
        assert policy is not None, "exactly one of policy and policyRef is given"
        if faults := faults_of(policy):
            return None, Trouble(Reason.INVALID_SPEC, told(fault.within(prefix) for fault in faults))
        return policy, None


class DryRecords(ClusterRecords):
    """Records that are read and never written."""

    def save(self, status: Status, decisions: object) -> None:
        """Keep nothing: the plan is logged by whoever made it."""
        del status, decisions

    def publish(self, trouble: Trouble | None = None) -> None:
        """Tell nobody."""


def told(faults: Iterable[Fault]) -> str:
    """Return faults for a condition: the first few, and how many more there are."""
    every = [f"{fault.path}: {fault.message} -> {fault.remedy}" for fault in faults]
    more = f" (and {len(every) - FAULTS_TOLD_MAX} more: rollout lint)" if len(every) > FAULTS_TOLD_MAX else ""
    return "; ".join(every[:FAULTS_TOLD_MAX]) + more


def again_s(made: Plan, before: Rollout) -> float | None:
    """Return when to look again: a watch brings what changes, so only time itself must be waited for."""
    status = made.status
    if status.is_active:
        return min(ACTIVE_MAX_S, made.again_s) if made.effects or made.decisions else _until_next(made)
    if made.effects or status.phase is not before.status.phase or status.bases:
        return made.again_s
    wanted = before.spec.version
    if starts_by_itself(status, wanted) or status.stable_version is None:
        return WAITING_S
    return None


def _until_next(made: Plan) -> float:
    """Return the time to the next look at the metrics, or a little less."""
    return made.again_s if made.again_s < 1.0 else ACTIVE_MAX_S


def _verdicts(made: Plan) -> Iterable[str]:
    for decision in made.decisions:
        if decision.kind == "look":
            yield from (figures.verdict for figures in decision.kpis.values())
