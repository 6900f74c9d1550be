"""A rollout as a tree for a terminal: pure, so that the live screen, `status` and the tests share it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from rollout.cli.render import kpis
from rollout.cli.render.bars import share_bar
from rollout.cli.render.line import Line, Piece, joined, line, wrapped
from rollout.cli.render.tree import Branch, drawn, text
from rollout.model.wording import span
from rollout.views.overview import GateOverview, Overview, VersionOverview, WeightOverview

STYLES = {"good": "green", "bad": "red", "wait": "yellow", "none": "cyan"}
_ICONS = {"good": "✔", "bad": "✖", "wait": "‖", "none": "◌"}
_STEPS = {"passed": ("✔", "green"), "current": ("◌", "bold cyan"), "stopped here": ("✖", "red"), "ahead": ("·", "dim")}

BAR_MAX, BAR_MIN = 28, 10


def draw(
    overview: Overview,
    now: float,
    width: int = 80,
    *,
    verbose: bool = False,
    compact: bool = False,
    holder: str | None = None,
    problem: str = "",
) -> list[Line]:
    """Return the whole picture of a rollout; no line is wider than `width`, from 32 columns on.

    Args:
        now: in unix seconds.
        verbose: whether to add the statistics: e-values, intervals, dispersion.
        compact: whether to leave out what can be missed where there is little room.
        holder: who carries it out, empty if nobody does; None where that is not known.
        problem: why it cannot be carried out as it is declared.
    """
    branches = [*_missing(overview, holder, problem), *_release(overview, now, verbose=verbose, compact=compact)]
    branches += [] if compact else _surroundings(overview, now, verbose=verbose)
    branches += _notes(overview)
    branches += _stop(overview, holder)
    return drawn(_head(overview, now), branches, width)


def _head(overview: Overview, now: float) -> list[Line]:
    icon = "⚠" if overview.headline == "Frozen" else _ICONS[overview.tone]
    phase = line(f"{icon} {overview.headline}", f"bold {STYLES[overview.tone]}")
    parts = [line(overview.name, "bold"), line(overview.versions), phase]
    if overview.active and overview.tries:
        parts.append(line(f"try {overview.tries + 1}", "dim"))
    if overview.active and overview.started_at is not None:
        parts.append(line(span(now - overview.started_at), "dim"))
    return parts


def _missing(overview: Overview, holder: str | None, problem: str) -> Iterator[Branch]:
    """Yield what keeps the release from going on, first of all: that it cannot, or that nobody carries it out."""
    if problem:
        yield text("wrong", problem, "red")
    if overview.active and holder == "":
        start = f"To continue: rollout start {overview.arms[0]}"
        stop = ". To roll back: rollout abort" if overview.stoppable else ""
        yield text("who", f"no controller is running, so nothing moves. {start}{stop}", "yellow")


def _release(overview: Overview, now: float, *, verbose: bool, compact: bool) -> Iterator[Branch]:
    yield text("why", overview.message)
    if overview.next:
        yield text("next", ", ".join(part for part in (overview.next, overview.left.message(now)) if part))
    if overview.steps:
        yield Branch("steps", partial(_steps, overview.steps))
    if overview.weight is not None:
        yield Branch("weight", partial(_weight, overview.weight))
    if overview.kpis:
        yield kpis.branch(overview, verbose=verbose, compact=compact)
    if overview.gates:
        yield _gates(overview.gates, verbose=verbose)


def _steps(steps: Sequence[tuple[str, str]], width: int) -> list[Line]:
    marks = [(_STEPS[state], label) for label, state in steps]
    return list(joined([line(f"{icon} {label}", style) for (icon, style), label in marks], width))


def _weight(weight: WeightOverview, width: int) -> list[Line]:
    """Return the share that is intended, above the one that was seen."""
    intended = f"{weight.label} intended, {weight.state}"
    columns = min(BAR_MAX, width - 2 - max(len(intended), len(weight.counted)))
    if columns < BAR_MIN:
        return [*wrapped(intended, width), *wrapped(weight.counted, width)]
    seen = share_bar(weight.seen or 0.0, columns, "cyan")
    return [
        Line((*share_bar(weight.intended, columns, "blue").pieces, Piece(f"  {intended}"))),
        Line((*seen.pieces, Piece(f"  {weight.counted}", "" if weight.seen is not None else "dim"))),
    ]


def _gates(gates: Sequence[GateOverview], *, verbose: bool) -> Branch:
    """Return the gates: those that hold up nothing side by side, the others with what they wait for."""
    below = [gate for gate in gates if verbose or gate.tone in ("bad", "wait")]
    marks = [
        line(f"✔ {gate.name}" if gate.tone == "good" else f"· {gate.name}: {gate.state}", STYLES[gate.tone])
        for gate in gates
        if gate not in below
    ]
    return Branch("gates", lambda width: list(joined(marks, width)), tuple(map(_gate, below)))


def _gate(gate: GateOverview) -> Branch:
    message = f"{gate.state}{f': {gate.message}' if gate.message else ''}"
    return Branch(f"{_ICONS[gate.tone]} {gate.name}", text("", message).content, style=STYLES[gate.tone])


def _surroundings(overview: Overview, now: float, *, verbose: bool) -> Iterator[Branch]:
    """Yield what is around a release: conversations, state, roles, pins, notes, the last command."""
    if overview.conversations:
        below = tuple(text(f"{one.version} {one.role}", _open(one, now)) for one in overview.conversations)
        yield Branch("conversations", below=below)
    if overview.state:
        yield text("state", overview.state)
    if overview.roles:
        yield text("roles", overview.roles)
    if overview.pins and verbose:
        yield text("pins", overview.pins)
    if overview.last:
        yield text("last", overview.last, "dim")


def _notes(overview: Overview) -> Iterator[Branch]:
    """Yield what somebody should look at."""
    for note, stuck in overview.notes:
        yield text("stuck" if stuck else "note", note, "bold red" if stuck else "yellow")
    if overview.untold:
        yield text("untold", overview.untold, "yellow")


def _open(one: VersionOverview, now: float) -> str:
    left_s = one.ends_at - now if one.ends_at is not None else 0.0
    return f"{one.text}, {one.then} in {span(left_s)}" if left_s > 0 else one.text


def _stop(overview: Overview, holder: str | None) -> Iterator[Branch]:
    if overview.active and holder:
        yield text("who", f"{holder} carries it out", "dim")
    if overview.stoppable:
        yield text("stop", f"rollout abort {overview.name}", "dim")
