"""Evidence against its thresholds, on the scale on which it grows: the logarithm."""

from __future__ import annotations

from markupsafe import Markup

from rollout.dashboard.charts.svg import Logarithmic, element, frame, line, text
from rollout.engine import messages
from rollout.views.kpi import KpiView

WIDTH, HEIGHT = 340, 58
_LEFT, _RIGHT = 52, 10

_Row = tuple[str, float, float | None, str]
"""The name of a bar, its value, what is needed, and its colour."""


def evidence_chart(view: KpiView, harm_needed_e: float, proof_needed_e: float) -> Markup:
    """Return two bars: evidence of harm, and evidence that the candidate is no worse.

    Harm has no mark of its own here: what counts is the average over all KPIs.
    """
    counted = view.judged.figures
    rows: list[_Row] = [("harm", counted.harm_e, None, "bad")]
    if view.proof_done is not None:
        rows.append(("proof", counted.proof_e, proof_needed_e, "good"))
    return _bars(rows, f"{view.name}: ", max(harm_needed_e, proof_needed_e))


def total_chart(harm_e: float, harm_needed_e: float) -> Markup:
    """Return one bar: evidence of harm over all KPIs."""
    return _bars([("harm", harm_e, harm_needed_e, "bad")], "all KPIs: ", harm_needed_e)


def _bars(rows: list[_Row], subject: str, most: float) -> Markup:
    highest = 10.0 * max(1.0, most)
    scale = Logarithmic(highest, _LEFT, WIDTH - _RIGHT)
    parts: list[str] = []
    tick = 1.0
    while tick <= highest:
        parts += [line(scale(tick), 4, scale(tick), 44, "grid"), text(f"{tick:g}", scale(tick), 56, anchor="middle")]
        tick *= 10
    sentences = []
    for index, (name, value, needed, tone) in enumerate(rows):
        top = 6 + index * 20
        width = max(1.0, round(scale(value) - _LEFT, 2))
        parts += [
            text(name, _LEFT - 6, top + 12, anchor="end"),
            element("rect", x=_LEFT, y=top, width=width, height=14, rx=2, class_=f"bar {tone}"),
        ]
        sentence = f"evidence of {name} {messages.evidence(value)}"
        if needed is not None:
            parts.append(line(scale(needed), top - 2, scale(needed), top + 16, "threshold"))
            sentence += f" of {messages.evidence(needed)} needed"
        sentences.append(sentence)
    return frame(WIDTH, HEIGHT, subject + "; ".join(sentences), *parts)
