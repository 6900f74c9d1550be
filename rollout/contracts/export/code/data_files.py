"""Files beside the code that it names: rules and limits may stand there, and what is in them counts."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from rollout.contracts.export.code.names.ownership import own_modules

FILES_MAX = 2000
DEPTH_MAX = 4
BYTES_MAX = 1 << 20
"""Of a larger file only the beginning is read."""

_FILE = re.compile(r"(.*[/\\])?(?P<name>[\w.*-]{0,100}\.\w{1,10})")
_CODE = frozenset({".py", ".pyc", ".pyi", ".so"})
_ELSEWHERE = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages", "venv"})


def texts_of_files(literals: Iterable[str]) -> list[str]:
    """Return a digest of each file beside the agent's modules that texts of its code name.

    Args:
        literals: the texts; one that is a pattern stands for every file that it matches.
    """
    names = {match["name"] for literal in literals if (match := _FILE.fullmatch(literal))}
    if not names:
        return []
    patterns = {name for name in names if "*" in name}
    texts = []
    for path, within in _files(_folders()):
        if path.name in names or any(path.match(pattern) for pattern in patterns):
            try:
                with path.open("rb") as file:
                    content = file.read(BYTES_MAX)
            except OSError:
                continue
            texts.append(f"file {within} {hashlib.sha256(content).hexdigest()}")
    return sorted(texts)


def _folders() -> tuple[str, ...]:
    """Return the folders that the agent's modules are in, without those within others."""
    files = (str(getattr(module, "__file__", None) or "") for module in own_modules())
    folders = sorted({str(Path(file).absolute().parent) for file in files if file})
    return tuple(one for one in folders if not any(one.startswith(f"{other}{os.sep}") for other in folders))


@functools.lru_cache(maxsize=8)
def _files(folders: tuple[str, ...]) -> tuple[tuple[Path, str], ...]:
    """Return files, each with its path within the agent's folder: where that lies is another place on every machine."""
    return tuple(file for file, _ in zip(_walked(folders), range(FILES_MAX), strict=False))


def _walked(folders: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for place, inner, files in os.walk(folder):
            depth = len(Path(place).relative_to(folder).parts)
            inner[:] = sorted(
                name for name in inner if not name.startswith(".") and name not in _ELSEWHERE and depth < DEPTH_MAX
            )
            paths = (Path(place, name) for name in sorted(files) if Path(name).suffix not in _CODE)
            yield from ((path, path.relative_to(folder).as_posix()) for path in paths)
