"""One rollout, held by whoever carries it out: the only writer of its status.

Anybody may declare another spec, or append a command; both are read again at every turn.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, cast, get_args

from rollout.adapters.storage import abort_note, overviews
from rollout.adapters.storage.sqlite_schema import COMMANDS_PENDING_MAX, Database, as_json
from rollout.engine.facts import Command, Verb
from rollout.engine.planned import Plan
from rollout.errors import LeaseLost
from rollout.model.api.rollout import RolloutSpec
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.views.summary import overview_of

DECISIONS_MAX = 50_000
"""The full record keeps this many decisions a rollout: two weeks of samples every 30 s."""

_VERBS = frozenset(get_args(Verb))


class SqliteStatusStore:
    """One rollout, held: the `StatusStore` port of the engine."""

    def __init__(self, file: Database, rollout: Rollout, epoch: int, lock: IO[str]) -> None:
        self._file = file
        self._rollout = rollout
        self._epoch = epoch
        self._lock = lock
        self._spec = as_json(rollout.spec)
        self._saves = 0

    def load(self) -> Rollout:
        """Return the rollout: its status as this holder last wrote it, and what is declared for it now."""
        with self._file.reading() as database:
            query = "SELECT spec FROM rollouts WHERE name = ?"
            row = database.execute(query, (self._rollout.metadata.name,)).fetchone()
            if row is not None and row[0] != self._spec:
                self._rollout = replace(self._rollout, spec=RolloutSpec.model_validate_json(row[0]))
                self._spec = row[0]
        return self._rollout

    def commands(self) -> tuple[Command, ...]:
        """Return the commands that nobody has answered yet, oldest first; and an abort beside the file."""
        with self._file.reading() as database:
            rows = database.execute(
                "SELECT id, verb, actor, reason, at, phase, step, version, ending FROM commands"
                " WHERE rollout = ? AND NOT handled ORDER BY verb != 'abort', at, id LIMIT ?",
                (self._rollout.metadata.name, COMMANDS_PENDING_MAX),
            ).fetchall()
        left = abort_note.read(self._file.directory, self._rollout.metadata.name)
        given = tuple(
            Command(str(id_), cast("Verb", verb), str(actor), str(reason), _time(at), phase, step, version, then=ending)
            for id_, verb, actor, reason, at, phase, step, version, ending in rows
            if verb in _VERBS
        )
        return given if left is None or left.id in self._rollout.status.handled else (left, *given)

    def tell(self) -> None:
        """Nothing is left to tell: decisions are saved with the status."""

    def save(self, plan: Plan) -> None:
        """Write status and decisions in one transaction and close the commands it has handled.

        Raises StoreUnavailable, also when this is no longer the holder: then nothing was written.
        """
        name, status = self._rollout.metadata.name, plan.status
        with self._file.writing() as database:
            changed = database.execute(
                "UPDATE rollouts SET status = ? WHERE name = ? AND epoch = ?", (as_json(status), name, self._epoch)
            )
            if changed.rowcount != 1:
                raise LeaseLost(f"{name} is held by another controller since: this one stops writing")
            self._keep_overview(database, status)
            database.executemany(
                "INSERT INTO decisions (rollout, at, kind, body) VALUES (?,?,?,?)",
                [(name, decision.at.isoformat(), decision.kind, as_json(decision)) for decision in plan.decisions],
            )
            database.executemany(
                "UPDATE commands SET handled = 1 WHERE id = ? AND rollout = ?", [(id_, name) for id_ in status.handled]
            )
            if plan.finished is not None:
                database.execute(
                    "INSERT OR REPLACE INTO releases (rollout, started_at, body) VALUES (?,?,?)",
                    (name, plan.finished.started_at.isoformat(), as_json(plan.finished)),
                )
            if self._saves % 500 == 0:
                database.execute(
                    "DELETE FROM decisions WHERE rollout = ? AND id <= (SELECT id FROM decisions WHERE rollout = ?"
                    " ORDER BY id DESC LIMIT 1 OFFSET ?)",
                    (name, name, DECISIONS_MAX),
                )
        self._saves += 1
        left = abort_note.read(self._file.directory, name)
        if left is not None and left.id in status.handled:
            abort_note.take_away(self._file.directory, name)
        self._rollout = Rollout(self._rollout.metadata, self._rollout.spec, status)

    def _keep_overview(self, database: sqlite3.Connection, status: Status) -> None:
        """Keep what a terminal shows. A fault of that must not keep a release from being written down."""
        shown = Rollout(self._rollout.metadata, self._rollout.spec, status)
        try:
            overview = overview_of(shown, datetime.now(UTC))
        except Exception:
            import structlog  # noqa: PLC0415  as rarely needed as it is

            log = structlog.get_logger(__name__)
            log.exception("internal error: please report it", rollout=shown.metadata.name)
        else:
            overviews.keep(database, shown.metadata.name, overview)

    def release(self) -> None:
        """Let go of the lease."""
        self._lock.close()


def _time(written: object) -> datetime:
    """Return when a command was given; of a damaged one, the earliest there is: an abort is heard all the same."""
    try:
        read = datetime.fromisoformat(str(written))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return read if read.tzinfo else read.replace(tzinfo=UTC)
