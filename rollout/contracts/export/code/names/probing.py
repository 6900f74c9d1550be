"""Asking objects of the agent's for what they may have: one that makes up its attributes may fail in any way."""

from __future__ import annotations

from typing import Any


def probed(value: Any, name: str, default: Any = None) -> Any:
    """Return an attribute; the default where there is none, or where whoever makes it up fails."""
    try:
        return getattr(value, name, default)
    except Exception:  # noqa: BLE001  the agent's own code
        return default


def has(value: Any, name: str) -> bool:
    """Whether something has an attribute."""
    try:
        return hasattr(value, name)
    except Exception:  # noqa: BLE001  the agent's own code
        return False
