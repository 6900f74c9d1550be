"""What a terminal shows of a rollout, kept beside its status, so that it is read without the model, at once.

It is written with the status, for that very status and spec. Where either has changed since, it is not read.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from rollout.adapters.storage.sqlite_lease import is_held
from rollout.adapters.storage.sqlite_schema import Database
from rollout.redaction import SECRETS
from rollout.views.overview import Overview, read


@dataclass(frozen=True)
class KeptOverview:
    """An overview with who carries the rollout out; empty if nobody does."""

    overview: Overview
    holder: str


def keep(database: sqlite3.Connection, name: str, overview: Overview) -> None:
    """Write an overview down, for the status and spec as they are in this transaction."""
    of = _digest(*database.execute("SELECT spec, status FROM rollouts WHERE name = ?", (name,)).fetchone())
    body = overview.text()
    if SECRETS.redact(body) != body:
        body = json.dumps(SECRETS.redacted(json.loads(body)))
    database.execute("INSERT OR REPLACE INTO overviews (rollout, of, body) VALUES (?,?,?)", (name, of, body))


def kept(directory: Path, name: str | None) -> KeptOverview | None:
    """Return the overview of a rollout, or of the only one; None where there is none of it as it is now.

    Raises StoreUnavailable, or InvalidInput where a newer release has written the store.
    """
    with Database(directory / "rollouts.db").reading() as database:
        query = "SELECT name, spec, status, holder, of, body FROM rollouts LEFT JOIN overviews ON rollout = name"
        answer = database.execute(f"{query} WHERE name = ?", (name,)) if name else database.execute(query)
        rows = answer.fetchmany(2)
    if len(rows) != 1:
        return None
    name, spec, status, holder, of, body = rows[0]
    if of != _digest(spec, status):
        return None
    overview = read(body)
    return KeptOverview(overview, holder if is_held(directory, name) else "") if overview else None


def _digest(spec: str, status: str) -> str:
    return hashlib.sha256(f"{spec}\0{status}".encode()).hexdigest()
