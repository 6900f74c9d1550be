"""Evidence against its thresholds, on the scale on which it grows: the logarithm."""

from __future__ import annotations

from markupsafe import Markup

from rollout.dashboard.charts.svg import Logarithmic, element, frame, line, text
from rollout.engine import messages
from rollout.views.kpi import KpiView

WIDTH, HEIGHT = 340, 58
_LEFT, _RIGHT = 52, 10


def evidence_chart(view: KpiView, harm_needed_e: float, proof_needed_e: float) -> Markup:
    """Return two bars: evidence of harm, and evidence that the candidate is no worse."""
    counted = view.judged.figures
    rows = [("harm", counted.harm_e, harm_needed_e, "bad")]
    if view.proof_done is not None:
        rows.append(("proof", counted.proof_e, proof_needed_e, "good"))
    return _bars(rows, f"{view.name}: ")


def total_chart(harm_e: float, harm_needed_e: float) -> Markup:
    """Return one bar: evidence of harm over all KPIs."""
    return _bars([("harm", harm_e, harm_needed_e, "bad")], "all KPIs: ")


def _bars(rows: list[tuple[str, float, float, str]], subject: str) -> Markup:
    highest = 10.0 * max(1.0, *(needed for _, _, needed, _ in rows))
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
            line(scale(needed), top - 2, scale(needed), top + 16, "threshold"),
        ]
        sentences.append(f"evidence of {name} {messages.evidence(value)} of {messages.evidence(needed)} needed")
    return frame(WIDTH, HEIGHT, subject + "; ".join(sentences), *parts)
