"""The house, drawn from its imports: `make house` writes the picture into docs/architecture.md, and a test keeps it current.

An arrow says who uses whom. One that follows from others is left out (Aho, Garey & Ullman 1972, transitive reduction).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
OPENED = ("adapters",)
"""Rooms that are drawn by what is in them."""

BLOCK = re.compile(r"```mermaid\n.*?```\n", re.DOTALL)


def room_of(module: str) -> str | None:
    """Return the room a module is in: ``engine``, ``adapters/routers``; None for the package itself."""
    parts = module.split(".")[1:]
    if not parts:
        return None
    return "/".join(parts[:2]) if parts[0] in OPENED and len(parts) > 1 else parts[0]


def imports() -> dict[str, set[str]]:
    """Return, by room, the rooms that its modules import."""
    used: dict[str, set[str]] = {}
    for path in sorted((ROOT / "rollout").rglob("*.py")):
        room = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
        for node in ast.walk(ast.parse(path.read_text())):
            if room and isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("rollout"):
                modules = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
                found = room_of(next((each for each in modules if room_of(each) not in (None, *OPENED)), "rollout"))
                is_there = found and (
                    (ROOT / "rollout" / found).is_dir() or (ROOT / "rollout" / f"{found}.py").is_file()
                )
                if found and is_there and found != room:
                    used.setdefault(room, set()).add(found)
    return used


def reduced(used: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out every arrow that a longer way makes superfluous."""

    def beyond(room: str) -> set[str]:
        return {far for near in used.get(room, ()) for far in (near, *beyond(near))}

    return {
        room: {near for near in nears if not any(near in beyond(other) for other in nears - {near})}
        for room, nears in used.items()
    }


def picture() -> str:
    lines = [f"  {room} --> {near}" for room, nears in sorted(reduced(imports()).items()) for near in sorted(nears)]
    return "\n".join(["```mermaid", "graph TD", *lines, "```", ""])


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda _: picture(), PAGE.read_text(), count=1))
