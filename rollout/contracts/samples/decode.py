"""Checkpoint values as plain data, without importing or calling anything that they name.

LangGraph's own decoder imports whatever module a value names and calls it: whoever may write to the store could run
code here. This one only takes apart. Source of the codes: langgraph-checkpoint 4.3, `serde/jsonplus.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

BLOB_MAX_BYTES = 2 * 1024 * 1024
DEPTH_MAX = 40
VALUE_DEPTH_MAX = 100
"""A value nested deeper than this is nobody's state; whoever judged it would run out of stack."""


SINGLE, POSITIONAL, KEYWORDS, METHOD, PYDANTIC_1, PYDANTIC_2 = range(6)

STANDARD = (
    "builtins.", "collections.", "datetime.", "decimal.", "enum.", "ipaddress.", "pathlib.", "re.", "uuid.",
    "zoneinfo.", "langchain_core.", "langchain.", "langgraph.", "numpy.",
)  # fmt: skip
"""Classes of these are always there, or are looked after by their library."""


class Undecodable(Exception):  # noqa: N818  an answer: nothing can be said of this value
    """Encrypted, pickled, too large, or of a kind that is not known here."""


class Opaque:
    """A value of which nothing is known but that it is there."""

    def __repr__(self) -> str:
        return "opaque"


OPAQUE = Opaque()


@dataclass
class Decoded:
    """A value as JSON knows it, and the paths of the classes that it names."""

    value: Any
    classes: set[str] = field(default_factory=set)

    @property
    def is_opaque(self) -> bool:
        return _has_opaque(self.value)


@dataclass(frozen=True, slots=True)
class _Named:
    """A value of a class, while it is taken apart."""

    path: str
    value: Any


def decode(kind: str, blob: bytes | None) -> Decoded:
    """Return what a stored value says.

    Raises Undecodable.

    Args:
        kind: as stored beside it.
    """
    return _flat(_taken_apart(kind, blob))


def decode_inline(value: Any) -> Decoded:
    """Return what a value says that a store keeps as plain JSON. Raises Undecodable."""
    return _flat(value)


def decode_channels(kind: str, blob: bytes | None) -> dict[str, Decoded]:
    """Return what each channel of a whole stored checkpoint says. Raises Undecodable."""
    checkpoint = _taken_apart(kind, blob)
    channels = checkpoint.get("channel_values") if isinstance(checkpoint, dict) else None
    if not isinstance(channels, dict):
        raise Undecodable("it is no checkpoint")
    return {str(name): _flat(value) for name, value in channels.items()}


def _taken_apart(kind: str, blob: bytes | None) -> Any:
    if kind in ("null", "empty") or blob is None:
        return None
    if len(blob) > BLOB_MAX_BYTES:
        raise Undecodable("it is larger than 2 MiB")
    if kind in ("bytes", "bytearray"):
        return OPAQUE
    try:
        if kind == "json":
            return _old(json.loads(bytes(blob)))
        if kind == "msgpack":
            return _Msgpack().decode(bytes(blob))
    except (ValueError, RecursionError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise Undecodable(f"it is damaged, or not what it says it is ({type(error).__name__})") from error
    raise Undecodable(f"{kind} is not decoded here")


def _unpacker() -> Callable[..., Any]:
    try:
        import ormsgpack  # noqa: PLC0415  only whoever samples needs it
    except ImportError as error:
        raise Undecodable("ormsgpack is not installed: pip install 'agent-rollout[state]'") from error

    def unpack(data: bytes, hook: Callable[[int, bytes], Any]) -> Any:
        return ormsgpack.unpackb(data, ext_hook=hook, option=ormsgpack.OPT_NON_STR_KEYS)

    return unpack


class _Msgpack:
    """One value under way: nested values are packed within one another."""

    def __init__(self) -> None:
        self._unpack = _unpacker()
        self._depth = 0

    def decode(self, data: bytes) -> Any:
        return self._unpack(data, self._extension)

    def _extension(self, code: int, data: bytes) -> Any:
        self._depth += 1
        try:
            if self._depth > DEPTH_MAX:
                raise ValueError("nested too deeply")
            if code not in (SINGLE, POSITIONAL, KEYWORDS, METHOD, PYDANTIC_1, PYDANTIC_2):
                return OPAQUE
            module, name, content, *_ = self._unpack(data, self._extension)
            path = f"{module}.{name}"
            return _Named(path, _of_class(code, path, content))
        finally:
            self._depth -= 1


def _of_class(code: int, path: str, content: Any) -> Any:
    """Return what a value of a class is in JSON."""
    if path in ("langgraph.types.Send", "langgraph.constants.Send"):
        return {"node": content[0]} if isinstance(content, list | tuple) and content else OPAQUE
    if path == "uuid.UUID" and isinstance(content, str) and len(content) == len("0" * 32):
        return "-".join((content[:8], content[8:12], content[12:16], content[16:20], content[20:]))
    if path.startswith("pathlib.") and isinstance(content, list | tuple):
        return "/".join(str(part) for part in content).replace("//", "/")
    if path == "datetime.date" and isinstance(content, list | tuple):
        return "{:04}-{:02}-{:02}".format(*content)
    if path.startswith(("langchain_core.", "langchain.")):
        return OPAQUE
    if code == POSITIONAL or path in ("datetime.time", "datetime.timedelta", "datetime.timezone"):
        return OPAQUE
    return content


def _flat(value: Any) -> Decoded:
    """Return a value with the containers and keys that JSON knows, and the classes it is made of."""
    classes: set[str] = set()

    def walk(content: Any, depth: int = 0) -> Any:
        if depth > VALUE_DEPTH_MAX:
            raise Undecodable("it is nested too deeply")
        if isinstance(content, _Named):
            if not content.path.startswith(STANDARD):
                classes.add(content.path)
            return walk(content.value, depth + 1)
        if isinstance(content, dict):
            return {
                key if isinstance(key, str) else str(walk(key, depth + 1)): walk(part, depth + 1)
                for key, part in content.items()
            }
        if isinstance(content, list | tuple | set | frozenset):
            return [walk(part, depth + 1) for part in content]
        return OPAQUE if isinstance(content, bytes | bytearray) else content

    return Decoded(walk(value), classes)


def _old(value: Any) -> Any:
    """Return a value of the older JSON form: objects name their class and their arguments."""
    if isinstance(value, list):
        return [_old(part) for part in value]
    if not isinstance(value, dict):
        return value
    if value.get("lc") in (1, 2) and isinstance(value.get("id"), list):
        path = ".".join(map(str, value["id"]))
        return _Named(path, OPAQUE if path.startswith(STANDARD) else _old(value.get("kwargs", OPAQUE)))
    return {str(key): _old(part) for key, part in value.items()}


def _has_opaque(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_opaque(part) for part in value.values())
    if isinstance(value, list):
        return any(_has_opaque(part) for part in value)
    return value is OPAQUE
