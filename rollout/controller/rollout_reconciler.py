"""One look at one Rollout resource: read it, find its policy, carry it out, say what is wrong with it."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import structlog

from rollout.adapters.kubernetes.events import Events
from rollout.adapters.kubernetes.resources import ROLLOUT, Object, key_of, name_of, namespace_of, version_of
from rollout.adapters.metrics.queries import unreadable_split
from rollout.adapters.routers.kubernetes import flavour_of
from rollout.adapters.routers.rule import Refused
from rollout.adapters.storage.command_annotations import unreadable
from rollout.adapters.storage.kubernetes_status import (
    DryRunStatus,
    KubernetesStatus,
    claim_of,
    is_deleted,
    mended_status,
    spec_of,
    status_of,
    wanted_of,
)
from rollout.controller.informers import Informers
from rollout.controller.wiring import Shared, faults_of, reconciler
from rollout.engine.conditions import Trouble
from rollout.engine.context import read_pinned
from rollout.engine.eligibility import starts_by_itself
from rollout.engine.plan import IDLE_S, Plan
from rollout.errors import (
    Fault,
    Forbidden,
    InvalidInput,
    Rejected,
    RouteRaced,
    RouterUnavailable,
    RouteWriteDenied,
    Unavailable,
)
from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import WIRING, RolloutSpec
from rollout.model.api.routes import Route
from rollout.model.documents import policy_spec
from rollout.model.parsing import prune
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Reason
from rollout.runtime.clock import CLOCK

ACTIVE_MAX_S = 2.0
"""While something is under way it is looked at this often at least: deadlines, and what no watch tells."""

WAITING_S = 15.0
RETRY_S = (0.5, 30.0)
"""An effect that failed is tried again so soon, and so late at most."""

FAULTS_TOLD_MAX = 8


@dataclass(frozen=True, slots=True)
class Seen:
    """How a look ended. again_s: when to come again; None: when something changes, or at the resync."""

    status: Status | None
    again_s: float | None
    verdicts: tuple[str, ...] = ()


class RolloutReconciler:
    """Carries out what a Rollout resource says. It remembers nothing but what failed last, and what it warned of."""

    def __init__(self, shared: Shared, watched: Informers, events: Events) -> None:
        self._shared, self._watched, self._events = shared, watched, events
        self._warned: dict[str, set[str]] = {}
        self._failed: dict[str, Trouble] = {}
        self._tries: dict[str, int] = {}

    def forget(self, key: str) -> None:
        """Forget a Rollout that is gone."""
        self._warned.pop(key, None)
        self._failed.pop(key, None)
        self._tries.pop(key, None)

    def reconcile(self, found: Object) -> Seen:
        """Take one look. Raises ClusterUnavailable and its children; nothing is half done then."""
        if other := self._shared.claims.held_by_another(claim_of(found), version_of(found)):
            return self._leave_to(found, other)
        try:
            status = status_of(found)
        except InvalidInput as error:
            return self._mend(found, error)
        spec, trouble = _readable(found)
        policy: PolicySpec | None = None
        if spec is not None:
            policy, wrong = self._declared(found, spec)
            trouble = trouble or wrong or self._claimed(found, spec, status)
        spec, policy = _in_force(found, spec, policy, status, trouble)
        barred, trouble = trouble is not None, trouble or _misread(found)
        if spec is None or policy is None:
            records = self._records(found, None, trouble)
            records.refuse(trouble.message if trouble else "there is nothing to go by")
            records.publish(trouble)
            return Seen(status, WAITING_S)
        return self._carry_out(found, spec, policy, trouble, barred=barred)

    def _mend(self, found: Object, error: InvalidInput) -> Seen:
        """Go on from a status that somebody has made unreadable: by what people see of it, if that can be read.

        What was known of a release is lost then, so it cannot be judged any more: all traffic goes back to stable.
        """
        why = told(error.faults)
        if why not in self._warned.setdefault(key_of(found), set()):
            self._warned[key_of(found)].add(why)
            self._events.tell(found, "Warning", Reason.INVALID_SPEC, "Reconcile", why)
        mended = mended_status(found)
        if mended is None or self._shared.dry_run:
            return Seen(None, WAITING_S)
        patch = {"metadata": {"resourceVersion": version_of(found)}, "status": mended}
        if self._shared.may_write():
            written = self._shared.api.merge(ROLLOUT, namespace_of(found), name_of(found), patch, sub="status")
            self._watched.rollouts.note(written)
        return Seen(None, 0.0)

    def _leave_to(self, found: Object, other: str) -> Seen:
        """Leave a Rollout to another controller, and say so once: two would undo each other's weights."""
        remedy = "stop one of the two controllers, or narrow one down with --namespace"
        told = f"it is carried out by {other}: {remedy}"
        if told not in self._warned.setdefault(key_of(found), set()):
            self._warned[key_of(found)].add(told)
            self._events.tell(found, "Warning", Reason.CLAIMED, "Reconcile", told)
            structlog.get_logger("rollout").warning("left alone", why=told)
        return Seen(None, WAITING_S)

    def _carry_out(
        self, found: Object, spec: RolloutSpec, policy: PolicySpec, trouble: Trouble | None, *, barred: bool
    ) -> Seen:
        key, leaving = key_of(found), is_deleted(found)
        records = self._records(found, spec, trouble or self._failed.get(key))
        rollout = records.load()
        if leaving and not rollout.status.is_active:
            records.publish(trouble)
            return Seen(rollout.status, None)
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
            return Seen(made.status, WAITING_S * 2)
        if loop.failures:
            tries = self._tries[key] = self._tries.get(key, 0) + 1
            return Seen(made.status, min(RETRY_S[1], RETRY_S[0] * 2.0 ** min(tries - 1, 10)))
        return Seen(made.status, again_s(made, rollout), tuple(_verdicts(made)))

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
            note=self._watched.rollouts.note,
            controller=self._shared.claims.own,
        )

    def _declared(self, found: Object, spec: RolloutSpec) -> tuple[PolicySpec | None, Trouble | None]:
        """Return the declared policy, or why there is none."""
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

    def _claimed(self, found: Object, spec: RolloutSpec, status: Status) -> Trouble | None:
        """Refuse a rule that another Rollout shifts: two would undo each other's weights.

        Who is shifting keeps it; else the older one has it.
        """
        if _is_shifting(status):
            return None
        for other in self._watched.sharing(found):
            has_it = _shifts(other) or _age(other) < _age(found)
            if has_it and any(_overlap(one, two) for one in _rules_of(other) for two in map(_rule, spec.routes)):
                remedy = "give each a rule of its own, or delete one"
                told = f"the Rollout {name_of(other)} shifts the same rule: {remedy}"
                return Trouble(Reason.ROUTE_REFUSED, told)
        return None


