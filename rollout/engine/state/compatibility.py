"""The state gate: may the candidate read what stable wrote, and can it be rolled back? Decided here, read elsewhere.

A verdict is made of contracts in Preflight. A census of live conversations confirms it, clears what nobody is affected
by, and notices, during the release, that the candidate has written what stable cannot read.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from rollout.contracts.check import check, missing, unknown, verdict
from rollout.contracts.contract_text import read
from rollout.contracts.waivers import waived
from rollout.engine.context import PlanContext
from rollout.engine.state.point_of_no_return import note_no_return
from rollout.engine.state.required import gate_of
from rollout.errors import InvalidInput
from rollout.model.agent_state import (
    FINDINGS_KEPT,
    Axis,
    Compatibility,
    CompatibilityVerdict,
    Finding,
    StateGate,
    Waiver,
)
from rollout.model.api.policy import digest
from rollout.model.status.release import Pinned
from rollout.model.status.vocabulary import Phase

TEXT_KEPT = 60_000
"""A contract longer than this is not kept in the status, only its digest."""


@lru_cache(maxsize=64)
def _checked(old: str, new: str, waivers: tuple[Waiver, ...], today: date) -> CompatibilityVerdict:
    comparison = check(read(old, "stable's contract"), read(new, "candidate's contract"), waivers=waivers, today=today)
    if comparison.scope == "whole":
        return comparison
    unseen = [unknown("NO_TOPOLOGY", axis) for axis in (Axis.BACKWARD, Axis.FORWARD)]
    return verdict(
        [waived(finding, waivers, today) for finding in (*comparison.findings, *unseen)], scope=comparison.scope
    )


def note_state(context: PlanContext) -> None:
    """Take in contracts and the census of live conversations."""
    gate = gate_of(context)
    if gate is None or not context.status.is_active:
        return
    if context.status.phase is Phase.PREFLIGHT and context.facts.contracts:
        _note_contracts(context, gate)
    state, census = context.release.state, context.facts.census
    if state is None:
        return
    if census is not None and (state.census is None or census.at > state.census.at):
        state = state.model_copy(update={"census": census})
        context.update_release(state=state)
    note_no_return(context, state)


def _note_contracts(context: PlanContext, gate: StateGate) -> None:
    status = context.status
    old, new = status.stable_version or "", status.candidate_version or ""
    try:
        texts = {version: _text_of(context, version) for version in (old, new)}
        verdict = _checked(texts[old], texts[new], gate.waivers, context.now.date())
    except InvalidInput as error:
        problem = "; ".join(f"{fault.path}: {fault.message}" for fault in error.faults[:3])
        _keep(context, Compatibility(verdict=missing(), problem=problem))
        return
    except LookupError as error:
        _keep(context, Compatibility(verdict=missing(), problem=str(error.args[0])))
        return
    kept = {version: pinned for version, pinned in status.contracts.items() if version == status.previous_version}
    pinned = {version: Pinned(text=_kept(text), digest=digest(text)) for version, text in texts.items()}
    context.update(contracts={**kept, **pinned})
    digests = {version: contract.digest for version, contract in pinned.items()}
    findings = tuple(finding for axis in Axis for finding in _few(verdict, axis))
    _keep(context, Compatibility(verdict=verdict.model_copy(update={"findings": findings}), digests=digests))


def _few(verdict: CompatibilityVerdict, axis: Axis) -> list[Finding]:
    """Return as many findings of a direction as are kept, those first that nothing clears; the rest as one."""
    every = [finding for finding in verdict.findings if finding.direction is axis]
    every.sort(key=lambda finding: (bool(finding.waived_by), finding.clearable, -finding.severity.rank))
    kept, rest = every[:FINDINGS_KEPT], [finding for finding in every[FINDINGS_KEPT:] if not finding.waived_by]
    if rest:
        worst = max(rest, key=lambda finding: finding.severity.rank)
        hint = f"{len(rest)} more: rollout contract check shows them all"
        kept.append(Finding(code="MORE_FINDINGS", direction=axis, severity=worst.severity, pointer="", hint=hint))
    return kept


def _keep(context: PlanContext, compatibility: Compatibility) -> None:
    """Write a verdict down; what was seen of live conversations stays."""
    before = context.release.state
    if before is not None:
        compatibility = compatibility.model_copy(update={"census": before.census})
    if compatibility != before:
        context.update_release(state=compatibility)


def _kept(text: str) -> str:
    return text if len(text) <= TEXT_KEPT else ""


def _text_of(context: PlanContext, version: str) -> str:
    """Return a version's contract: stable's is the one it was promoted with. Raises LookupError without one."""
    pinned, fetched = context.status.contracts.get(version), context.facts.contracts.get(version)
    is_stable = version == context.status.stable_version
    if is_stable and pinned is not None and pinned.text:
        return pinned.text
    if fetched is None or fetched.problem:
        raise LookupError(f"the contract of {version}: {fetched.problem if fetched else 'nothing says where it is'}")
    text = read(fetched.text, f"the contract of {version}").canonical() if fetched.text else ""
    if is_stable and pinned is not None and digest(text) != pinned.digest:
        raise LookupError(f"the contract of {version} is not the one that it was promoted with")
    return text
