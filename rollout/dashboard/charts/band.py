"""One KPI as a band: what the difference may be, beside what is allowed."""

from __future__ import annotations

from markupsafe import Markup

from rollout.dashboard.charts.svg import Linear, element, frame, line, text
from rollout.engine import messages
from rollout.model.status.judged import JudgedKpi
from rollout.views.kpi import KpiView

WIDTH, HEIGHT = 340, 80
_LEFT, _RIGHT, _MIDDLE = 10, 10, 34
_WIDEST = 0.5
"""Beyond half of all outcomes, or half of the mean, a band is cut off: the limit would not be seen any more."""


def band_chart(view: KpiView) -> Markup:
    """Return the chart; a frame without a band while nothing was compared."""
    kpi = view.judged
    low, high = _domain(kpi)
    x = Linear(low, high, _LEFT, WIDTH - _RIGHT)
    parts = [line(_LEFT, _MIDDLE, WIDTH - _RIGHT, _MIDDLE, "axis")]
    if kpi.low is not None and kpi.high is not None:
        left, right = x(kpi.low), x(kpi.high)
        parts.append(
            element(
                "rect",
                x=left,
                y=_MIDDLE - 8,
                width=max(2.0, round(right - left, 2)),
                height=16,
                rx=3,
                class_=f"band {view.tone}",
            )
        )
    if kpi.scale != "rate":
        parts += [line(x(0.0), 16, x(0.0), 50, "zero"), text("same", x(0.0), 11, anchor=_anchor(x(0.0)))]
    if kpi.harm_limit is not None:
        at = x(kpi.harm_limit)
        limit = f"worse beyond {_shown(kpi, kpi.harm_limit)}"
        parts += [line(at, 18, at, 52, "limit"), text(limit, at, 63, anchor=_anchor(at))]
    if kpi.proof_limit not in (None, kpi.harm_limit):
        at = x(kpi.proof_limit)
        shown = f"to prove: below {_shown(kpi, kpi.proof_limit)}"
        parts += [line(at, 14, at, 50, "goal"), text(shown, at, 75, anchor=_anchor(at))]
    return frame(WIDTH, HEIGHT, _described(view), *parts)


def _domain(kpi: JudgedKpi) -> tuple[float, float]:
    """Return what the axis shows: the band, the limit and the middle, with some room."""
    limit = kpi.harm_limit or 0.0
    values = [0.0, limit, *(value for value in (kpi.low, kpi.high, kpi.proof_limit) if value is not None)]
    low, high = max(min(values), -max(_WIDEST, limit)), min(max(values), max(_WIDEST, 2 * limit))
    room = max(0.005, (high - low) * 0.12)
    return (max(0.0, low - room) if kpi.scale == "rate" else low - room), high + room


def _anchor(at: float) -> str:
    """Return how a text stands at a place: never over the edge."""
    return "end" if at > WIDTH * 0.8 else "start" if at < WIDTH * 0.2 else "middle"


def _shown(kpi: JudgedKpi, value: float) -> str:
    if kpi.scale == "rate":
        return messages.percent(value)
    unit = "%" if kpi.scale == "relative" else "pp"
    return f"{value * 100:+.2g} {unit}"


def _described(view: KpiView) -> str:
    limit = "" if view.judged.harm_limit is None else f"; worse beyond {_shown(view.judged, view.judged.harm_limit)}"
    return f"{view.name}: candidate minus stable, {view.difference}{limit}"
