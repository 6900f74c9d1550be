"""Commands that lead back, or begin again: retry and undo."""

from __future__ import annotations

from rollout.engine.analysis.lifecycle import fresh
from rollout.engine.commands.answer import CommandRefused, because
from rollout.engine.context import PlanContext
from rollout.engine.facts import Command
from rollout.engine.messages import weight
from rollout.engine.start import ask_weight, begin
from rollout.engine.transitions import Event
from rollout.model.status.evidence import TrafficEvidence
from rollout.model.status.traffic import Traffic
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
    idle = status.phase in (Phase.ROLLED_BACK, Phase.STABLE, Phase.DRAINING)
    if not idle or wanted is None or wanted == status.stable_version:
        raise CommandRefused(f"nothing to try again: the rollout is {status.phase}")
    stopped = status.phase is Phase.ROLLED_BACK and wanted == status.candidate_version
    if not stopped and wanted != status.declined_version and wanted not in status.failed:
        raise CommandRefused(f"{status.candidate_version} is not the wanted version any more")
    before = context.release.retries if stopped and context.release.result is Result.ROLLED_BACK else -1
    retries = status.failed.get(wanted, before) + 1
    event = Event.RETRY if status.phase is Phase.ROLLED_BACK else Event.START
    begin(context, event, f"tried again {because(command)}", candidate=wanted, retries=retries, actor=command.actor)
    return f"{wanted} starts again" + (", with half the budget for false rollbacks" if retries else "")


def _thaw(context: PlanContext, command: Command) -> str:
    """Go on from a freeze with fresh evidence; what moves everything at once goes back to its preview first."""
    weight_bp = min(context.step.weight_bp, context.release.traffic.wanted_bp)
    preview = context.preview_header if weight_bp == 0 else None
    context.update_release(
        evidence=fresh(context.policy), harm_e=1.0, culprits=(), environment=(), passed_by_human=(), harm_accepted=()
    )
    context.update_release(split=TrafficEvidence(), unready_samples=0)
    if context.strategy.switches:
        context.update_release(approved=(), window_waived=(), checks=(), check_tries=context.release.check_tries + 1)
    message, retries = f"unfrozen {because(command)}", context.release.retries + 1
    context.go(Event.RETRY, Reason.CHECKING, message, actor=command.actor, release=context.changed(retries=retries))
    ask_weight(context, weight_bp, preview)
    where = f"at {weight(weight_bp)}" if weight_bp else f"with all users on {context.status.stable_version}"
    return f"goes on {where} with fresh evidence and half the budget for false rollbacks"


def undo(context: PlanContext, command: Command) -> str:
    """Go back to the version before: at once while it is still ready, else by a rollout of its own."""
    status = context.status
    back, new = status.previous_version, status.stable_version
    if status.phase not in (Phase.STABLE, Phase.DRAINING, Phase.ROLLED_BACK):
        raise CommandRefused(f"{status.candidate_version} is not promoted yet: rollout abort sends everything back")
    if back is None and context.release.result is Result.UNDONE:
        raise CommandRefused(f"it was undone already: {new} is stable")
    if back is None or new is None:
        raise CommandRefused("no version was promoted here before, so there is none to go back to")
    if back not in context.facts.versions:
        raise CommandRefused(f"{back} {context.facts.no_backend}; then undo")
    asleep = back in context.facts.asleep
    if not asleep and (problem := context.facts.ready.get(back)):
        raise CommandRefused(f"{back} does not answer, so nothing is sent there: {problem}")
    if status.phase is not Phase.ROLLED_BACK and context.is_standby and not asleep:
        traffic = Traffic(asked_at=context.now, off_since=context.now)  # everything is where it must not stay
        context.go(
            Event.UNDO,
            Reason.UNDONE,
            f"undone {because(command)}",
            actor=command.actor,
            stable_version=back,
            previous_version=None,
            standby_until=None,
            declined_version=_turned_down(context, new),
            release=context.changed(candidate_version=new, result=Result.UNDONE, traffic=traffic),
        )
        return f"all new conversations go back to {back} at once"
    message = f"back from {new} to {back}, {because(command)}"
    declined = _turned_down(context, new)
    begin(context, Event.START, message, candidate=back, retries=0, undoing=True, actor=command.actor)
    context.update(declined_version=declined)
    how = "by the policy's quick way" if context.policy.undo else "by the policy's steps (it declares no `undo`)"
    return f"{back} is no longer kept ready, so a rollout to it begins, {how}"


def _turned_down(context: PlanContext, undone: str) -> str | None:
    """Return the declared version that is not to start by itself: what is undone, or has failed; no newer wish."""
    status, wanted = context.status, context.spec.version
    failed = status.candidate_version if status.phase is Phase.ROLLED_BACK else None
    return wanted if wanted in (undone, failed) else status.declined_version
