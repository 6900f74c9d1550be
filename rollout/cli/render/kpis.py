"""KPIs in a terminal: is the candidate worse, is it proved to be no worse, and how far is it from either?"""

from __future__ import annotations

from functools import partial

from rollout.cli.render.bars import evidence_bar
from rollout.cli.render.line import Line, Piece, joined, line, wrapped
from rollout.cli.render.tree import Branch
from rollout.views.overview import KpiOverview, Overview

BAR = 11
"""Columns of a bar of evidence: at 20 needed each cell before the mark is a factor of about 1.5."""

LEGEND = "┃ is what is needed, on a log scale; pp: percentage points; phi: how much failures cluster, 1 is not at all"

GAP = "  "
_WORSE = {"yes": "red", "suspected": "yellow", "no": "green"}


def branch(overview: Overview, *, verbose: bool, compact: bool) -> Branch:
    """Return the KPIs of a release: all of them together, then each."""
    below = tuple(
        Branch(kpi.name, partial(_rows, overview, kpi, verbose=verbose, compact=compact)) for kpi in overview.kpis
    )
    return Branch("KPIs", partial(_together, overview, verbose=verbose), below)


def _together(overview: Overview, width: int, *, verbose: bool) -> list[Line]:
    """Return what all KPIs say together: that is what a rollback is decided by."""
    worse = overview.worse == "yes"
    answer = Piece(f"worse? {overview.worse}", _WORSE.get(overview.worse, "yellow"))
    how_far = f"harm: {int(overview.harm_done * 100)} % of what a rollback needs"
    bar = evidence_bar(overview.harm_done, BAR, "red" if worse else "yellow")
    lines = [Line((answer, Piece(GAP), *bar.pieces, Piece(GAP), Piece(how_far, "dim")))]
    if len(lines[0].text) > width:
        fits = len(answer.text) + len(GAP) + BAR <= width
        lines = [Line((answer, Piece(GAP), *bar.pieces)) if fits else Line((answer,)), *wrapped(how_far, width, "dim")]
    return [*lines, *(one for text in (overview.harm, LEGEND) if verbose for one in wrapped(text, width, "dim"))]


def _rows(overview: Overview, kpi: KpiOverview, width: int, *, verbose: bool, compact: bool) -> list[Line]:
    """Return the lines of one KPI, in columns that all KPIs of the release share."""
    worse = max(len(one.worse) for one in overview.kpis)
    proved = max(len(one.proved) for one in overview.kpis)
    answers = Line((*_worse(kpi, worse), Piece(GAP), *_proved(kpi, proved)))
    candidate, stable = overview.arms
    arms = [line(f"{candidate} {kpi.candidate}", "dim"), line(f"{stable} {kpi.stable}", "dim")]
    beside = sum(len(one.text) + len(GAP) for one in (answers, *arms)) - len(GAP)
    if beside <= width:
        lines = list(joined([answers, *arms], width, GAP))
    else:
        first = [answers] if len(answers.text) <= width else [*_in_words(kpi)]
        lines = [*joined(first, width, GAP), *([] if compact else joined(arms, width, GAP))]
    if compact:
        return lines
    more = (kpi.problem, kpi.left, kpi.statistics if verbose else "")
    return [*lines, *(one for text in more if text for one in wrapped(text, width, "dim"))]


def _in_words(kpi: KpiOverview) -> tuple[Line, Line]:
    """Return the answers without their bars, for where there is no room."""
    return line(f"worse? {kpi.worse}", _WORSE.get(kpi.worse, "yellow")), line(f"proved? {kpi.proved}")


def _worse(kpi: KpiOverview, columns: int) -> tuple[Piece, ...]:
    return (
        Piece("worse? ", "dim"),
        Piece(kpi.worse.ljust(columns), _WORSE.get(kpi.worse, "yellow")),
        Piece(" "),
        *evidence_bar(kpi.harm_done, BAR, "red" if kpi.worse == "yes" else "yellow").pieces,
    )


def _proved(kpi: KpiOverview, columns: int) -> tuple[Piece, ...]:
    answer = Piece(kpi.proved.ljust(columns), "green" if kpi.proved == "yes" else "")
    if kpi.proof_done is None:
        return Piece("proved? ", "dim"), answer, Piece(" " * (BAR + 1))
    return Piece("proved? ", "dim"), answer, Piece(" "), *evidence_bar(kpi.proof_done, BAR, "green").pieces
