"""The files that an Envoy watches: put in place whole by a rename, which Envoy takes up at once without a restart."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rollout import private_files
from rollout.causes import why
from rollout.errors import RouterUnavailable


class WatchedFiles:
    """One directory with what an Envoy is told.

    Args:
        private: whether nobody else may read it; an Envoy of your own may run as another user.
    """

    def __init__(self, directory: Path, *, private: bool) -> None:
        self.directory, self._private = directory, private

    def write(self, name: str, content: dict[str, Any]) -> bool:
        """Put a file in place whole; return whether it changed. Raises RouterUnavailable."""
        path, text = self.directory / name, json.dumps(content, indent=1)
        if self.read(name) == text:
            return False
        with self.disk():
            if self._private:
                private_files.make_directory(self.directory)
                private_files.write(path, text)
            else:
                self.directory.mkdir(parents=True, exist_ok=True)
                fresh = path.with_suffix(".new")
                fresh.write_text(text, encoding="utf-8")
                fresh.replace(path)
        return True

    def rename(self, name: str, to: str) -> None:
        """Put one file in the place of another, which needs no room on a disk. Raises RouterUnavailable."""
        with self.disk():
            (self.directory / name).replace(self.directory / to)

    def read(self, name: str) -> str:
        """Return a file's text; empty if it cannot be read."""
        try:
            return (self.directory / name).read_text(encoding="utf-8")
        except OSError:
            return ""

    @contextlib.contextmanager
    def disk(self) -> Iterator[None]:
        """Say in our own words what the file system says."""
        try:
            yield
        except OSError as error:
            message = (
                f"Envoy's files in {self.directory} cannot be written: {why(error)}. Check the disk and permissions"
            )
            raise RouterUnavailable(message) from error
