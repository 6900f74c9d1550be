"""Files beside the code that it names: rules and limits may stand there, and what is in them counts."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import yaml

from rollout.contracts.export.code.names.ownership import own_modules

FILES_MAX = 2000
DEPTH_MAX = 4
INDEXES_MAX = 3
"""So often what files name is looked for: one may name others."""
BYTES_MAX = 1 << 20
"""Of a larger file only the beginning is read."""

_FILE = re.compile(r"(.*[/\\])?(?P<name>[^/\\\n]{0,100}\.\w{1,10})")
_NAME = re.compile(r"(.*[/\\])?(?P<name>[^/\\\n]{1,100})")
_MENTIONED = re.compile(rb"[\w-]{1,80}\.[A-Za-z]\w{0,9}")
_COMPILED = frozenset({".pyc", ".so"})
_CODE = frozenset({".py", ".pyi"})
_DATA = frozenset(
    {
        ".json",
        ".jsonl",
        ".yaml",
        ".yml",
        ".toml",
        ".ini",
        ".cfg",
        ".csv",
        ".txt",
        ".md",
        ".xml",
        ".j2",
        ".jinja",
        ".prompt",
        "",
    }
)
"""Files whose names may be put together: of those without the suffix that code writes only these count."""
_ELSEWHERE = frozenset(
    {
        "__pycache__",
        "node_modules",
        "site-packages",
        "dist-packages",
        "venv",
        ".venv",
        ".git",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".hypothesis",
        ".tox",
        ".idea",
        ".vscode",
        ".langgraph_api",
    }
)


def texts_of_files(literals: Iterable[str], *, reads: bool = False) -> list[str]:
    """Return a digest of each file beside the agent's modules that texts of its code name.

    Args:
        literals: the texts; one that is a pattern stands for every file that it matches, the end of a name for every
            file that ends so.
        reads: whether the code reads files at all: a name may then be put together of texts.
    """
    known = frozenset(literals) - _sources()  # by `__file__` code finds what is beside it
    names = {match["name"] for literal in known if (match := _FILE.fullmatch(literal))}
    stems = {match["name"] for literal in known if reads and (match := _NAME.fullmatch(literal))}
    texts: dict[str, str] = {}
    for _ in range(INDEXES_MAX):
        size = len(texts)
        for path, within in _files(_folders()) if names or stems else ():
            if within in texts or not _is_named(path, within, names, stems) or not _is_shown(within, known):
                continue
            content = _read(path)
            if content is not None:
                texts[within] = f"file {within} {hashlib.sha256(_meaning(path, content)).hexdigest()}"
                names |= _named_in(path, content)  # one may name others
        if len(texts) == size:
            break
    return sorted(texts.values())


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(BYTES_MAX)
    except OSError:
        return None


def _meaning(path: Path, content: bytes) -> bytes:
    """Return what a file of data says: how it is laid out, and its comments, say nothing."""
    read = _READERS.get(path.suffix)
    try:
        return content if read is None else json.dumps(read(content.decode()), default=str).encode()
    except (ValueError, RecursionError, TypeError, yaml.YAMLError):
        return content


_READERS: dict[str, Callable[[str], object]] = {
    ".json": json.loads, ".yaml": yaml.safe_load, ".yml": yaml.safe_load, ".toml": tomllib.loads,
}  # fmt: skip


def _named_in(path: Path, content: bytes) -> set[str]:
    """Return the names of files that stand in a file of data."""
    if path.suffix not in _DATA:
        return set()
    return {match.decode(errors="replace") for match in _MENTIONED.findall(content)}


def _is_named(path: Path, within: str, names: set[str], stems: set[str]) -> bool:
    if path.name in names or path.name in stems:
        return True
    if path.suffix in _CODE:
        return False
    if any(path.match(name) if "*" in name else path.name.endswith(name) for name in names):
        return True
    return path.suffix in _DATA and (path.stem in stems or bool(stems & set(Path(within).parts[:-1])))


def _is_shown(within: str, known: frozenset[str]) -> bool:
    """Whether a file is in no hidden folder, or in one that code names."""
    hidden = [part for part in Path(within).parts[:-1] if part.startswith(".")]
    return all(any(part in literal for literal in known) for part in hidden)


def _sources() -> frozenset[str]:
    """Return the files of the agent's modules, which are read as code."""
    return frozenset(str(getattr(module, "__file__", None) or "") for module in own_modules())


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
            inner[:] = sorted(name for name in inner if name not in _ELSEWHERE and depth < DEPTH_MAX)
            paths = (Path(place, name) for name in sorted(files) if Path(name).suffix not in _COMPILED)
            yield from ((path, path.relative_to(folder).as_posix()) for path in paths)
