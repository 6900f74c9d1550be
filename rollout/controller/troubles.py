"""What is wrong with one Rollout, as its conditions tell it: what was refused, what cannot be read."""

from __future__ import annotations

from rollout.adapters.kubernetes.resources import Object
from rollout.adapters.routers.rule import RuleRefused
from rollout.adapters.storage.command_annotations import unreadable
from rollout.engine.facts import Trouble
from rollout.errors import Forbidden, RouteRaced, RouterUnavailable, RouteWriteDenied, Unavailable
from rollout.model.status.vocabulary import Reason


def is_told_elsewhere(failure: Unavailable) -> bool:
    """Whether the status tells it (a write that was denied), or the next turn mends it (somebody was faster)."""
    return isinstance(failure, (RouteRaced, RouteWriteDenied))


def refusal_of(error: Exception) -> Trouble:
    cause = error.__cause__
    if isinstance(error, Forbidden) or isinstance(cause, Forbidden):
        return Trouble(Reason.FORBIDDEN, f"{error}: see the controller's role (manifests/access)")
    if isinstance(cause, RuleRefused):
        return Trouble(cause.reason, str(error))
    return Trouble(Reason.ROUTER_DOWN if isinstance(error, RouterUnavailable) else Reason.WRITE_DENIED, str(error))


def misread(obj: Object) -> Trouble | None:
    text = unreadable(obj)
    return Trouble(Reason.INVALID_SPEC, text) if text else None