def _readable(found: Object) -> tuple[RolloutSpec | None, Trouble | None]:
    try:
        spec = spec_of(found)
    except InvalidInput as error:
        return None, Trouble(Reason.INVALID_SPEC, told(error.faults))
    requests = spec.metrics.prometheus.requests if spec.metrics.prometheus else None
    if faults := [fault.within("spec.") for fault in unreadable_split(requests)]:
        return None, Trouble(Reason.INVALID_SPEC, told(faults))
    return spec, None


def _in_force(
    found: Object, spec: RolloutSpec | None, policy: PolicySpec | None, status: Status, trouble: Trouble | None
) -> tuple[RolloutSpec | None, PolicySpec | None]:
    """Return the spec and the policy to go by.

    What is under way goes by what it began with: its wiring and its policy are pinned, whatever is edited, broken or
    deleted meanwhile. At rest, with something wrong, nothing starts; but commands are answered by the last policy.
    """
    pinned = read_pinned(status.policy.text) if status.policy else None
    if status.is_active and status.wiring is not None:
        if spec is None:
            return read_wiring(status.wiring, _still_wanted(found, status)), pinned
        if status.phase is not Phase.PREFLIGHT:  # until then nothing has been touched, and mending is what is asked for
            with contextlib.suppress(InvalidInput):  # then what is declared is all there is
                wiring = read_wiring(status.wiring, None)
                spec = spec.model_copy(update={name: getattr(wiring, name) for name in WIRING})
        return spec, policy or pinned
    return spec, policy or (pinned if trouble is not None else None)


