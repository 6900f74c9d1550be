"""The state gate: may the candidate read what stable wrote, and can it be rolled back? Decided here, read elsewhere.

A verdict is made of contracts in Preflight; looks at live conversations confirm it, clear what nobody is affected by,
and notice, during the rollout, that the candidate has written what stable cannot read.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from rollout.contracts.check import check, missing, unknown, verdict
from rollout.contracts.contract import read
from rollout.contracts.waivers import waived
from rollout.contracts.words import brief, reason, remedy
from rollout.engine import words
from rollout.engine.closed import Closed
from rollout.engine.draft import Draft
from rollout.errors import InvalidInput
from rollout.model.policy import digest
from rollout.model.state import FINDINGS_KEPT, Axis, Finding, Severity, StateGate, Verdict, Waiver
from rollout.model.status import Compatibility, Looked, Phase, Pinned, Reason

TEXT_KEPT = 60_000
"""A contract longer than this is not kept in the status, only its digest."""

_REQUIRED = {
    "none": (),
    "backward": (Axis.BACKWARD,),
    "forward": (Axis.FORWARD,),
    "full": (Axis.BACKWARD, Axis.FORWARD),
}


def gate_of(draft: Draft) -> StateGate | None:
    """Return the gate in force: the policy's; the strict one where only a contract is declared; else none."""
    if draft.status.undoing:
        return None  # who goes back has decided
    if draft.policy.gates.state is not None:
        return None if draft.policy.gates.state.require == "none" else draft.policy.gates.state
    return StateGate() if draft.spec.contract is not None else None


@lru_cache(maxsize=64)
def _checked(old: str, new: str, waivers: tuple[Waiver, ...], today: date) -> Verdict:
    found = check(read(old, "stable's contract"), read(new, "candidate's contract"), waivers=waivers, today=today)
    if found.scope == "whole":
        return found
    unseen = [unknown("NO_TOPOLOGY", axis) for axis in (Axis.BACKWARD, Axis.FORWARD)]
    return verdict([waived(each, waivers, today) for each in (*found.findings, *unseen)], scope=found.scope)


def note_state(draft: Draft) -> None:
    """Take in contracts and looks at live conversations."""
    gate = gate_of(draft)
    if gate is None or not draft.status.is_active:
        return
    if draft.status.phase is Phase.PREFLIGHT and draft.facts.contracts:
        _note_contracts(draft, gate)
    state, looked = draft.status.state, draft.facts.looked
    if state is None:
        return
    if looked is not None and (state.looked is None or looked.at > state.looked.at):
        state = state.model_copy(update={"looked": looked})
        draft.update(state=state)
    _note_no_return(draft, state)


def _note_contracts(draft: Draft, gate: StateGate) -> None:
    status = draft.status
    old, new = status.stable_version or "", status.candidate_version or ""
    try:
        texts = {version: _text_of(draft, version) for version in (old, new)}
        found = _checked(texts[old], texts[new], gate.waivers, draft.now.date())
    except InvalidInput as error:
        told = "; ".join(f"{fault.path}: {fault.message}" for fault in error.faults[:3])
        _keep(draft, Compatibility(verdict=missing(), problem=told))
        return
    except LookupError as error:
        _keep(draft, Compatibility(verdict=missing(), problem=str(error.args[0])))
        return
    kept = {version: pinned for version, pinned in status.contracts.items() if version == status.previous_version}
    pinned = {version: Pinned(text=_kept(text), digest=digest(text)) for version, text in texts.items()}
    draft.update(contracts={**kept, **pinned})
    digests = {version: each.digest for version, each in pinned.items()}
    found = found.model_copy(update={"findings": found.findings[:FINDINGS_KEPT]})
    _keep(draft, Compatibility(verdict=found, digests=digests))


def _keep(draft: Draft, found: Compatibility) -> None:
    """Write a verdict down; what was seen of live conversations stays."""
    before = draft.status.state
    if before is not None:
        found = found.model_copy(update={"looked": before.looked})
    if found != before:
        draft.update(state=found)


def _kept(text: str) -> str:
    return text if len(text) <= TEXT_KEPT else ""


def _text_of(draft: Draft, version: str) -> str:
    """Return a version's contract: stable's is the one it was promoted with. Raises LookupError without one."""
    pinned, told = draft.status.contracts.get(version), draft.facts.contracts.get(version)
    is_stable = version == draft.status.stable_version
    if is_stable and pinned is not None and pinned.text:
        return pinned.text
    if told is None or told.problem:
        raise LookupError(f"the contract of {version}: {told.problem if told else 'nothing says where it is'}")
    text = read(told.text, f"the contract of {version}").canonical() if told.text else ""
    if is_stable and pinned is not None and digest(text) != pinned.digest:
        raise LookupError(f"the contract of {version} is not the one that it was promoted with")
    return text


def state_is_compatible(draft: Draft) -> Closed | None:
    """Let no traffic move before the state of both versions is known to go together, as far as the policy asks."""
    gate = gate_of(draft)
    if gate is None:
        return None
    state = draft.status.state
    if state is None or state.verdict is None:
        return Closed(Reason.CHECKING, "reads the state contracts of both versions")
    if draft.spec.state_store is not None and state.looked is None:
        return Closed(Reason.CHECKING, "looks at live conversations")
    looked, axes = state.looked, _axes(draft, gate)
    settled = settle(state, watched=draft.spec.state_store is not None)
    bad = [axis for axis in axes if settled.of(axis) in (Severity.BREAK, Severity.RISK)]
    if bad:
        return Closed(Reason.STATE_INCOMPATIBLE, _told(draft, settled, bad))
    unknown = [axis for axis in axes if settled.of(axis) is Severity.UNKNOWN]
    trouble = state.problem or (looked.problem if looked else "")
    if gate.on_unknown == "block" and (unknown or trouble):
        told = trouble or brief(settled, unknown)
        return Closed(Reason.STATE_UNKNOWN, f"whether the state goes together cannot be told: {told}")
    return None


