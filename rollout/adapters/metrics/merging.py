"""Many selectors as few: those of one metric that differ only in the values of their labels are one selector.

`started{version="v1"}` and `started{version="v2"}` are `started{version=~"v1|v2"}`, and the labels of each series tell
which of them it is of. One query then serves many rollouts, and costs Prometheus and us one answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from rollout.adapters.metrics.selector import Matcher, parse

_PLAIN = re.compile(r"[A-Za-z0-9_./:@ -]+")
"""Values that may stand in a list: what else would have to be escaped is asked for by itself."""

LISTED_MAX_CHARACTERS = 2000
"""The values of one selector: it is asked for twice in a query that must fit into a URL."""

Values = tuple[str, ...]


@dataclass(slots=True)
class Merged:
    """Selectors that are asked for as one.

    Attributes:
        labels: those whose values tell them apart; none where there is one selector only.
        fixed: the matchers that they share, as they are written.
        texts: the selectors, by their values.
    """

    name: str
    labels: tuple[str, ...]
    fixed: tuple[str, ...]
    texts: dict[Values, str] = field(default_factory=dict)

    @property
    def selector(self) -> str:
        """The selector that selects what any of them does."""
        if len(self.texts) == 1:
            return next(iter(self.texts.values()))
        columns = zip(*self.texts, strict=True)
        listed = [_listed(label, dict.fromkeys(column)) for label, column in zip(self.labels, columns, strict=True)]
        return f"{self.name}{{{','.join((*listed, *self.fixed))}}}"

    def text_of(self, labels: Mapping[str, str]) -> str | None:
        """Return which of them a series is of; None where it is of none: values may be met in other combinations."""
        return self.texts.get(tuple([labels.get(label, "") for label in self.labels]))


def merged(texts: Iterable[str]) -> list[Merged]:
    """Return what to ask for instead of these selectors. Each is one of those it was given, in one of them."""
    groups: list[Merged] = []
    open_: dict[tuple[object, ...], tuple[Merged, int]] = {}
    for text in dict.fromkeys(texts):
        name, labels, values, fixed = _taken_apart(text)
        group, length = open_.get((name, labels, fixed), (None, 0))
        own = sum(map(len, values)) + len(values)
        if group is None or length + own > LISTED_MAX_CHARACTERS:
            group, length = Merged(name, labels, fixed), 0
            groups.append(group)
        open_[name, labels, fixed] = group, length + own
        group.texts[values] = text
    return groups


@lru_cache(maxsize=4096)
def _taken_apart(text: str) -> tuple[str, tuple[str, ...], Values, tuple[str, ...]]:
    """Return a selector's metric, the labels that may be listed, their values, and the other matchers as written."""
    selector = parse(text)
    often = [matcher.label for matcher in selector.matchers]
    listed = sorted(
        (
            matcher
            for matcher in selector.matchers
            if matcher.operator == "="
            and matcher.label != "le"
            and _PLAIN.fullmatch(matcher.value)
            and often.count(matcher.label) == 1
        ),
        key=lambda matcher: matcher.label,
    )
    fixed = tuple(_written(matcher) for matcher in selector.matchers if matcher not in listed)
    labels, values = (tuple(getattr(matcher, of) for matcher in listed) for of in ("label", "value"))
    return selector.name, labels, values, fixed


def _listed(label: str, values: Iterable[str]) -> str:
    texts = list(values)
    if len(texts) == 1:
        return f'{label}="{texts[0]}"'
    return f'{label}=~"{"|".join(text.replace(".", "[.]") for text in texts)}"'


def _written(matcher: Matcher) -> str:
    """Return a matcher as PromQL writes it: a pattern is as it was read, another text's letters are escaped anew."""
    value = matcher.value
    if "~" not in matcher.operator:
        value = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{matcher.label}{matcher.operator}"{value}"'
