"""Telling each thing once: rules look from several sides, and a person wants to read of one change one time."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.model.agent_state import Axis, Finding

SHOWN_MAX = 120
VALUES_SHOWN = 6

_LOST = frozenset({"KEY_ADDED", "KEY_REMOVED"})
_FOLLOWS_FROM_TYPE = frozenset({"NARROWED", "WIDENED", "DEFAULT_CHANGED"})


def once(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings without those that say again what another one says; the verdict stays the same."""
    merged = _merged(findings)
    ranks: dict[tuple[str, ...], int] = {}
    for finding in merged:
        for subject in _subjects(finding):
            ranks[subject] = max(ranks.get(subject, -1), finding.severity.rank)
    return [finding for finding in merged if ranks.get(_repeats(finding), -1) < finding.severity.rank]


def _subjects(finding: Finding) -> list[tuple[str, ...]]:
    """Return what a finding speaks for, so that weaker ones about it need not be told."""
    subjects: list[tuple[str, ...]] = []
    if finding.code == "TYPE_CHANGED":
        subjects.append(("type", finding.direction, _key_of(finding)))
    if finding.code == "KEY_RENAMED":
        subjects += [("lost", finding.old), ("lost", finding.new)]
    if finding.direction is not Axis.HOP:
        subjects.append(("hop", finding.code, _name_of(finding)))
        if finding.code in _LOST:
            subjects.append(("lost", _name_of(finding)))
    return subjects


def _repeats(finding: Finding) -> tuple[str, ...]:
    """Return the subject that a finding only adds to."""
    if finding.code in _FOLLOWS_FROM_TYPE:
        return ("type", finding.direction, _key_of(finding))
    if finding.direction is Axis.HOP:
        return ("lost", _name_of(finding)) if finding.code in _LOST else ("hop", finding.code, _name_of(finding))
    return ()


def _name_of(finding: Finding) -> str:
    return finding.pointer.rpartition("/")[2]


def _key_of(finding: Finding) -> str:
    """Return the pointer to the key that a finding about a keyword is about."""
    return finding.pointer.rpartition("/")[0]


def _merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return one finding for all of one code at one place: an old value that became any of several, say."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        key = (finding.code, finding.direction, finding.severity, finding.pointer, finding.clearable, finding.nodes)
        groups.setdefault(key, []).append(finding)
    return [
        group[0].model_copy(update={side: _listed(getattr(one, side) for one in group) for side in ("old", "new")})
        for group in groups.values()
    ]


def _listed(texts: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(texts))
    more = f" and {len(distinct) - VALUES_SHOWN} more" if len(distinct) > VALUES_SHOWN else ""
    return (", ".join(distinct[:VALUES_SHOWN]) + more)[:SHOWN_MAX]
