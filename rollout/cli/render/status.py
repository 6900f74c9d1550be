"""A rollout as a tree for a terminal: pure, so that the live screen, `status` and the tests share it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rollout.cli.render import kpis
from rollout.cli.render.bars import share_bar
from rollout.cli.render.line import Line, Piece, joined, line, wrapped
from rollout.cli.render.tree import Branch, drawn, text
from rollout.engine import messages
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.views.gates import GateView
from rollout.views.kpi import Tone
from rollout.views.release import ReleaseView, under_way
from rollout.views.weights import CurrentWeight

STYLES: dict[Tone, str] = {"good": "green", "bad": "red", "wait": "yellow", "none": "cyan"}
_ICONS: dict[Tone, str] = {"good": "✔", "bad": "✖", "wait": "‖", "none": "◌"}
_STEPS = {"passed": ("✔", "green"), "current": ("◌", "bold cyan"), "stopped here": ("✖", "red"), "ahead": ("·", "dim")}

BAR_MAX, BAR_MIN = 28, 10
NO_CONTROLLER = "no controller is running. To continue: rollout start. To roll back: rollout abort"


def draw(
    rollout: Rollout,
    now: datetime,
    width: int = 80,
    *,
    verbose: bool = False,
    holder: str | None = None,
    problem: str = "",
) -> list[Line]:
    """Return the whole picture of a rollout; no line is wider than `width`, from 32 columns on.

    Args:
        verbose: whether to add the statistics: e-values, intervals, dispersion.
        holder: who carries it out, empty if nobody does; None where that is not known.
        problem: why it cannot be carried out as it is declared.
    """
    view = under_way(rollout, (), now)
    branches = [*_release(view, verbose=verbose), *_surroundings(rollout.status, view, verbose=verbose)]
    branches += [text("wrong", problem, "red")] if problem else []
    branches += _stop(rollout, holder)
    return drawn(_head(rollout.metadata.name, rollout.status, view, now), branches, width)


def _head(name: str, status: Status, view: ReleaseView, now: datetime) -> list[Line]:
    versions = status.stable_version or "?"
    if view.candidate and (status.is_active or status.phase is Phase.ROLLED_BACK):
        versions = f"{view.previous} → {view.candidate}"
    icon = "⚠" if status.phase is Phase.FROZEN else _ICONS[view.tone]
    parts = [line(name, "bold"), line(versions), line(f"{icon} {view.headline}", f"bold {STYLES[view.tone]}")]
    if status.is_active and status.latest.retries:
        parts.append(line(f"try {status.latest.retries + 1}", "dim"))
    if status.is_active and view.started_at:
        parts.append(line(messages.span((now - view.started_at).total_seconds()), "dim"))
    return parts


def _release(view: ReleaseView, *, verbose: bool) -> Iterator[Branch]:
    yield text("why", view.message)
    if view.next:
        yield text("next", ", ".join(part for part in (view.next, view.outlook.message) if part))
    if view.steps and (view.current is not None or view.tone == "bad"):
        yield Branch("steps", lambda width: list(joined([_step(step.state, step.label) for step in view.steps], width)))
    if view.current is not None:
        current = view.current
        yield Branch("weight", lambda width: _weight(current, width))
    if view.kpis:
        yield kpis.branch(view, verbose=verbose)
    if view.gates:
        yield _gates(view.gates, verbose=verbose)


def _step(state: str, label: str) -> Line:
    icon, style = _STEPS[state]
    return line(f"{icon} {label}", style)


def _weight(current: CurrentWeight, width: int) -> list[Line]:
    """Return the share that is intended, above the one that was seen."""
    intended = f"{current.label} intended, {current.state}"
    columns = min(BAR_MAX, width - 2 - max(len(intended), len(current.counted)))
    if columns < BAR_MIN:
        return [*wrapped(intended, width), *wrapped(current.counted, width)]
    seen = share_bar(current.seen or 0.0, columns, "cyan")
    return [
        Line((*share_bar(current.intended, columns, "blue").pieces, Piece(f"  {intended}"))),
        Line((*seen.pieces, Piece(f"  {current.counted}", "" if current.seen is not None else "dim"))),
    ]


def _gates(gates: tuple[GateView, ...], *, verbose: bool) -> Branch:
    """Return the gates: those that hold up nothing side by side, the others with what they wait for."""
    below = [gate for gate in gates if verbose or gate.tone in ("bad", "wait")]
    marks = [
        line(f"{'✔' if gate.tone == 'good' else '·'} {gate.name}", STYLES[gate.tone])
        for gate in gates
        if gate not in below
    ]
    return Branch("gates", lambda width: list(joined(marks, width)), tuple(map(_gate, below)))


def _gate(gate: GateView) -> Branch:
    message = f"{gate.state}{f': {gate.message}' if gate.message else ''}"
    return Branch(f"{_ICONS[gate.tone]} {gate.name}", text("", message).content, style=STYLES[gate.tone])


def _surroundings(status: Status, view: ReleaseView, *, verbose: bool) -> Iterator[Branch]:
    """Yield what is around a release: conversations, state, roles, pins, notes, the last command."""
    shown = [one for one in view.conversations if status.is_active or one.role == "draining"]
    if shown:
        below = tuple(
            text(
                f"{one.version} {one.role}",
                one.open if one.role == "draining" else f"{one.new} of new ones; started ones {one.open}",
            )
            for one in shown
        )
        yield Branch("conversations", below=below)
    if status.is_active and view.verdicts:
        yield text("state", "; ".join(part for part in (view.verdicts, view.census) if part))
    if roles := _roles(status):
        yield text("roles", roles)
    if status.pins and verbose:
        yield text("pins", str(status.pins))
    for note in view.notes:
        blocked = status.blocked is not None and note == status.blocked.message
        yield text("stuck" if blocked else "note", note, "bold red" if blocked else "yellow")
    if status.last_command is not None and status.is_active:
        last = status.last_command
        refused = "" if last.accepted else "refused: "
        yield text("last", f"{last.verb} by {last.actor}: {refused}{last.message}", "dim")


def _roles(status: Status) -> str:
    """Say what runs behind the Services of roles, and which of them serves the stable version."""
    versions = status.role_versions
    if versions is None:
        return ""
    both = f"{versions.stable or '?'} behind the stable Service, {versions.candidate or '?'} behind the candidate's"
    return f"{both}, which serves" if versions.serving == "candidate" else both


def _stop(rollout: Rollout, holder: str | None) -> Iterator[Branch]:
    status = rollout.status
    if not status.is_active:
        return
    if holder is not None:
        yield text("who", f"{holder} carries it out" if holder else NO_CONTROLLER, "dim" if holder else "yellow")
    if status.phase not in (Phase.ROLLING_BACK, Phase.SUPERSEDING, Phase.DRAINING):
        yield text("stop", f"rollout abort {rollout.metadata.name}", "dim")
