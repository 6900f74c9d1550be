"""`check`: is the candidate safe to read, to roll back from, and to hop between? Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from rollout.contracts.channels import keeping
from rollout.contracts.classes import classes
from rollout.contracts.comparison import Side
from rollout.contracts.contract import Contract
from rollout.contracts.finding_codes import HINTS
from rollout.contracts.once import once
from rollout.contracts.schema.relation import Options
from rollout.contracts.shapes import shape
from rollout.contracts.surroundings import surroundings
from rollout.contracts.topology import topology
from rollout.contracts.waivers import waived
from rollout.model.agent_state import Axis, CompatibilityVerdict, Finding, Severity, Waiver

UNTOLD = frozenset({"INTERRUPT_UNKNOWN", "REDUCER_UNKNOWN"})
"""What stays open where contracts are the same, but do not tell which code they are of."""


def check(
    old: Contract,
    new: Contract,
    *,
    closed_writer: bool = True,
    waivers: Iterable[Waiver] = (),
    today: date | None = None,
) -> CompatibilityVerdict:
    """Return what a candidate with `new` means for conversations of a stable version with `old`.

    Args:
        closed_writer: whether versions write only what they declare; False is plain containment of schemas.
        today: by which waivers are in force; without it none is.
    """
    options = Options(closed_writer=closed_writer)
    findings: list[Finding] = []
    if old.is_bare != new.is_bare:
        findings += [unknown("NO_TOPOLOGY", axis) for axis in Axis]
    for axis, writes, reads in ((Axis.BACKWARD, old, new), (Axis.FORWARD, new, old)):
        findings += _direction(Side(axis, writes, reads, writes, reads, options))
    if not old.is_bare and old.unversioned() == new.unversioned():
        findings = [finding for finding in findings if finding.code in UNTOLD]
    findings = once(findings)
    if today is not None:
        findings = [waived(finding, tuple(waivers), today) for finding in findings]
    scope = "shape" if old.is_bare and new.is_bare else "whole"
    return verdict(findings, scope=scope)


def _direction(side: Side) -> list[Finding]:
    names = (side.writes.framework.name, side.reads.framework.name)
    bare = side.writes.is_bare or side.reads.is_bare
    if names[0] != names[1] and not bare:
        side.find("FRAMEWORK_CHANGED", Severity.UNKNOWN, "/framework/name", *names)
        return side.findings
    surroundings(side)
    _graph(side, bare=bare)
    return side.findings


def _graph(side: Side, *, bare: bool) -> None:
    shape(side)
    if bare:
        return
    keeping(side)
    classes(side)
    topology(side)
    for name in sorted(side.writer.subgraphs.keys() & side.reader.subgraphs.keys()):
        _graph(side.inside(name), bare=bare)


def unknown(code: str, axis: Axis) -> Finding:
    """Return a finding that nothing can be said in a direction, and why."""
    return Finding(code=code, direction=axis, severity=Severity.UNKNOWN, pointer="", hint=HINTS[code])


def verdict(findings: Iterable[Finding], scope: str = "whole") -> CompatibilityVerdict:
    """Return what findings come to. Whoever hops reads in both directions: it is no safer than either."""
    ordered = tuple(
        sorted(findings, key=lambda finding: (-finding.severity.rank, finding.direction, finding.pointer, finding.code))
    )
    open_ = [finding for finding in ordered if not finding.waived_by]
    backward, forward = (_worst(open_, axis) for axis in (Axis.BACKWARD, Axis.FORWARD))
    hop = max(_worst(open_, Axis.HOP), backward, forward, key=lambda finding: finding.rank)
    return CompatibilityVerdict.model_validate(
        {"backward": backward, "forward": forward, "hop": hop, "scope": scope, "findings": ordered}
    )


def _worst(findings: Iterable[Finding], axis: Axis) -> Severity:
    return max(
        (finding.severity for finding in findings if finding.direction is axis),
        key=lambda s: s.rank,
        default=Severity.OK,
    )


def missing() -> CompatibilityVerdict:
    """Return the verdict where a version has no contract: nothing is known, which is not nothing wrong."""
    return verdict([unknown("NO_CONTRACT", axis) for axis in (Axis.BACKWARD, Axis.FORWARD)])
