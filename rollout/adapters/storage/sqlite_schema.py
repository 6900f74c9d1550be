"""One SQLite file: its format, its transactions, and its troubles in our own words.

Durable (write-ahead log, synchronous FULL): what was written is there after a power cut. A connection is opened for
each use, so that nothing is held while nothing happens.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rollout import private_files
from rollout.causes import why
from rollout.errors import Fault, InvalidInput, StoreLocked, StoreUnavailable
from rollout.redaction import SECRETS

if TYPE_CHECKING:
    from pydantic import BaseModel

SCHEMA_VERSION = 4
COMMANDS_PENDING_MAX = 100
BUSY_TIMEOUT_S = 10.0
_PAUSE_S = 0.02
_FIRST_READ = "SELECT count(*) FROM sqlite_master"

_STEPS = (
    """
CREATE TABLE rollouts (
  name TEXT PRIMARY KEY, namespace TEXT NOT NULL, spec TEXT NOT NULL, status TEXT NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 0, holder TEXT NOT NULL DEFAULT '');
CREATE TABLE decisions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL,
  body TEXT NOT NULL);
CREATE INDEX decisions_by_rollout ON decisions (rollout, id);
CREATE TABLE commands (
  id TEXT PRIMARY KEY, rollout TEXT NOT NULL, verb TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
  at TEXT NOT NULL, phase TEXT, step INTEGER, handled INTEGER NOT NULL DEFAULT 0);
CREATE INDEX commands_pending ON commands (rollout, handled);
""",
    """
CREATE TABLE releases (
  id INTEGER PRIMARY KEY AUTOINCREMENT, rollout TEXT NOT NULL, started_at TEXT NOT NULL, body TEXT NOT NULL,
  UNIQUE (rollout, started_at));
ALTER TABLE commands ADD COLUMN version TEXT;
""",
    """
ALTER TABLE commands ADD COLUMN ending TEXT;
""",
    """
CREATE TABLE overviews (rollout TEXT PRIMARY KEY, of TEXT NOT NULL, body TEXT NOT NULL);
""",
)
"""What each version of the format adds to the one before: a file of any age is brought up to date."""


class Database:
    """The file. Creates it, with its folder, if it is not there."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises StoreUnavailable, or InvalidInput where a newer release has written it."""
        self._path = path
        with _translated(path):
            if not path.exists():
                _create(path)
            elif path.stat().st_size == 0:
                remedy = f"restore it, or remove it to begin anew: rm {path}"
                raise StoreUnavailable(
                    f"the store {path} is empty: it was cut off, and what was in it is lost. {remedy}"
                )
            private_files.close_to_others(path)
            self._prepare()

    def _prepare(self) -> None:
        with closing(self._readable()) as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                message = f"was written by a newer release (format {version}, this one reads {SCHEMA_VERSION})"
                raise InvalidInput([Fault(str(self._path), message, "upgrade agent-rollout, or name another --state")])
        if version < SCHEMA_VERSION:
            with closing(self._connect()) as database:
                _upgrade(database)

    @property
    def directory(self) -> Path:
        return self._path.parent

    def _connect(self, *, alone: bool = False) -> sqlite3.Connection:
        """Return a connection; `alone`: one that lets nobody else in, and needs no file beside the store to read it."""
        database = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            if alone:
                database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA synchronous = FULL")
            database.execute(_FIRST_READ)
        except BaseException:
            database.close()
            raise
        return database

    def _readable(self) -> sqlite3.Connection:
        """Return a connection that can be read from, also where the disk is full.

        Readers of a write-ahead log share memory in a file beside it, which takes room; whoever is alone with the store
        can do without (SQLite's manual, "Use of WAL Without Shared-Memory").
        """
        try:
            return self._connect()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise
            return self._connect(alone=True)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read, without blocking the writer."""
        with _translated(self._path), closing(self._readable()) as database:
            yield database

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Write all or nothing."""
        with _translated(self._path), closing(self._connect()) as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")


def _create(path: Path) -> None:
    """Create the file whole, under another name first: nobody sees half of it, and an empty one was cut off later.

    SQLite gives the files beside it the same mode.
    """
    private_files.make_directory(path.parent)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        private_files.appending(fresh).close()
        with closing(sqlite3.connect(fresh, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as database:
            _upgrade(database)
            _with_patience(lambda: database.execute("PRAGMA journal_mode = WAL"))
        with contextlib.suppress(FileExistsError):  # somebody else was quicker
            os.link(fresh, path)
    finally:
        for left in path.parent.glob(f"{fresh.name}*"):
            left.unlink(missing_ok=True)


def _upgrade(database: sqlite3.Connection) -> None:
    """Bring the format up to date, all or nothing; two that try at once do it once."""
    database.execute("BEGIN IMMEDIATE")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    for step in _STEPS[version:]:
        for statement in filter(str.strip, step.split(";")):
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    database.execute("COMMIT")


def _with_patience(change: Callable[[], object]) -> None:
    """Make a change for which SQLite does not wait by itself while others use the file."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            change()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Say in our own words what SQLite and the file system say, and that a record in the file cannot be read."""
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        message = f"the store {path} holds a record that cannot be read: it is damaged, or of a newer release"
        raise StoreUnavailable(f"{message}. Restore it, upgrade agent-rollout, or name another --state") from error
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            message = f"the store {path} is locked: another process has not let go of it in {BUSY_TIMEOUT_S:g} s"
            raise StoreLocked(f"{message}. See what runs there; rollout abort ends a controller that hangs") from error
        message = f"the store {path} cannot be used: {why(error)}. Check the disk and the permissions, or name --state"
        raise StoreUnavailable(message) from error


def as_json(record: BaseModel) -> str:
    """Return a record as it is stored: without the secrets that this process knows."""
    text = record.model_dump_json(by_alias=True, exclude_none=True)
    if SECRETS.redact(text) == text:
        return text
    return json.dumps(SECRETS.redacted(json.loads(text)), ensure_ascii=False)
