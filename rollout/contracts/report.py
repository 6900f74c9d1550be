"""Every sentence about compatibility that a person reads."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.contracts.contract import Contract
from rollout.model.agent_state import Axis, CompatibilityVerdict, Finding, Severity

QUESTIONS = {
    Axis.BACKWARD: "the new version reads what the old one wrote",
    Axis.FORWARD: "the old version reads what the new one wrote (a rollback is safe)",
    Axis.HOP: "a conversation may go to the new version, back, and to it again",
}
ANSWERS = {
    Severity.OK: "yes",
    Severity.RISK: "not without loss, or not for sure",
    Severity.UNKNOWN: "cannot be told",
    Severity.BREAK: "no",
}
FINDINGS_SHOWN = 30


def verdict_lines(verdict: CompatibilityVerdict) -> list[str]:
    """Return the three answers, a line each."""
    lines = [f"{axis:<9} {verdict.of(axis):<8} {QUESTIONS[axis]}: {ANSWERS[verdict.of(axis)]}" for axis in Axis]
    if verdict.scope == "shape":
        lines.append("          of the shape of the state only: bare JSON Schemas say nothing of nodes and reducers")
    return lines


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Return each finding: where, what, and what to do; hints once."""
    lines: list[str] = []
    every = list(findings)
    for finding in every[:FINDINGS_SHOWN]:
        waived = f" (waived by {finding.waived_by})" if finding.waived_by else ""
        lines.append("")
        lines.append(f"{finding.severity:<7} {finding.direction:<9} {finding.code}  {finding.pointer}{waived}")
        lines.append(
            f"        {finding.old} -> {finding.new}" + (f"; {_affected(finding)}" if _affected(finding) else "")
        )
        lines.append(f"        {finding.hint}")
    if len(every) > FINDINGS_SHOWN:
        lines.append(f"\n... and {len(every) - FINDINGS_SHOWN} more: -o json has them all")
    return lines


def _affected(finding: Finding) -> str:
    if finding.affected is None:
        return ""
    return f"{finding.affected} live {'conversation is' if finding.affected == 1 else 'conversations are'} affected"


def reason(verdict: CompatibilityVerdict, axis: Axis) -> str:
    """Say in a few words what makes a direction what it is: the worst finding, and how many more there are."""
    worst = sorted(verdict.worst(axis), key=lambda finding: (not finding.pointer, -(finding.affected or 0)))
    if not worst:
        return ""
    first = worst[0]
    changed = f" ({first.old} -> {first.new})" if first.old or first.new else ""
    affected = f", {_affected(first)}" if first.affected else ""
    more = f", and {len(worst) - 1} more" if len(worst) > 1 else ""
    return f"{first.code}{' ' + first.pointer if first.pointer else ''}{changed}{affected}{more}"


def remedy(verdict: CompatibilityVerdict, axis: Axis) -> str:
    """Return what to do about the worst finding of a direction."""
    worst = sorted(verdict.worst(axis), key=lambda finding: (not finding.pointer, -(finding.affected or 0)))
    return worst[0].hint if worst else ""


def brief(verdict: CompatibilityVerdict, axes: Iterable[Axis]) -> str:
    """Say in one sentence what is wrong, direction by direction."""
    verdicts = [(axis, verdict.of(axis)) for axis in axes if verdict.of(axis) is not Severity.OK]
    return "; ".join(f"{axis} {severity}: {reason(verdict, axis)}" for axis, severity in verdicts)


def same_code(old: Contract, new: Contract) -> str:
    """Say that two versions' contracts are of one folder at one commit: one of them was meant to be of other code."""
    one, two = old.source, new.source
    if one is None or two is None or not one.commit or one.model_dump() != two.model_dump():
        return ""
    if old.version == new.version:
        return ""
    return f"both contracts are of {one.root} at {one.commit[:12]}: export each where its own code is checked out"
