"""Waivers: somebody answers for a finding, with a reason, until a day. Some things nobody can answer for."""

from __future__ import annotations

from datetime import date

from rollout.contracts.finding_codes import UNSAFE
from rollout.model.agent_state import Finding, Waiver
from rollout.model.validation.state import UNWAIVABLE


def waived(finding: Finding, waivers: tuple[Waiver, ...], today: date) -> Finding:
    """Return the finding, marked if a waiver holds for it. One that has expired holds no more."""
    for waiver in waivers:
        if holds(waiver, finding, today):
            by = f"{waiver.owner}, until {waiver.expires}: {waiver.reason}"
            return finding.model_copy(update={"waived_by": by})
    return finding


def holds(waiver: Waiver, finding: Finding, today: date) -> bool:
    """Whether a waiver is for this finding, in force, and enough."""
    if waiver.code != finding.code or finding.code in UNWAIVABLE or today > waiver.expires:
        return False
    if finding.code in UNSAFE and not waiver.accept_unsafe:
        return False
    return not waiver.pointer or finding.pointer == waiver.pointer or finding.pointer.startswith(waiver.pointer + "/")
