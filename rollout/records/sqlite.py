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
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

from pydantic import ValidationError

from rollout.engine.facts import Command, Verb
from rollout.errors import Busy, RecordsUnavailable
from rollout.model.resource import Metadata, RolloutSpec
from rollout.model.rollout import Rollout
from rollout.model.status import Decision, Status
from rollout.records.database import Database

DECISIONS_MAX = 50_000
"""The full record keeps this many decisions a rollout: two weeks of looks every 30 s."""
COMMANDS_PENDING_MAX = 100
_LOCK_TRIES = 10
_LOCK_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Row:
    """One rollout as listed: what it is and who carries it out, if anybody does."""

    rollout: Rollout
    holder: str


class Store:
    """The file with all rollouts of one state directory."""

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        """Open the store. Raises RecordsUnavailable, or InvalidInput where a newer release has written it."""
        self.directory = directory
        self.path = directory / "rollouts.db"
        if not create and not self.path.exists():
            raise RecordsUnavailable(
                f"there are no records in {directory}: nothing was started there. Start a rollout, or name --state"
            )
        self._file = Database(self.path)

    def all(self) -> list[Row]:
        """Return all rollouts by name."""
        with self._file.reading() as database:
            rows = database.execute("SELECT name, namespace, spec, status, holder FROM rollouts ORDER BY name")
            return [_row(self.path, row, self.is_held(row[0])) for row in rows.fetchall()]

    def get(self, name: str) -> Row | None:
        """Return one rollout, or None."""
        return next((row for row in self.all() if row.rollout.metadata.name == name), None)

    def decisions(self, name: str, *, looks: bool, limit: int) -> list[Decision]:
        """Return the newest decisions of a rollout, oldest first; with or without those of mere looks."""
        where = "" if looks else " AND kind != 'look'"
        with self._file.reading() as database:
            query = f"SELECT body FROM decisions WHERE rollout = ?{where} ORDER BY id DESC LIMIT ?"  # noqa: S608  constant text
            rows = database.execute(query, (name, limit)).fetchall()
        return [Decision.model_validate_json(body) for (body,) in reversed(rows)]

    def append(self, name: str, verb: Verb, actor: str, reason: str, at: datetime, status: Status) -> str:
        """Append a command, meant for the phase and step of `status`; return its id.

        An abort is always taken. Other verbs are refused while too many wait for an answer.
        """
        command = uuid.uuid4().hex
        with self._file.writing() as database:
            pending = database.execute(
                "SELECT count(*) FROM commands WHERE rollout = ? AND NOT handled", (name,)
            ).fetchone()[0]
            if verb != "abort" and pending >= COMMANDS_PENDING_MAX:
                raise Busy(f"{pending} commands for {name} wait already: is a controller running? See rollout status")
            database.execute(
                "INSERT INTO commands (id, rollout, verb, actor, reason, at, phase, step) VALUES (?,?,?,?,?,?,?,?)",
                (command, name, verb, actor, reason, at.isoformat(), status.phase, status.step),
            )
        return command

    def is_held(self, name: str) -> bool:
        """Whether a controller carries this rollout out right now."""
        path = self._lock_path(name)
        if not path.exists():
            return False
        with path.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
            return False

    def _lock_path(self, name: str) -> Path:
        return self.directory / f"{name}.lock"

    def hold(self, metadata: Metadata, change: Callable[[Rollout | None], Rollout]) -> Held:
        """Take a rollout's lease and write what `change` makes of it. Raises Busy while another controller has it.

        metadata: which rollout. change: gets what is recorded (None at first) and returns what is to be.
        """
        lock = self._lock(metadata.name)
        try:
            with self._file.writing() as database:
                query = "SELECT name, namespace, spec, status, '' FROM rollouts WHERE name = ?"
                found = database.execute(query, (metadata.name,)).fetchone()
                rollout = change(_row(self.path, found, held=False).rollout if found else None)
                database.execute(
                    "INSERT INTO rollouts (name, namespace, spec, status) VALUES (?,?,?,?) ON CONFLICT (name) DO UPDATE"
                    " SET namespace = excluded.namespace, spec = excluded.spec, status = excluded.status",
                    (metadata.name, metadata.namespace, _json(rollout.spec), _json(rollout.status)),
                )
                database.execute(
                    "UPDATE rollouts SET epoch = epoch + 1, holder = ? WHERE name = ?",
                    (f"pid {os.getpid()}", metadata.name),
                )
                epoch = database.execute("SELECT epoch FROM rollouts WHERE name = ?", (metadata.name,)).fetchone()[0]
        except BaseException:
            lock.close()
            raise
        return Held(self._file, rollout, epoch, lock)

    def _lock(self, name: str) -> IO[str]:
        lock = self._lock_path(name).open("a")
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(_LOCK_PAUSE_S)  # somebody may only be asking whether it is held
            else:
                return lock
        lock.close()
        row = self.get(name)
        who = f" ({row.holder})" if row and row.holder else ""
        raise Busy(
            f"another controller{who} carries out {name} already. Follow it with rollout status, steer it with"
            " rollout pause, promote or abort, or stop it first"
        )


