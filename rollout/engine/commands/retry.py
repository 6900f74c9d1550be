"""Retry: a release that failed or froze begins again."""

from __future__ import annotations

from rollout.engine.analysis.lifecycle import fresh
from rollout.engine.commands.answer import CommandRefused, because
from rollout.engine.context import PlanContext
from rollout.engine.eligibility import is_harmful
from rollout.engine.facts import Command
from rollout.engine.messages import weight
from rollout.engine.start import ask_weight, begin
from rollout.engine.transitions import Event
from rollout.model.status.evidence import TrafficEvidence
from rollout.model.status.vocabulary import Phase, Reason, Result


def retry(context: PlanContext, command: Command) -> str:
    status, wanted = context.status, context.spec.version
    if status.phase is Phase.FROZEN:
        return _thaw(context, command)
    if status.phase is Phase.ROLLED_BACK and context.release.undoing and wanted in (None, status.stable_version):
        assert status.candidate_version is not None
        back, retries = status.candidate_version, context.release.retries + 1
        message = f"tried again {because(command)}"
        begin(context, Event.RETRY, message, candidate=back, retries=retries, undoing=True, actor=command.actor)
        return f"the way back to {back} begins again"
    if is_under_way(context, command):
        return f"{wanted} is being released already"
    idle = status.phase in (Phase.ROLLED_BACK, Phase.STABLE, Phase.DRAINING)
    if not idle or wanted is None or wanted == status.stable_version:
        raise CommandRefused(f"nothing to try again: the rollout is {status.phase}")
    stopped = status.phase is Phase.ROLLED_BACK and wanted == status.candidate_version
    if not stopped and wanted != status.declined_version and wanted not in status.failed:
        raise CommandRefused(f"{status.candidate_version} is not the wanted version any more")
    before = context.release.retries if stopped and context.release.result is Result.ROLLED_BACK else -1
    aborted = stopped and context.release.result is Result.ABORTED and not is_harmful(status)
    # Whoever aborts for reasons of their own has seen no failure: the budget stays what it was.
    retries = max(0, status.failed.get(wanted, before)) if aborted else status.failed.get(wanted, before) + 1
    event = Event.RETRY if status.phase is Phase.ROLLED_BACK else Event.START
    begin(context, event, f"tried again {because(command)}", candidate=wanted, retries=retries, actor=command.actor)
    return f"{wanted} starts again" + (", with half the budget for false rollbacks" if retries else "")


def is_under_way(context: PlanContext, command: Command) -> bool:
    """Whether what a retry asks for has begun since it was given: whoever types it twice wants it once."""
    status, release = context.status, context.release
    ends = status.goes_back or status.phase in (Phase.FROZEN, Phase.DRAINING)
    began = release.started_at is not None and command.at <= release.started_at
    return began and status.is_active and not ends and status.candidate_version == context.spec.version


def _thaw(context: PlanContext, command: Command) -> str:
    """Go on from a freeze with fresh evidence; what moves everything at once goes back to its preview first."""
    weight_bp = min(context.step.weight_bp, context.release.traffic.wanted_bp)
    preview = context.preview_header if weight_bp == 0 else None
    context.update_release(
        evidence=fresh(context.policy), harm_e=1.0, culprits=(), environment=(), passed_by_human=(), harm_accepted=()
    )
    context.update_release(split=TrafficEvidence(), unready_samples=0)
    if context.strategy.switches:
        context.update_release(
            approved=(), window_waived=(), capacity_waived=(), checks=(), check_tries=context.release.check_tries + 1
        )
    message, retries = f"unfrozen {because(command)}", context.release.retries + 1
    context.go(Event.RETRY, Reason.CHECKING, message, actor=command.actor, release=context.changed(retries=retries))
    ask_weight(context, weight_bp, preview)
    where = f"at {weight(weight_bp)}" if weight_bp else f"with all users on {context.status.stable_version}"
    return f"the release continues {where} with fresh evidence and half the budget for false rollbacks"
