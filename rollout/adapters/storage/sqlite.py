"""Rollouts, decisions and commands in one SQLite file: durable (WAL, synchronous FULL), one writer of state.

Whoever carries a rollout out holds its lease: a lock on a file, which the system lets go of when the process dies,
however it dies. Anybody may append a command; only the holder writes state, and every write carries the holder's epoch,
so that a late write of a former holder fails instead of undoing newer state.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pydantic import ValidationError

from rollout import private_files
from rollout.adapters.storage import abort_note
from rollout.adapters.storage.base import Row
from rollout.adapters.storage.sqlite_lease import is_held, lock_path
from rollout.adapters.storage.sqlite_schema import COMMANDS_PENDING_MAX, Database, as_json
from rollout.errors import Busy, StoreLocked, StoreUnavailable
from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.rollout import Rollout
from rollout.model.status.decision import Decision
from rollout.model.status.finished_release import FinishedRelease
from rollout.model.status.status import Status

if TYPE_CHECKING:
    from rollout.adapters.storage.sqlite_status import SqliteStatusStore
    from rollout.engine.facts import DrainOrder, Verb

_LOCK_TRIES = 10
_LOCK_PAUSE_S = 0.02


class SqliteStore:
    """The file with all rollouts of one state directory.

    Attributes:
        is_locked: whether the last abort could not be written because another process has the file to itself.
    """

    poll_s = 0.2

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        """Open the store. Raises StoreUnavailable, or InvalidInput where a newer release has written it."""
        self.directory = directory
        self.path = directory / "rollouts.db"
        if not create and not self.path.exists():
            raise StoreUnavailable(
                f"there is no store in {directory}: nothing was started there. Start a rollout, or name --state"
            )
        self._file = Database(self.path)
        self._listed: dict[str, tuple[tuple[str, str, str, str], Rollout]] = {}
        self.is_locked = False

    def all(self) -> list[Row]:
        """Return all rollouts by name."""
        with self._file.reading() as database:
            rows = database.execute("SELECT name, namespace, spec, status, holder FROM rollouts ORDER BY name")
            return [self._known_row(row) for row in rows.fetchall()]

    def _known_row(self, row: tuple[str, str, str, str, str]) -> Row:
        """Return a row of the list; what is written as it was is not read again: a list is asked for often."""
        name, *_, holder = row
        known = self._listed.get(name)
        if known is None or known[0] != row[:4]:
            known = self._listed[name] = row[:4], _row(self.path, row, held=False).rollout
        return Row(known[1], holder if self.is_held(name) else "")

    def names(self) -> list[str]:
        """Return the names of all rollouts, without reading them."""
        with self._file.reading() as database:
            return [name for (name,) in database.execute("SELECT name FROM rollouts ORDER BY name").fetchall()]

    def get(self, name: str) -> Row | None:
        """Return one rollout, or None."""
        with self._file.reading() as database:
            query = "SELECT name, namespace, spec, status, holder FROM rollouts WHERE name = ?"
            row = database.execute(query, (name,)).fetchone()
            return _row(self.path, row, self.is_held(name)) if row else None

    def decisions(self, name: str, *, samples: bool, limit: int, of: FinishedRelease | None = None) -> list[Decision]:
        """Return the newest decisions of a rollout, oldest first; with or without those of mere samples.

        Args:
            of: only those of one release that is over.
        """
        where = "" if samples else " AND kind NOT IN ('sample', 'look')"
        span = (of.started_at.isoformat(), of.ended_at.isoformat()) if of else ("", "~")
        with self._file.reading() as database:
            query = (
                f"SELECT body FROM decisions WHERE rollout = ?{where} AND at >= ? AND at <= ?"  # noqa: S608  constant text
                " ORDER BY id DESC LIMIT ?"
            )
            rows = database.execute(query, (name, *span, limit)).fetchall()
        return [decision for _, decision in self._decisions((0, body) for (body,) in reversed(rows))]

    def decisions_after(self, name: str, last: int) -> list[tuple[int, Decision]]:
        """Return the decisions written after the one numbered `last`, each with its number, oldest first."""
        with self._file.reading() as database:
            query = "SELECT id, body FROM decisions WHERE rollout = ? AND id > ? ORDER BY id LIMIT 1000"
            rows = database.execute(query, (name, last)).fetchall()
        return self._decisions(rows)

    def _decisions(self, rows: Iterable[tuple[int, str]]) -> list[tuple[int, Decision]]:
        """Return decisions with their numbers. One that cannot be read is left out, and told: the others are true."""
        read: list[tuple[int, Decision]] = []
        damaged = 0
        for number, body in rows:
            try:
                read.append((number, Decision.model_validate_json(body)))
            except ValidationError:
                damaged += 1
        if damaged:
            import structlog  # noqa: PLC0415  rarely needed, and half as long to load as all the rest of this module

            log = structlog.get_logger(__name__)
            log.warning("decisions in the store cannot be read: it is damaged", store=str(self.path), how_many=damaged)
        return read

    def last_decision(self, name: str) -> int:
        """Return the number of the newest decision; 0 if there is none."""
        with self._file.reading() as database:
            query = "SELECT max(id) FROM decisions WHERE rollout = ?"
            return int(database.execute(query, (name,)).fetchone()[0] or 0)

    def releases(self, name: str, limit: int) -> list[FinishedRelease]:
        """Return the newest releases of a rollout that are over, oldest first."""
        with self._file.reading() as database:
            query = "SELECT body FROM releases WHERE rollout = ? ORDER BY started_at DESC LIMIT ?"
            rows = database.execute(query, (name, limit)).fetchall()
            return [FinishedRelease.model_validate_json(body) for (body,) in reversed(rows)]

    def declare(self, rollout: Rollout) -> None:
        """Write what is wanted of a rollout; whoever holds it, or comes to hold it, sees it at its next turn.

        Its status is only written where there is none yet.
        """
        with self._file.writing() as database:
            database.execute(
                "INSERT INTO rollouts (name, namespace, spec, status) VALUES (?,?,?,?) ON CONFLICT (name) DO UPDATE"
                " SET namespace = excluded.namespace, spec = excluded.spec",
                (rollout.metadata.name, rollout.metadata.namespace, as_json(rollout.spec), as_json(rollout.status)),
            )

    def append(
        self,
        name: str,
        verb: Verb,
        actor: str,
        reason: str,
        at: datetime,
        status: Status,
        drain: DrainOrder | None = None,
    ) -> str:
        """Append a command, meant for the phase and step of `status`; return its id.

        An abort is always taken: where the file cannot be written, it is left beside it. Other verbs are refused while
        too many wait for an answer. Raises StoreUnavailable.
        """
        try:
            return self._append(name, verb, actor, reason, at, status, drain)
        except Busy:
            raise
        except StoreUnavailable as error:
            if verb != "abort":
                raise
            self.is_locked = isinstance(error, StoreLocked)
            return abort_note.leave(self.directory, name)

    def has_note(self, name: str) -> bool:
        """Whether an abort was left that is not recorded yet."""
        return abort_note.read(self.directory, name) is not None

    def _append(
        self, name: str, verb: Verb, actor: str, reason: str, at: datetime, status: Status, drain: DrainOrder | None
    ) -> str:
        command = uuid.uuid4().hex
        with self._file.writing() as database:
            pending = database.execute(
                "SELECT count(*) FROM commands WHERE rollout = ? AND NOT handled", (name,)
            ).fetchone()[0]
            if verb != "abort" and pending >= COMMANDS_PENDING_MAX:
                raise Busy(f"{pending} commands for {name} wait already: is a controller running? See rollout status")
            database.execute(
                "INSERT INTO commands (id, rollout, verb, actor, reason, at, phase, step, version, ending)"
                " VALUES (?,?,?,?,?,?,?,?,?,?)",
                (
                    *(command, name, verb, _clean(actor), _clean(reason), at.isoformat()),
                    *(status.phase, status.latest.step),
                    *((_clean(drain.version), drain.then) if drain else (status.stable_version, None)),
                ),
            )
        return command

    def is_held(self, name: str) -> bool:
        """Whether a controller carries this rollout out right now."""
        return is_held(self.directory, name)

    def _lock_path(self, name: str) -> Path:
        return lock_path(self.directory, name)

    def hold(self, metadata: Metadata, change: Callable[[Rollout | None], Rollout]) -> SqliteStatusStore:
        """Take a rollout's lease and write what `change` makes of it. Raises Busy while another controller has it.

        Args:
            metadata: which rollout.
            change: gets what is recorded (None at first) and returns what is to be.
        """
        from rollout.adapters.storage.sqlite_status import SqliteStatusStore  # noqa: PLC0415  with half of the engine

        lock = self._lock(metadata.name)
        try:
            with self._file.writing() as database:
                query = "SELECT name, namespace, spec, status, '' FROM rollouts WHERE name = ?"
                row = database.execute(query, (metadata.name,)).fetchone()
                rollout = change(_row(self.path, row, held=False).rollout if row else None)
                database.execute(
                    "INSERT INTO rollouts (name, namespace, spec, status) VALUES (?,?,?,?) ON CONFLICT (name) DO UPDATE"
                    " SET namespace = excluded.namespace, spec = excluded.spec, status = excluded.status",
                    (metadata.name, metadata.namespace, as_json(rollout.spec), as_json(rollout.status)),
                )
                database.execute(
                    "UPDATE rollouts SET epoch = epoch + 1, holder = ? WHERE name = ?",
                    (f"pid {os.getpid()}", metadata.name),
                )
                epoch = database.execute("SELECT epoch FROM rollouts WHERE name = ?", (metadata.name,)).fetchone()[0]
        except BaseException:
            lock.close()
            raise
        return SqliteStatusStore(self._file, rollout, epoch, lock)

    def _lock(self, name: str) -> IO[str]:
        lock = private_files.appending(self._lock_path(name))
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(_LOCK_PAUSE_S)  # somebody may only be asking whether it is held
            else:
                lock.truncate(0)
                lock.write(f"pid {os.getpid()}")  # also for whoever cannot read the store
                lock.flush()
                return lock
        lock.close()
        row = self.get(name)
        who = f" ({row.holder})" if row and row.holder else ""
        raise Busy(
            f"another controller{who} carries out {name} already. Follow it with rollout status, steer it with"
            " rollout pause, promote or abort, or stop it first"
        )


def _clean(text: str) -> str:
    """Return text that can be written: a terminal may send bytes that are no text."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _row(path: Path, row: tuple[str, str, str, str, str], held: bool) -> Row:
    name, namespace, spec, status, holder = row
    try:
        rollout = Rollout(
            Metadata(name=name, namespace=namespace),
            RolloutSpec.model_validate_json(spec),
            Status.model_validate_json(status),
        )
    except ValidationError as error:
        message = f"holds a record of {name} that this release cannot read: {error.error_count()} faults"
        remedy = "It is damaged, or of a newer release: restore it, upgrade agent-rollout, or name another --state"
        raise StoreUnavailable(f"{path} {message}. {remedy}") from error
    return Row(rollout, holder if held else "")
