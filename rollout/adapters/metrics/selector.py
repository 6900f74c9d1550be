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
        found = labels.get(self.label, "")
        if self.operator == "=":
            return found == self.value or (self.label == "le" and _same_bound(found, self.value))
        if self.operator == "!=":
            return found != self.value
        matches = re.fullmatch(self.value, found) is not None
        return matches if self.operator == "=~" else not matches


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric's name and what its labels must be."""

    name: str
    matchers: tuple[Matcher, ...]

    @property
    def bound(self) -> str | None:
        """The bucket bound it asks for, where it asks for one."""
        return next((each.value for each in self.matchers if each.label == "le" and each.operator == "="), None)

    def accepts(self, labels: Mapping[str, str], *, any_bound: bool = False) -> bool:
        """Whether a series of this name is meant; with `any_bound`, whatever its bucket."""
        return all(each.accepts(labels) for each in self.matchers if not (any_bound and each.label == "le"))

    def accepts_bound(self, bound: str) -> bool:
        """Whether this is the bucket it asks for."""
        return all(each.accepts({"le": bound}) for each in self.matchers if each.label == "le")


def parse(text: str) -> Selector:
    """Read a selector. Raises ValueError with what is wrong with it."""
    match = _SELECTOR.match(text)
    if match is None:
        raise ValueError('is no selector: write name or name{label="value"}; no functions, no ranges')
    name, inside = match.group(1), (match.group(2) or "").strip()
    matchers, position = [], 0
    while position < len(inside):
        found = _MATCHER.match(inside, position)
        if found is None:
            raise ValueError(f'cannot read the labels from "{inside[position:]}": write label="value", …')
        label, operator, value = found.groups()
        value = re.sub(r"\\(.)", r"\1", value) if operator in ("=", "!=") else value
        if "~" in operator:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f'"{value}" is no regular expression: {error}') from error
        matchers.append(Matcher(label, operator, value))
        position = found.end()
    return Selector(name, tuple(matchers))


def _same_bound(found: str, wanted: str) -> bool:
    """Bucket bounds are numbers: 2500, 2500.0 and 2.5e+03 are one."""
    try:
        return float(found) == float(wanted)
    except ValueError:
        return False
