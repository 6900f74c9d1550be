"""Where a verb finds files and the store of this machine."""

from __future__ import annotations

from pathlib import Path

DEFAULT_FILE = Path("rollout.yaml")


def files_of(files: list[Path] | None) -> list[Path]:
    """Return the files to read: those named, else rollout.yaml and what lies in policies/ beside it."""
    named = files or [DEFAULT_FILE]
    paths = []
    for path in named:
        paths += sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]
    beside = named[0].parent / "policies"
    if beside.is_dir():
        paths += [path for path in sorted(beside.glob("*.yaml")) if path not in paths]
    return paths


def state_of(state: Path | None, files: list[Path] | None) -> Path:
    """Return the directory of the store."""
    return state or (files or [DEFAULT_FILE])[0].parent / ".rollout"