def _axes(draft: Draft, gate: StateGate) -> tuple[Axis, ...]:
    """Return the directions that must be safe. Where requests are split one by one, a conversation also hops."""
    required = _REQUIRED[gate.require]
    return (*required, Axis.HOP) if gate.require == "full" and not draft.spec.is_local else required


def _told(draft: Draft, settled: Verdict, axes: Iterable[Axis]) -> str:
    status = draft.status
    old, new = status.stable_version, status.candidate_version
    meaning = {
        Axis.BACKWARD: f"{new} cannot safely go on with conversations of {old}",
        Axis.FORWARD: f"{old} could not go on with conversations of {new} after a rollback",
        Axis.HOP: f"a conversation that goes to {new} and back would lose something",
    }
    axes = list(axes)
    told = "; ".join(f"{meaning[axis]}: {reason(settled, axis)}" for axis in axes)
    return f"{told}. What helps: {remedy(settled, axes[0])}"


def settle(state: Compatibility, *, watched: bool) -> Verdict:
    """Return the verdict with what a look at live conversations adds to it, or clears.

    watched: whether live conversations are looked at all along; then a risk that somebody may come to wait at a new
    node is watched instead of barred.
    """
    assert state.verdict is not None
    looked = state.looked
    findings = [_cleared(each, looked, watched=watched) for each in state.verdict.findings]
    if looked is not None and looked.backward:
        findings.append(_seen(looked))
    return verdict(findings, scope=state.verdict.scope)


def _cleared(finding: Finding, looked: Looked | None, *, watched: bool) -> Finding:
    if not finding.clearable or finding.waived_by:
        return finding
    if finding.direction is Axis.FORWARD:
        mild = watched and finding.severity is Severity.RISK
        return finding.model_copy(update={"severity": Severity.OK}) if mild else finding
    if looked is None or not looked.complete or looked.problem:
        return finding
    places = set(finding.nodes)
    waiting = sum(looked.waiting.get(place, 0) for place in places) if places else sum(looked.waiting.values())
    changes = {"affected": waiting, "evidence": "sample"}
    return finding.model_copy(update=changes if waiting else {**changes, "severity": Severity.OK})


def _seen(looked: Looked) -> Finding:
    """Return what a look at live conversations found itself."""
    reasons = ", ".join(f"{reason} ({count})" for reason, count in list(looked.backward_reasons.items())[:3])
    return Finding(
        code="LIVE_CONVERSATIONS",
        direction=Axis.BACKWARD,
        severity=Severity.BREAK,
        pointer="",
        old=reasons or "conversations",
        new="cannot be read, or would be ended",
        hint="what is stored decides, whatever the contracts say",
        evidence="sample",
        affected=looked.backward,
    )


def _note_no_return(draft: Draft, state: Compatibility) -> None:
    """Notice that the candidate has written what stable cannot read: from then on a rollback does harm."""
    status = draft.status
    served = status.traffic.wanted_bp > 0 and status.traffic.applied_at is not None
    looked = state.looked
    seen = looked.forward if looked is not None and not looked.problem else 0
    began = status.started_at
    fresh = looked is not None and began is not None and looked.at >= began
    if fresh and seen and (served or state.no_return_at is not None):
        changed = state.model_copy(update={"no_return_at": state.no_return_at or draft.now, "affected": seen})
    elif served and draft.spec.state_store is None and _is_one_way(state):
        changed = state.model_copy(update={"no_return_at": state.no_return_at or draft.now})
    else:
        return
    if changed != state:
        draft.update(state=changed)
        if state.no_return_at is None:
            draft.record("check", message=no_return(draft))


def _is_one_way(state: Compatibility) -> bool:
    """Whether stable is known not to read what the candidate writes, waived or not."""
    found = state.verdict.findings if state.verdict else ()
    return any(each.direction is Axis.FORWARD and each.severity is Severity.BREAK for each in found)


def no_return(draft: Draft) -> str:
    """Say that, and for how many conversations, a rollback would do harm; an empty text where it would not."""
    state, status = draft.status.state, draft.status
    if state is None or state.no_return_at is None:
        return ""
    many = "nobody can count how many" if state.affected is None else words.conversations(state.affected)
    return f"point of no return: {status.stable_version} cannot read what {status.candidate_version} wrote ({many})"


def rollback_harms(draft: Draft) -> bool:
    """Whether going back by itself is barred: somebody would lose their conversation."""
    gate = gate_of(draft)
    past = draft.status.state is not None and draft.status.state.no_return_at is not None
    return past and gate is not None and gate.past_no_return == "freeze"


def live_harm(draft: Draft) -> str:
    """Say that the candidate cannot go on with conversations that live now, if that is so and is asked about."""
    gate, state = gate_of(draft), draft.status.state
    if gate is None or state is None or state.looked is None or not state.looked.backward:
        return ""
    if Axis.BACKWARD not in _axes(draft, gate):
        return ""
    finding = _seen(state.looked)
    many = words.conversations(state.looked.backward)
    return f"{draft.status.candidate_version} cannot go on with {many} of {draft.status.stable_version}: {finding.old}"
