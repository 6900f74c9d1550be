"""What stands for code that cannot be read, or is too much: a change of it is a change all the same."""

from __future__ import annotations

import functools
import hashlib
import inspect
from types import CodeType, ModuleType

from rollout.contracts.export.code.names.ownership import own_modules


def compiled_text(code: CodeType) -> str:
    """Return what a function without source was compiled to, with what is inside; other Pythons compile otherwise."""
    inner = [compiled_text(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    constants = [repr(constant) for constant in code.co_consts if not isinstance(constant, CodeType | frozenset)]
    constants += [repr(sorted(map(repr, constant))) for constant in code.co_consts if isinstance(constant, frozenset)]
    return f"compiled {code.co_code.hex()} {code.co_names} {constants} {inner}"


def all_sources_text() -> str:
    """Return a digest of everything that the agent's own modules say."""
    return _sources_text(own_modules())


@functools.lru_cache(maxsize=8)
def _sources_text(modules: tuple[ModuleType, ...]) -> str:
    total = hashlib.sha256()
    for module in modules:
        try:
            source = inspect.getsource(module)
        except (OSError, TypeError):
            continue
        total.update(f"{module.__name__}\n{source}\n".encode(errors="replace"))
    return f"everything {total.hexdigest()}"
