"""Which series of a metrics page a KPI counts: a metric's name and label matchers, as PromQL writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SELECTOR = re.compile(r"^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*)\})?\s*$", re.DOTALL)
_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label."""

    label: str
    operator: str
    value: str

    def accepts(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.label, "")
        if self.operator == "=":
            return value == self.value or (self.label == "le" and _same_bound(value, self.value))
        if self.operator == "!=":
            return value != self.value
        matches = re.fullmatch(self.value, value) is not None
        return matches if self.operator == "=~" else not matches


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric's name and what its labels must be."""

    name: str
    matchers: tuple[Matcher, ...]

    @property
    def bound(self) -> str | None:
        """The bucket bound it asks for, where it asks for one."""
        return next(
            (matcher.value for matcher in self.matchers if matcher.label == "le" and matcher.operator == "="), None
        )

    def accepts(self, labels: Mapping[str, str], *, any_bound: bool = False) -> bool:
        """Whether a series of this name is meant; with `any_bound`, whatever its bucket."""
        return all(matcher.accepts(labels) for matcher in self.matchers if not (any_bound and matcher.label == "le"))

    def accepts_bound(self, bound: str) -> bool:
        """Whether this is the bucket it asks for."""
        return all(matcher.accepts({"le": bound}) for matcher in self.matchers if matcher.label == "le")


def parse(text: str) -> Selector:
    """Read a selector. Raises ValueError with what is wrong with it."""
    match = _SELECTOR.match(text)
    if match is None:
        raise ValueError('is no selector: write name or name{label="value"}; no functions, no ranges')
    name, inside = match.group(1), (match.group(2) or "").strip()
    matchers, position = [], 0
    while position < len(inside):
        matched = _MATCHER.match(inside, position)
        if matched is None:
            raise ValueError(f'cannot read the labels from "{inside[position:]}": write label="value", …')
        label, operator, value = matched.groups()
        value = re.sub(r"\\(.)", r"\1", value) if operator in ("=", "!=") else value
        if "~" in operator:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f'"{value}" is no regular expression: {error}') from error
        matchers.append(Matcher(label, operator, value))
        position = matched.end()
    return Selector(name, tuple(matchers))


def _same_bound(written: str, wanted: str) -> bool:
    """Bucket bounds are numbers: 2500, 2500.0 and 2.5e+03 are one."""
    try:
        return float(written) == float(wanted)
    except ValueError:
        return False
