"""What stands for code that cannot be read, or is too much: a change of it is a change all the same."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
from types import CodeType

from rollout.contracts.export.ownership import is_own_module


def compiled_text(code: CodeType) -> str:
    """Return what a function without source was compiled to, with what is inside; other Pythons compile otherwise."""
    inner = [compiled_text(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    constants = [repr(constant) for constant in code.co_consts if not isinstance(constant, CodeType | frozenset)]
    constants += [repr(sorted(map(repr, constant))) for constant in code.co_consts if isinstance(constant, frozenset)]
    return f"compiled {code.co_code.hex()} {code.co_names} {constants} {inner}"


def all_sources_text() -> str:
    """Return a digest of everything that the agent's own modules say."""
    return _sources_text(tuple(sorted(name for name in list(sys.modules) if is_own_module(name))))


@functools.lru_cache(maxsize=8)
def _sources_text(modules: tuple[str, ...]) -> str:
    total = hashlib.sha256()
    for name in modules:
        try:
            source = inspect.getsource(sys.modules[name])
        except (OSError, TypeError):
            continue
        total.update(f"{name}\n{source}\n".encode(errors="replace"))
    return f"everything {total.hexdigest()}"
