"""Backends by role: which version is behind each, and how the stable version comes back behind the stable one. Pure.

After a promotion the stable version is behind the candidate's Service. Somebody rolls it out behind the stable one as
well, the pipeline or the controller itself; then its traffic goes back there, and the roles are as they were.
"""

from __future__ import annotations

from typing import Literal

from rollout.engine.capacity import endpoints_for
from rollout.engine.context import PlanContext
from rollout.engine.effects import Effect, PromoteImage, SetWeight
from rollout.model.status.roles import RoleVersions
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.model.units import FULL_BP


def may_change(status: Status) -> bool:
    """Whether what is behind the Services may be another version now: a release under way keeps what it began with."""
    return not status.is_active or status.phase is Phase.PREFLIGHT


def note_roles(context: PlanContext) -> None:
    """Keep in the status what is behind each Service."""
    seen, before = context.facts.roles, context.status.role_versions
    if seen is None or not may_change(context.status):
        return
    after = seen.versions.changed(serving=before.serving if before else "stable")
    if after != before:
        context.update(role_versions=after)


def note_serving(context: PlanContext) -> None:
    """Keep in the status which Service serves the stable version, at the end of a turn that may have promoted one."""
    versions, stable = context.status.role_versions, context.status.stable_version
    if versions is None or stable is None:
        return
    away = _strays(context) or stable == versions.candidate != versions.stable
    if not away and versions.stable != stable:
        return  # it is behind neither of them now: one is being rolled out, and serves as it did
    serving: Literal["stable", "candidate"] = "candidate" if away else "stable"
    if serving == versions.serving:
        return
    context.update(role_versions=versions.changed(serving=serving))
    if not away:
        context.record("traffic", message=f"{stable} is served by the stable Service again")


def hand_back(context: PlanContext) -> tuple[Effect, ...]:
    """Give the stable version's traffic back to the stable Service, or have its image set there; nothing at home."""
    status, roles = context.status, context.spec.backends.roles
    stable, versions = status.stable_version, status.role_versions
    if roles is None or versions is None or stable is None or not may_change(status):
        return ()
    if versions.serving == "stable" or context.facts.resource.leaving:
        return ()
    if versions.stable == stable:
        return (SetWeight(stable),) if _is_home_ready(context, stable) else ()
    return (PromoteImage(stable),) if roles.promotion == "swap" and _is_free(context, versions) else ()


def _strays(context: PlanContext) -> bool:
    return any(context.status.stable_version in route.strays for route in context.borrowed)


def _is_home_ready(context: PlanContext, stable: str) -> bool:
    return _strays(context) and context.facts.ready.get(stable) == "" and lacking_at_home(context) == 0


def lacking_at_home(context: PlanContext) -> int:
    """Return how many ready pods the stable Service lacks to take over what the candidate's does."""
    seen = context.facts.roles
    if seen is None:
        return 0
    has, away = seen.ready.get("stable", 0), seen.ready.get("candidate", 0)
    return max(0, endpoints_for(away, FULL_BP, context.policy.capacity.at_least_bp) - has)


def _is_free(context: PlanContext, versions: RoleVersions) -> bool:
    """Whether nobody needs what the stable Service runs: no way back, and no conversation that is kept there."""
    status = context.status
    return status.phase is Phase.STABLE and not context.is_standby and versions.stable not in status.draining
