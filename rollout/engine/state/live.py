"""What a census of live conversations adds to a verdict, or clears."""

from __future__ import annotations

from rollout.contracts.check import verdict
from rollout.engine import messages
from rollout.engine.context import PlanContext
from rollout.engine.conversations.pins import is_one_way
from rollout.engine.state.required import axes_of, gate_of
from rollout.model.agent_state import Axis, Census, Compatibility, CompatibilityVerdict, Finding, Severity


def settle(state: Compatibility, *, watched: bool) -> CompatibilityVerdict:
    """Return the verdict with what a census of live conversations adds to it, or clears.

    Args:
        watched: whether live conversations are counted all along; then a risk that somebody may come to wait at a new
            node is watched instead of barred.
    """
    assert state.verdict is not None
    census = state.census
    findings = [_cleared(finding, census, watched=watched) for finding in state.verdict.findings]
    if census is not None and census.backward:
        findings.append(_seen(census))
    return verdict(findings, scope=state.verdict.scope)


def _cleared(finding: Finding, census: Census | None, *, watched: bool) -> Finding:
    if not finding.clearable or finding.waived_by:
        return finding
    if finding.direction is Axis.FORWARD:
        mild = watched and finding.severity is Severity.RISK
        return finding.model_copy(update={"severity": Severity.OK}) if mild else finding
    if census is None or not census.complete or census.problem:
        return finding
    places = set(finding.nodes)
    waiting = sum(census.waiting.get(place, 0) for place in places) if places else sum(census.waiting.values())
    changes = {"affected": waiting, "evidence": "sample"}
    return finding.model_copy(update=changes if waiting else {**changes, "severity": Severity.OK})


def _seen(census: Census) -> Finding:
    """Return what a census of live conversations found itself."""
    reasons = ", ".join(f"{reason} ({count})" for reason, count in list(census.backward_reasons.items())[:3])
    return Finding(
        code="LIVE_CONVERSATIONS",
        direction=Axis.BACKWARD,
        severity=Severity.BREAK,
        pointer="",
        old=reasons or "conversations",
        new="cannot be read, or would be ended",
        hint="what is stored decides, whatever the contracts say",
        evidence="sample",
        affected=census.backward,
    )


def live_harm(context: PlanContext) -> str:
    """Say that the candidate cannot go on with conversations that live now, if that is so and is asked about."""
    gate, state = gate_of(context), context.release.state
    if gate is None or state is None or state.census is None or not state.census.backward:
        return ""
    if Axis.BACKWARD not in axes_of(context, gate) or is_one_way(context):
        return ""
    finding = _seen(state.census)
    many = messages.conversations(state.census.backward)
    return (
        f"{context.status.candidate_version} cannot go on with {many} of {context.status.stable_version}: {finding.old}"
    )