class Held:
    """One rollout, held: the `Records` port of the engine."""

    def __init__(self, file: Database, rollout: Rollout, epoch: int, lock: IO[str]) -> None:
        self._file = file
        self._rollout = rollout
        self._epoch = epoch
        self._lock = lock
        self._saves = 0

    def load(self) -> Rollout:
        """Return the rollout as this holder last wrote it: nobody else writes it."""
        return self._rollout

    def commands(self) -> tuple[Command, ...]:
        """Return the commands that nobody has answered yet, oldest first."""
        with self._file.reading() as database:
            rows = database.execute(
                "SELECT id, verb, actor, reason, at, phase, step FROM commands"
                " WHERE rollout = ? AND NOT handled ORDER BY verb != 'abort', at, id LIMIT ?",
                (self._rollout.metadata.name, COMMANDS_PENDING_MAX),
            ).fetchall()
        return tuple(
            Command(id_, cast("Verb", verb), actor, reason, datetime.fromisoformat(at), phase, step)
            for id_, verb, actor, reason, at, phase, step in rows
        )

    def save(self, status: Status, decisions: tuple[Decision, ...]) -> None:
        """Write status and decisions in one transaction and close the commands it has handled.

        Raises RecordsUnavailable, also when this is no longer the holder: then nothing was written.
        """
        name = self._rollout.metadata.name
        with self._file.writing() as database:
            changed = database.execute(
                "UPDATE rollouts SET status = ? WHERE name = ? AND epoch = ?", (_json(status), name, self._epoch)
            )
            if changed.rowcount != 1:
                raise RecordsUnavailable(f"{name} is held by another controller since: this one stops writing")
            database.executemany(
                "INSERT INTO decisions (rollout, at, kind, body) VALUES (?,?,?,?)",
                [(name, each.at.isoformat(), each.kind, _json(each)) for each in decisions],
            )
            database.executemany(
                "UPDATE commands SET handled = 1 WHERE id = ? AND rollout = ?", [(id_, name) for id_ in status.handled]
            )
            if self._saves % 500 == 0:
                database.execute(
                    "DELETE FROM decisions WHERE rollout = ? AND id <= (SELECT id FROM decisions WHERE rollout = ?"
                    " ORDER BY id DESC LIMIT 1 OFFSET ?)",
                    (name, name, DECISIONS_MAX),
                )
        self._saves += 1
        self._rollout = Rollout(self._rollout.metadata, self._rollout.spec, status)

    def release(self) -> None:
        """Let go of the lease."""
        self._lock.close()


def _json(record: Any) -> str:
    return str(record.model_dump_json(by_alias=True, exclude_none=True))


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
        raise RecordsUnavailable(f"{path} {message}. Upgrade agent-rollout, or name another --state") from error
    return Row(rollout, holder if held else "")
