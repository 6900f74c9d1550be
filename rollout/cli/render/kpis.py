"""KPIs in a terminal: is the candidate worse, is it proved to be no worse, and how far is it from either?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import inf

from rollout.cli.render.bars import evidence_bar
from rollout.cli.render.line import Line, Piece, joined, line, wrapped
from rollout.cli.render.tree import Branch
from rollout.engine import messages
from rollout.views.kpi import KpiView
from rollout.views.release import ReleaseView

BAR = 11
"""Columns of a bar of evidence: at 20 needed each cell before the mark is a factor of about 1.5."""

GAP = "  "
_WORSE = {"yes": "red", "suspected": "yellow", "no": "green"}


def branch(view: ReleaseView, *, verbose: bool) -> Branch:
    """Return the KPIs of a release: all of them together, then each."""
    below = tuple(Branch(kpi.name, partial(_rows, view, kpi, verbose=verbose)) for kpi in view.kpis)
    return Branch("KPIs", partial(_together, view, verbose=verbose), below)


def _together(view: ReleaseView, width: int, *, verbose: bool) -> list[Line]:
    """Return what all KPIs say together: that is what a rollback is decided by."""
    worse = view.harm_done >= 1.0
    answer = Piece("worse? yes" if worse else "worse? no", "red" if worse else "green")
    how_far = f"harm: {int(view.harm_done * 100)} % of what a rollback needs"
    bar = evidence_bar(view.harm_done, BAR, "red" if worse else "yellow")
    lines = [Line((answer, Piece(GAP), *bar.pieces, Piece(GAP), Piece(how_far, "dim")))]
    if len(lines[0].text) > width:
        beside = (
            [Line((answer, Piece(GAP), *bar.pieces))]
            if len(answer.text) + len(GAP) + BAR <= width
            else [Line((answer,))]
        )
        lines = [*beside, *wrapped(how_far, width, "dim")]
    if verbose:
        numbers = (
            f"harm {messages.evidence(view.harm_e)} of {messages.evidence(view.harm_needed_e)} that a rollback needs"
        )
        lines += wrapped(f"{numbers}; proof needs {messages.evidence(view.proof_needed_e)} of each KPI", width, "dim")
    return lines


def _rows(view: ReleaseView, kpi: KpiView, width: int, *, verbose: bool) -> list[Line]:
    """Return the lines of one KPI, in columns that all KPIs of the release share."""
    worse = max(len(one.worse) for one in view.kpis)
    proved = max(len(one.proved) for one in view.kpis)
    answers = Line((*_worse(kpi, worse), Piece(GAP), *_proved(kpi, proved)))
    figures = kpi.judged.figures
    arms = [
        _arm(view.candidate, kpi.candidate, figures.all_c, kpi),
        _arm(view.previous, kpi.stable, figures.all_s, kpi),
    ]
    beside = sum(len(one.text) + len(GAP) for one in (answers, *arms)) - len(GAP)
    if beside <= width:
        lines = list(joined([answers, *arms], width, GAP))
    else:
        first = [answers] if len(answers.text) <= width else [*_in_words(kpi)]
        lines = [*joined(first, width, GAP), *joined(arms, width, GAP)]
    return [*lines, *(one for text in _more(view, kpi, verbose=verbose) for one in wrapped(text, width, "dim"))]


def _arm(version: str, outcomes: str, trials: float, kpi: KpiView) -> Line:
    bad = " bad" if trials > 0 and not kpi.judged.figures.asymptotic else ""
    return line(f"{version} {outcomes}{bad}", "dim")


def _in_words(kpi: KpiView) -> tuple[Line, Line]:
    """Return the answers without their bars, for where there is no room."""
    return line(f"worse? {kpi.worse}", _WORSE.get(kpi.worse, "yellow")), line(f"proved? {kpi.proved}")


def _more(view: ReleaseView, kpi: KpiView, *, verbose: bool) -> Iterator[str]:
    left = view.outlook.by_kpi.get(kpi.name)
    if kpi.judged.problem:
        yield kpi.judged.problem
    if left is not None and len(view.outlook.by_kpi) > 1:
        yield "cannot be proved at this rate" if left == inf else messages.requests_left(left, view.candidate)
    if verbose:
        yield _statistics(kpi)


def _worse(kpi: KpiView, columns: int) -> tuple[Piece, ...]:
    style = _WORSE.get(kpi.worse, "yellow")
    return (
        Piece("worse? ", "dim"),
        Piece(kpi.worse.ljust(columns), style),
        Piece(" "),
        *evidence_bar(kpi.harm_done, BAR, "red" if kpi.worse == "yes" else "yellow").pieces,
    )


def _proved(kpi: KpiView, columns: int) -> tuple[Piece, ...]:
    answer = Piece(kpi.proved.ljust(columns), "green" if kpi.proved == "yes" else "")
    if kpi.proof_done is None:
        return Piece("proved? ", "dim"), answer, Piece(" " * (BAR + 1))
    done = 1.0 if kpi.proved == "yes" else kpi.proof_done
    return Piece("proved? ", "dim"), answer, Piece(" "), *evidence_bar(done, BAR, "green").pieces


def _statistics(kpi: KpiView) -> str:
    """Say the numbers that the words stand for."""
    judged, figures = kpi.judged, kpi.judged.figures
    proof = "" if kpi.proof_done is None else f", proof {messages.evidence(figures.proof_e)}"
    interval = f"; 95 % interval {kpi.difference}" if judged.low is not None else ""
    allowed = f", {_limit(judged.harm_limit, judged.scale)} allowed" if judged.harm_limit is not None else ""
    frozen = ", reference: frozen" if figures.reference == "frozen" else ""
    return f"harm {messages.evidence(figures.harm_e)}{proof}, phi {figures.phi:.1f}{interval}{allowed}{frozen}"


def _limit(limit: float, scale: str) -> str:
    match scale:
        case "rate":
            return f"up to {messages.percent(limit)}"
        case "relative":
            return f"{limit * 100:+.0f} %"
        case _:
            return f"{limit * 100:+.1f} pp"
