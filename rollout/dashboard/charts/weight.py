"""The candidate's weight over time: a line for what was intended, dots for what the requests showed."""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape

from markupsafe import Markup

from rollout.dashboard.charts.svg import Linear, element, frame, line, text
from rollout.engine import messages
from rollout.views.weights import WeightSeries

WIDTH, HEIGHT = 480, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 28
_DAY_S = 86_400


def weight_chart(series: WeightSeries) -> Markup:
    """Return the chart."""
    length_s = max(1.0, (series.end - series.begin).total_seconds())
    x = Linear(0.0, length_s, _LEFT, WIDTH - _RIGHT)
    y = Linear(0.0, 1.0, HEIGHT - _BOTTOM, _TOP)

    def at(moment: datetime) -> float:
        return x((moment - series.begin).total_seconds())

    grid = [
        line(_LEFT, y(share), WIDTH - _RIGHT, y(share), "grid")
        + text(f"{share:.0%}", _LEFT - 6, y(share) + 4, anchor="end")
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    corners = [f"M{at(series.intended[0][0])} {y(series.intended[0][1])}"]
    corners += [f"H{at(moment)}V{y(weight)}" for moment, weight in series.intended[1:]]
    seen = [element("circle", cx=at(moment), cy=y(share), r=2, class_="seen") for moment, share in series.seen]
    marks = [
        element("circle", element("title", escape(message)), cx=at(moment), cy=HEIGHT - _BOTTOM, r=3.5, class_="mark")
        for moment, message in series.marks
    ]
    ticks = [_tick(series.begin, length_s, part, x) for part in (0.0, 0.5, 1.0)]
    path = element("path", d="".join(corners), class_="intended")
    return frame(WIDTH, HEIGHT, _described(series), *grid, *ticks, path, *seen, *marks)


def _tick(begin: datetime, length_s: float, part: float, x: Linear) -> str:
    moment = begin + timedelta(seconds=length_s * part)
    shown = f"{moment:%H:%M:%S}" if length_s < _DAY_S else f"{moment:%m-%d %H:%M}"
    anchor = "start" if part == 0.0 else "end" if part == 1.0 else "middle"
    return text(shown, x(length_s * part), HEIGHT - 8, anchor=anchor)


def _described(series: WeightSeries) -> str:
    weights = ", ".join(f"{weight:.4g} at {moment:%H:%M:%S}" for moment, weight in series.intended[1:-1][-8:])
    last = messages.percent(series.intended[-1][1]) if series.intended[-1][1] else "0 %"
    seen = f"; {messages.percent(series.seen[-1][1])} of the requests seen last" if series.seen else ""
    return f"Weight of the candidate over time: {weights or 'no change yet'}; {last} in the end{seen}"
