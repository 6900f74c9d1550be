"""The state gate: may the candidate read what stable wrote, and can it be rolled back? Decided here, read elsewhere.

A verdict is made of contracts in Preflight; looks at live conversations confirm it, clear what nobody is affected by,
and notice, during the rollout, that the candidate has written what stable cannot read.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from rollout.contracts.check import check, missing, unknown, verdict
from rollout.contracts.contract import read
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
    found = check(read(old, "stable's contract"), read(new, "candidate's contract"), waivers=waivers, today=today)
    if found.scope == "whole":
        return found
    unseen = [unknown("NO_TOPOLOGY", axis) for axis in (Axis.BACKWARD, Axis.FORWARD)]
    return verdict([waived(each, waivers, today) for each in (*found.findings, *unseen)], scope=found.scope)


def note_state(context: PlanContext) -> None:
    """Take in contracts and looks at live conversations."""
    gate = gate_of(context)
    if gate is None or not context.status.is_active:
        return
    if context.status.phase is Phase.PREFLIGHT and context.facts.contracts:
        _note_contracts(context, gate)
    state, looked = context.release.state, context.facts.looked
    if state is None:
        return
    if looked is not None and (state.looked is None or looked.at > state.looked.at):
        state = state.model_copy(update={"looked": looked})
        context.update_release(state=state)
    note_no_return(context, state)


def _note_contracts(context: PlanContext, gate: StateGate) -> None:
    status = context.status
    old, new = status.stable_version or "", status.candidate_version or ""
    try:
        texts = {version: _text_of(context, version) for version in (old, new)}
        found = _checked(texts[old], texts[new], gate.waivers, context.now.date())
    except InvalidInput as error:
        told = "; ".join(f"{fault.path}: {fault.message}" for fault in error.faults[:3])
        _keep(context, Compatibility(verdict=missing(), problem=told))
        return
    except LookupError as error:
        _keep(context, Compatibility(verdict=missing(), problem=str(error.args[0])))
        return
    kept = {version: pinned for version, pinned in status.contracts.items() if version == status.previous_version}
    pinned = {version: Pinned(text=_kept(text), digest=digest(text)) for version, text in texts.items()}
    context.update(contracts={**kept, **pinned})
    digests = {version: each.digest for version, each in pinned.items()}
    findings = tuple(each for axis in Axis for each in _few(found, axis))
    _keep(context, Compatibility(verdict=found.model_copy(update={"findings": findings}), digests=digests))


def _few(found: CompatibilityVerdict, axis: Axis) -> list[Finding]:
    """Return as many findings of a direction as are kept, those first that nothing clears; the rest as one."""
    every = [each for each in found.findings if each.direction is axis]
    every.sort(key=lambda each: (bool(each.waived_by), each.clearable, -each.severity.rank))
    kept, rest = every[:FINDINGS_KEPT], [each for each in every[FINDINGS_KEPT:] if not each.waived_by]
    if rest:
        worst = max(rest, key=lambda each: each.severity.rank)
        hint = f"{len(rest)} more: rollout contract check shows them all"
        kept.append(Finding(code="MORE_FINDINGS", direction=axis, severity=worst.severity, pointer="", hint=hint))
    return kept


def _keep(context: PlanContext, found: Compatibility) -> None:
    """Write a verdict down; what was seen of live conversations stays."""
    before = context.release.state
    if before is not None:
        found = found.model_copy(update={"looked": before.looked})
    if found != before:
        context.update_release(state=found)


def _kept(text: str) -> str:
    return text if len(text) <= TEXT_KEPT else ""


def _text_of(context: PlanContext, version: str) -> str:
    """Return a version's contract: stable's is the one it was promoted with. Raises LookupError without one."""
    pinned, told = context.status.contracts.get(version), context.facts.contracts.get(version)
    is_stable = version == context.status.stable_version
    if is_stable and pinned is not None and pinned.text:
        return pinned.text
    if told is None or told.problem:
        raise LookupError(f"the contract of {version}: {told.problem if told else 'nothing says where it is'}")
    text = read(told.text, f"the contract of {version}").canonical() if told.text else ""
    if is_stable and pinned is not None and digest(text) != pinned.digest:
        raise LookupError(f"the contract of {version} is not the one that it was promoted with")
    return text
