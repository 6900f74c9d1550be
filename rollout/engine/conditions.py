"""What a status means to programs that know only conditions (kstatus: kubectl wait, Argo CD, Flux). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from rollout.contracts.report import brief
from rollout.engine import messages
from rollout.engine.eligibility import starts_by_itself
from rollout.engine.facts import Trouble
from rollout.engine.state.live import settle
from rollout.model.agent_state import Axis, Severity
from rollout.model.status.conditions import MESSAGE_MAX, Condition, ConditionType
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Reason
from rollout.model.units import format_percent

Truth = Literal["True", "False", "Unknown"]
Answer = tuple[ConditionType, Truth, Reason, str]


def conditions_of(
    status: Status,
    wanted: str | None,
    before: Iterable[Condition],
    *,
    generation: int,
    now: datetime,
    trouble: Trouble | None = None,
) -> tuple[Condition, ...]:
    """Return what a status means.

    Args:
        before: the conditions as they were; an answer that holds keeps its time.
    """
    known = {condition.type: condition for condition in before}
    conditions = []
    for kind, truth, reason, message in _answers(status, wanted, trouble):
        old, answer_now = known.get(kind), (truth, reason, message[:MESSAGE_MAX], generation)
        if old is not None and (old.status, old.reason, old.message, old.observed_generation) == answer_now:
            conditions.append(old)
            continue
        since = old.last_transition_time if old is not None and old.status == truth else now
        conditions.append(
            Condition(
                type=kind,
                status=truth,
                reason=reason,
                message=message[:MESSAGE_MAX],
                last_transition_time=since,
                observed_generation=generation,
            )
        )
    return tuple(conditions)


def _answers(status: Status, wanted: str | None, trouble: Trouble | None) -> Iterable[Answer]:
    reason, message = status.reason, status.message or str(status.phase)
    given_up = status.phase is Phase.ROLLED_BACK and wanted is not None  # and the stable one is wanted again
    settled = status.phase in (Phase.STABLE, Phase.DRAINING) or given_up
    if given_up and wanted == status.stable_version:
        reason, message = Reason.SETTLED, f"{wanted} is stable"
    ready = settled and status.stable_version is not None and wanted in (None, status.stable_version)
    held = status.phase in (Phase.PAUSED, Phase.FROZEN)
    wants = starts_by_itself(status, wanted) and status.stable_version is not None
    blocked = status.blocked
    if trouble is None and blocked is not None:
        yield ConditionType.READY, "False", blocked.reason, blocked.message
        yield ConditionType.RECONCILING, _truth(status.is_active and not held), blocked.reason, blocked.message
        yield ConditionType.STALLED, "True", blocked.reason, blocked.message
    elif trouble is not None:
        yield ConditionType.READY, "False" if not ready or blocked else "Unknown", trouble.reason, trouble.message
        yield ConditionType.RECONCILING, _truth(status.is_active and not held), trouble.reason, trouble.message
        yield ConditionType.STALLED, "True", trouble.reason, trouble.message
    else:
        moves = (status.is_active and not held and not ready) or (not status.is_active and wants)
        stuck = status.phase is Phase.FROZEN or not (ready or moves or status.phase is Phase.PAUSED)
        yield ConditionType.READY, _truth(ready), reason, message
        yield ConditionType.RECONCILING, _truth(moves), reason, message
        yield ConditionType.STALLED, _truth(stuck), reason, message
    yield ConditionType.PAUSED, _truth(status.phase is Phase.PAUSED), reason, message
    yield _effective(status)
    yield _compatible(status)
    drift = status.latest.identity_drift
    drifted = f"a version has changed since the preflight: {drift}" if drift else "the versions have not changed"
    yield from _draining(status)
    yield from _roles(status)
    yield (
        ConditionType.IDENTITY_DRIFT,
        _truth(bool(drift)),
        Reason.IDENTITY_CHANGED if drift else Reason.SETTLED,
        drifted,
    )


def _roles(status: Status) -> Iterable[Answer]:
    """With roles: whether the stable version is served by the stable Service, as between releases."""
    kind, versions, stable = ConditionType.ROLES_SETTLED, status.role_versions, status.stable_version
    if versions is None or stable is None:
        return
    if versions.serving == "stable":
        yield kind, _truth(not status.is_active), Reason.SETTLED, f"{stable} is served by the stable Service"
        return
    other = f" runs {versions.stable}" if versions.stable not in (None, stable) else " does not run it alone yet"
    message = f"{stable} is served by the candidate's Service, and the stable one{other}"
    remedy = f"once {stable} is rolled out behind the stable one, its traffic goes back there"
    yield kind, "False", Reason.SERVED_BY_CANDIDATE, f"{message}: {remedy}"


def _draining(status: Status) -> Iterable[Answer]:
    """Whether versions are drained, and that all are: a pipeline may retire a version that is named in neither."""
    named = [f"{version} ({messages.open_conversations(drain.open)})" for version, drain in status.draining.items()]
    message = f"draining: {messages.listed(named)}" if named else "no version is drained"
    reason = Reason.DRAINING if named else Reason.DRAINED
    yield ConditionType.DRAINING, _truth(bool(named)), reason, message
    yield ConditionType.DRAINED, _truth(not named), reason, message


def _effective(status: Status) -> Answer:
    kind, effective = ConditionType.TRAFFIC_EFFECTIVE, status.latest.traffic.effective
    if not status.is_active or status.latest.traffic.wanted_bp == 0:
        return kind, "Unknown", Reason.SETTLED, "no traffic is being shifted"
    wanted = format_percent(status.latest.traffic.wanted_bp)
    if status.reason in (Reason.ROUTE_NOT_FOUND, Reason.ROUTE_REFUSED, Reason.BACKEND_NOT_FOUND):
        return kind, "Unknown", status.reason, status.message
    if effective == "confirmed":
        return kind, "True", Reason.SETTLED, f"the requests show {wanted}"
    if effective == "refuted":
        return kind, "False", Reason.TRAFFIC_NOT_SHIFTING, f"{wanted} is written, and the requests do not show it"
    return kind, "Unknown", Reason.WEIGHT_PENDING, f"{wanted} is written; too few requests were seen to tell"


def _compatible(status: Status) -> Answer:
    kind, state = ConditionType.STATE_COMPATIBLE, status.latest.state
    if state is None or state.verdict is None:
        return kind, "Unknown", Reason.NOT_CHECKED, "no state contract was checked"
    settled = settle(state, watched=state.census is not None)
    verdicts = ", ".join(f"{axis} {settled.of(axis)}" for axis in Axis)
    if state.no_return_at is not None:
        many = "" if state.affected is None else f" ({messages.conversations(state.affected)})"
        return kind, "False", Reason.STATE_INCOMPATIBLE, f"{verdicts}; the point of no return is passed{many}"
    worst = max((settled.backward, settled.forward), key=lambda severity: severity.rank)
    if worst is Severity.OK:
        return kind, "True", Reason.STATE_COMPATIBLE, verdicts
    unknown = worst is Severity.UNKNOWN
    why = state.problem or brief(settled, (Axis.BACKWARD, Axis.FORWARD))
    reason = Reason.STATE_UNKNOWN if unknown else Reason.STATE_INCOMPATIBLE
    return kind, "Unknown" if unknown else "False", reason, f"{verdicts}: {why}"


def _truth(holds: bool) -> Truth:
    return "True" if holds else "False"
