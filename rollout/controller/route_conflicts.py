"""Two Rollouts that shift one rule: one of them has it, the other waits."""

from __future__ import annotations

import contextlib

from rollout.adapters.kubernetes.resources import Object, name_of
from rollout.adapters.routers.route_kinds import route_kind_of, route_name
from rollout.adapters.routers.splits import label_of
from rollout.adapters.storage.rollout_resource import status_of
from rollout.controller.declared import readable
from rollout.controller.effective_spec import read_wiring
from rollout.controller.informers import Informers
from rollout.engine.facts import Trouble
from rollout.errors import InvalidInput
from rollout.model.api.rollout import RolloutSpec
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Reason

NO_STATUS = Status()


def route_conflict(informers: Informers, obj: Object, spec: RolloutSpec, status: Status) -> Trouble | None:
    """Refuse a rule that another Rollout shifts: two would undo each other's weights.

    Who is shifting keeps it; else the older one has it.
    """
    if _is_shifting(status):
        return None
    mine = _rules(spec, status)
    for other in informers.sharing(obj):
        has_it = _shifts(other) or _age(other) < _age(obj)
        if has_it and any(_overlap(one, two) for one in _rules_of(other) for two in mine):
            remedy = "give each a rule of its own, or delete one"
            message = f"the Rollout {name_of(other)} shifts the same rule: {remedy}"
            return Trouble(Reason.ROUTE_REFUSED, message)
    return None


def _rules(spec: RolloutSpec, status: Status) -> set[tuple[str, str, str]]:
    """Return the rules that are meant, by kind, object and name: those of delegates stand where they were chosen."""
    rules = set()
    for route in spec.routes:
        route_kind, named = route_kind_of(route)
        label = route_name(route_kind, named)
        places = {rule.route for name, rule in status.rules.items() if label_of(name) == label} or {""}
        rules |= {(route_kind.key, place or named.name, named.rule or "") for place in places}
    return rules


def _overlap(one: tuple[str, str, str], two: tuple[str, str, str]) -> bool:
    """Whether two may mean the same rule: who names none may mean any."""
    return one[:2] == two[:2] and (one[2] == two[2] or not one[2] or not two[2])


def _rules_of(obj: Object) -> set[tuple[str, str, str]]:
    """Return the rules that a Rollout has, or would have: what it shifts, else what it declares."""
    spec, status = readable(obj)[0], NO_STATUS
    with contextlib.suppress(InvalidInput):  # its own condition says so
        status = status_of(obj)
        if _is_shifting(status) and (wiring := status.latest.wiring) is not None:
            spec = read_wiring(wiring, None)
    return _rules(spec, status) if spec else set()


def _shifts(obj: Object) -> bool:
    try:
        return _is_shifting(status_of(obj))
    except InvalidInput:
        return False


def _is_shifting(status: Status) -> bool:
    return status.is_active and status.phase is not Phase.PREFLIGHT


def _age(obj: Object) -> tuple[str, str]:
    return str(obj["metadata"].get("creationTimestamp", "")), name_of(obj)
