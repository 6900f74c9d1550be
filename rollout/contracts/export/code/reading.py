"""What was read of an agent's code: whom it asks, what it calls, and a digest of it."""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from rollout.contracts.export.code.names.probing import probed


def literals_in(tree: ast.AST) -> set[str]:
    """Return the texts that stand in a piece of code."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


_READING = frozenset(
    {
        "open",
        "read_text",
        "read_bytes",
        "read",
        "load",
        "safe_load",
        "files",
        "get_data",
        "read_csv",
        "iterdir",
        "glob",
        "rglob",
    }
)


_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
"""Where something lies in the memory of one process: another place each time."""


_NUMBERED = re.compile(r"\b(code|constant) \d+")
PARTS_MAX, NAME_MAX = 60, 80


def reads_files(tree: ast.AST) -> bool:
    """Whether a piece of code may read files, by the names of what it calls."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(probed(one, "attr", probed(one, "id", "")) in _READING for one in calls)


@dataclass
class SourceReading:
    """What was read.

    Attributes:
        calls: questions and tasks in order, each as it is written.
        graphs: those that are called.
        tools: those that are called, by name; `tool_readings` are what was read of each.
        approvals: the tools that a middleware asks about, each with what decides whether and how.
        classes: of the agent's, that are named.
        modules: of the agent's, that were read.
        is_dynamic: whether something is called that is only known while it runs.
        literals: the texts that stand in what was read.
        named: the names by which it may reach into objects.
        reads_files: whether it may read files.
        reads_store: whether it may read the graph's store.
        texts: everything that was read, in a form of its own.
        parts: what it is made of, by name, with a digest of each: they tell people what differs, and decide nothing.
        is_whole: whether everything could be read.
        may_ask: whether something may be asked that is not in `calls`.
        can_jump: whether a middleware's hook may end the run there.
        wraps: a digest of what is done around the calls of tools; None where nothing is.
    """

    calls: list[str] = field(default_factory=list)
    graphs: list[Any] = field(default_factory=list)
    tools: dict[str, Any] = field(default_factory=dict)
    tool_readings: dict[str, SourceReading] = field(default_factory=dict)
    approvals: dict[str, dict[str, Any]] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    classes: list[type] = field(default_factory=list)
    literals: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    reads_files: bool = False
    reads_store: bool = False
    is_dynamic: bool = False
    texts: list[str] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    is_whole: bool = True
    may_ask: bool = False
    can_jump: bool = False
    wraps: str | None = None

    def note_part(self, name: str, text: str) -> None:
        """Take down a part: numbers of other parts in it say nothing of it."""
        if len(self.parts) < PARTS_MAX:
            text = _ADDRESS.sub("", _NUMBERED.sub("", text))
            self.parts[name[:NAME_MAX]] = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:8]

    @property
    def digest(self) -> str:
        """A digest of everything that was read, or that stands for it: equal digests do the same."""
        text = _ADDRESS.sub("", "\n".join(self.texts))
        return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