def _still_wanted(found: Object, status: Status) -> str | None:
    """Return the version that a broken spec is taken to want: nobody has changed their mind that we could read."""
    wanted, known = wanted_of(found), (status.declined_version, status.candidate_version)
    return wanted if wanted in known else status.declined_version or status.candidate_version


@lru_cache(maxsize=256)
def read_wiring(text: str, version: str | None) -> RolloutSpec:
    """Return the spec of a rollout under way from what its status has pinned, maybe by a newer release of this tool.

    Raises InvalidInput where somebody has made it unreadable.
    """
    try:
        raw = {**json.loads(text), "version": version, "policyRef": {"name": "pinned"}}
        return RolloutSpec.model_validate(prune(RolloutSpec, raw))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidInput(
            [Fault("status.internal", "has a wiring that cannot be read", "abort, or restore it")]
        ) from error


def _is_told_elsewhere(failure: Unavailable) -> bool:
    """Whether the status tells it (a write that was denied), or the next look mends it (somebody was faster)."""
    return isinstance(failure, (RouteRaced, RouteWriteDenied))


def _refused(error: Exception) -> Trouble:
    cause = error.__cause__
    if isinstance(error, Forbidden) or isinstance(cause, Forbidden):
        return Trouble(Reason.FORBIDDEN, f"{error}: see the controller's role (manifests/access)")
    if isinstance(cause, Refused):
        return Trouble(cause.reason, str(error))
    return Trouble(Reason.ROUTER_DOWN if isinstance(error, RouterUnavailable) else Reason.WRITE_DENIED, str(error))


def _misread(found: Object) -> Trouble | None:
    text = unreadable(found)
    return Trouble(Reason.INVALID_SPEC, text) if text else None


def _rule(route: Route) -> tuple[str, str, str]:
    flavour, named = flavour_of(route)
    return flavour.key, named.name, named.rule or ""


def _overlap(one: tuple[str, str, str], two: tuple[str, str, str]) -> bool:
    """Whether two may mean the same rule: who names none may mean any."""
    return one[:2] == two[:2] and (one[2] == two[2] or not one[2] or not two[2])


def _rules_of(found: Object) -> set[tuple[str, str, str]]:
    """Return the rules that a Rollout has, or would have: what it shifts, else what it declares."""
    spec, _ = _readable(found)
    if _shifts(found) and (wiring := status_of(found).wiring) is not None:
        with contextlib.suppress(InvalidInput):  # its own condition says so
            spec = read_wiring(wiring, None)
    return {_rule(route) for route in spec.routes} if spec else set()


def _shifts(found: Object) -> bool:
    try:
        return _is_shifting(status_of(found))
    except InvalidInput:
        return False


def _is_shifting(status: Status) -> bool:
    return status.is_active and status.phase is not Phase.PREFLIGHT


def _age(found: Object) -> tuple[str, str]:
    return str(found["metadata"].get("creationTimestamp", "")), name_of(found)


def told(faults: Iterable[Fault]) -> str:
    """Return faults for a condition: the first few, and how many more there are."""
    every = [f"{fault.path}: {fault.message} -> {fault.remedy}" for fault in faults]
    more = f" (and {len(every) - FAULTS_TOLD_MAX} more: rollout lint)" if len(every) > FAULTS_TOLD_MAX else ""
    return "; ".join(every[:FAULTS_TOLD_MAX]) + more


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
        if decision.kind == "look":
            yield from (figures.verdict for figures in decision.kpis.values())
