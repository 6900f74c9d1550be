"""What comes next, for people."""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.gates.evidence import reference_is_known
from rollout.engine.routes.roles import lacking_at_home
from rollout.model.status.vocabulary import HeldBy, Phase, Reason, Result


def next_step(context: PlanContext) -> str:
    """Say what comes next, for people."""
    status, steps, release = context.status, context.strategy.steps, context.release
    match status.phase:
        case Phase.PREFLIGHT:
            return context.shown_step
        case Phase.SHIFTING | Phase.OBSERVING if context.is_last_step:
            return f"all traffic to {status.candidate_version}"
        case Phase.SHIFTING | Phase.OBSERVING:
            return f"step {release.step + 2}: {messages.weight(steps[release.step + 1].weight_bp)}"
        case Phase.BAKING:
            return f"promote {status.candidate_version}"
        case Phase.PAUSED if status.held_by is HeldBy.APPROVAL:
            return "rollout approve, or rollout abort"
        case Phase.PAUSED if status.held_by is HeldBy.SPEC:
            return "set spec.paused to false, or rollout abort"
        case Phase.PAUSED if status.reason is Reason.STABLE_DOWN:
            return f"rollout promote --reason … sends everything to {status.candidate_version}, or rollout abort"
        case Phase.PAUSED if status.reason in (Reason.WORSE, Reason.CANDIDATE_DOWN):
            return "rollout abort, or rollout promote to pass the step knowingly"
        case Phase.PAUSED if (
            status.reason is Reason.UNDECIDED and status.resume_to is Phase.BAKING and reference_is_known(context)
        ):  # no time helps
            return "rollout promote to pass it knowingly, or rollout abort"
        case Phase.PAUSED:
            return "rollout resume, or rollout abort"
        case Phase.FROZEN:
            return "rollout abort, or rollout retry"
        case Phase.ROLLING_BACK | Phase.SUPERSEDING:
            return f"all new conversations go to {status.stable_version}"
        case Phase.ROLLED_BACK if release.result is Result.UNDONE:
            return f"start another version, or rollout retry for {status.candidate_version}"
        case Phase.ROLLED_BACK:
            return "rollout retry, or start another version"
        case Phase.STABLE if context.spec.version in status.failed:
            return f"{context.spec.version} failed before: rollout retry, or declare another version"
        case Phase.STABLE if context.is_standby:
            until = f"{status.standby_until:%Y-%m-%d %H:%M}Z"
            return f"{status.previous_version} stays ready until {until}: rollout undo goes back at once"
        case Phase.STABLE if status.role_versions is not None and status.role_versions.serving == "candidate":
            return _back_in_its_role(context)
        case Phase.DRAINING:
            old = status.previous_version or ""
            active = sum(route.active.get(old, 0) for route in context.facts.routes)
            return f"{active} requests are still under way on {old}" if active else f"drain {old}"
        case _:
            return ""


def _back_in_its_role(context: PlanContext) -> str:
    """Say how the stable version comes back behind the stable Service."""
    stable, roles = context.status.stable_version, context.spec.backends.roles
    home = roles.stable if roles else "the stable Service"
    behind = context.status.role_versions
    if behind is not None and behind.stable == stable and (lacking := lacking_at_home(context)):
        return f"{home} needs {lacking} more ready pods of {stable}: then its traffic goes back there"
    who = f"the controller rolls {stable} out" if roles and roles.promotion == "swap" else f"roll {stable} out"
    return f"{who} behind {home}: its traffic goes back there"
