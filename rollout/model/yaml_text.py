"""YAML as people write it, read as what JSON could say as well: bounded, exact, and with the place of each fault.

What YAML has beyond JSON is refused or taken as text: dates are strings (as they are to the API server), keys are
written once, numbers are finite, and aliases may not multiply a page into gigabytes.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

try:  # libyaml's, where it is there: it is five times as fast
    from yaml import CSafeLoader as _Base
except ImportError:
    from yaml import SafeLoader as _Base  # type: ignore[assignment]

from rollout.errors import Fault, InvalidInput

FILE_MAX_BYTES = 1024 * 1024

NODES_MAX = 50_000
"""Mappings, lists and values, with those that aliases stand for. A rollout has a hundred."""

DEPTH_MAX = 64
DIGITS_MAX = 30
"""More digits than a count, a bound or a sum of money has."""

_TAGS = tuple(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge"))


_MERGE = "tag:yaml.org,2002:merge"


def read_bounded(path: Path, max_bytes: int) -> str | None:
    """Return a file's text, None where it is larger: a device has no size, and no end. Raises OSError, UnicodeError."""
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    return None if len(content) > max_bytes else content.decode("utf-8")


class _Loader(_Base):
    """Safe YAML that builds what JSON knows, and nothing else."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    """Build a mapping that has no key twice: the first would be lost without a word."""
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == _MERGE:
            continue  # what is merged gives way to what is written beside it
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, str | int | float | bool) and key in seen:
            raise _wrong(key_node, f"the key {key_node.value!r} is written twice")
        if isinstance(key, str | int | float | bool):
            seen.add(key)
    built: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return built


def _integer(loader: Any, node: yaml.ScalarNode) -> int:
    if len(node.value) > DIGITS_MAX:
        raise _wrong(node, f"the number has {len(node.value)} digits, and at most {DIGITS_MAX} are read")
    try:
        return int(loader.construct_yaml_int(node))
    except ValueError as error:
        raise _wrong(node, f"{node.value!r} is not a number") from error


def _float(loader: Any, node: yaml.ScalarNode) -> float:
    try:
        number = float(loader.construct_yaml_float(node))
    except (ValueError, OverflowError) as error:
        raise _wrong(node, f"{node.value[:40]!r} is not a number") from error
    if not math.isfinite(number):
        raise _wrong(node, f"{node.value[:40]!r} is not a finite number")
    return number


def _foreign(_loader: Any, _suffix: str, node: yaml.Node) -> Any:
    raise _wrong(node, f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')[:60]} has no meaning here")


def _wrong(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


_Loader.yaml_constructors = {
    tag: constructor for tag, constructor in yaml.SafeLoader.yaml_constructors.items() if tag in _TAGS
}
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)
_Loader.add_multi_constructor("", _foreign)


def load_all(text: str, where: str) -> list[tuple[yaml.Node, Any]]:
    """Return each document that is not empty: as it was parsed, and as plain data. Raises InvalidInput."""
    try:
        _measure(text)
        return list(_documents(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise InvalidInput([Fault(place, f"is not YAML: {error.problem}", "fix the line")]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = "it has a character that YAML does not allow"
        problem = "it is nested too deeply" if isinstance(error, RecursionError) else problem
        raise InvalidInput([Fault(where, f"is not YAML: {problem}", "fix the file")]) from error


def _documents(text: str) -> Iterator[tuple[yaml.Node, Any]]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            raw = loader.construct_document(node)
            if node is not None and raw is not None:
                yield node, raw
    finally:
        loader.dispose()


@dataclass
class _Size:
    """How large a text is: what was counted, by anchor, and where the collections that are open began."""

    nodes: int = 0
    by_anchor: dict[str, int] = field(default_factory=dict)
    open: list[tuple[str | None, int]] = field(default_factory=list)

    def add(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in self.open):
                raise _at(event, f"the alias *{event.anchor} stands for what it is in")
            self.nodes += self.by_anchor.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent):
            self.nodes += 1
            self._name(event.anchor, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            self.open.append((event.anchor, self.nodes))
            self.nodes += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self.open.pop()
            self._name(anchor, self.nodes - before)
        if self.nodes > NODES_MAX:
            raise _at(event, f"it has more than {NODES_MAX} values, with those that aliases stand for")
        if len(self.open) > DEPTH_MAX:
            raise _at(event, f"it is nested deeper than {DEPTH_MAX} levels")

    def _name(self, anchor: str | None, nodes: int) -> None:
        if anchor is not None:
            self.by_anchor[anchor] = nodes


def _at(event: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _measure(text: str) -> None:
    """Count before anything is built: a page of aliases may stand for more than there is memory."""
    size = _Size()
    for event in yaml.parse(text, Loader=_Base):
        size.add(event)
