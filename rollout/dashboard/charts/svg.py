"""SVG as text: elements, scales, and a frame that screen readers can name."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import log10

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Linear:
    """Maps a domain onto pixels; what lies outside stops at the edge."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        part = 0.0 if span <= 0 else (min(max(value, self.low), self.high) - self.low) / span
        return round(self.begin + part * (self.end - self.begin), 2)


@dataclass(frozen=True, slots=True)
class Logarithmic:
    """Maps 1 to `high` onto pixels by the logarithm; what lies outside stops at the edge."""

    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        part = log10(min(max(value, 1.0), self.high)) / log10(self.high)
        return round(self.begin + part * (self.end - self.begin), 2)


def element(name: str, content: str = "", **attributes: object) -> str:
    """Return an element; `class_` stands for class, an underscore for a hyphen."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def text(content: str, x: float, y: float, class_: str = "label", anchor: str = "start") -> str:
    return element("text", escape(content), x=x, y=y, class_=class_, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def frame(width: int, height: int, label: str, *parts: str) -> Markup:
    """Return a whole picture; `label` says in words what it shows."""
    content = element("title", escape(label)) + "".join(parts)
    return Markup(element("svg", content, viewBox=f"0 0 {width} {height}", role="img", class_="chart"))  # noqa: S704  each part is escaped where it is written
