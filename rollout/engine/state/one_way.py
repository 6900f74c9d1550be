"""What of a verdict matters where started conversations stay on their versions: no version reads another's then."""

from __future__ import annotations

from rollout.contracts.check import verdict
from rollout.model.agent_state import CompatibilityVerdict, Severity

SHARED = frozenset({"LIBRARY_SKEW"})
"""Findings about what all conversations share: a newer library may change the tables. Pins do not help there."""


def as_pinned(compared: CompatibilityVerdict) -> CompatibilityVerdict:
    """Return a verdict without the findings that only concern a conversation that changes its version."""
    findings = [
        finding if finding.code in SHARED else finding.model_copy(update={"severity": Severity.OK})
        for finding in compared.findings
    ]
    return verdict(findings, scope=compared.scope)
