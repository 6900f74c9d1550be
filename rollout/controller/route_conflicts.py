"""Two Rollouts that shift one rule: one of them has it, the other waits."""

from __future__ import annotations

import contextlib

from rollout.adapters.kubernetes.resources import Object, name_of
from rollout.adapters.routers.route_kinds import route_kind_of
from rollout.adapters.storage.rollout_resource import status_of
from rollout.controller.effective_spec import read_wiring, readable
from rollout.controller.informers import Informers
from rollout.engine.facts import Trouble
from rollout.errors import (
    InvalidInput,
)
from rollout.model.api.rollout import RolloutSpec
from rollout.model.api.routes import Route
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Reason


def route_conflict(informers: Informers, obj: Object, spec: RolloutSpec, status: Status) -> Trouble | None:
    """Refuse a rule that another Rollout shifts: two would undo each other's weights.

    Who is shifting keeps it; else the older one has it.
    """
    if _is_shifting(status):
        return None
    for other in informers.sharing(obj):
        has_it = _shifts(other) or _age(other) < _age(obj)
        if has_it and any(_overlap(one, two) for one in _rules_of(other) for two in map(_rule, spec.routes)):
            remedy = "give each a rule of its own, or delete one"
            message = f"the Rollout {name_of(other)} shifts the same rule: {remedy}"
            return Trouble(Reason.ROUTE_REFUSED, message)
    return None


def _rule(route: Route) -> tuple[str, str, str]:
    route_kind, named = route_kind_of(route)
    return route_kind.key, named.name, named.rule or ""


def _overlap(one: tuple[str, str, str], two: tuple[str, str, str]) -> bool:
    """Whether two may mean the same rule: who names none may mean any."""
    return one[:2] == two[:2] and (one[2] == two[2] or not one[2] or not two[2])


def _rules_of(obj: Object) -> set[tuple[str, str, str]]:
    """Return the rules that a Rollout has, or would have: what it shifts, else what it declares."""
    spec, _ = readable(obj)
    if _shifts(obj) and (wiring := status_of(obj).latest.wiring) is not None:
        with contextlib.suppress(InvalidInput):  # its own condition says so
            spec = read_wiring(wiring, None)
    return {_rule(route) for route in spec.routes} if spec else set()


def _shifts(obj: Object) -> bool:
    try:
        return _is_shifting(status_of(obj))
    except InvalidInput:
        return False


def _is_shifting(status: Status) -> bool:
    return status.is_active and status.phase is not Phase.PREFLIGHT


def _age(obj: Object) -> tuple[str, str]:
    return str(obj["metadata"].get("creationTimestamp", "")), name_of(obj)
