"""Conversations in a SQLite store, read-only. Nothing is set up, nothing is written, and it ends in time."""

from __future__ import annotations

import heapq
import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rollout.causes import why
from rollout.contracts.samples.decode import BLOB_MAX_BYTES, Undecodable, decode_channels
from rollout.contracts.samples.snapshot import (
    NOTHING,
    ROWS_MAX,
    WAITING_MAX,
    Limits,
    Pending,
    Snapshot,
    Survey,
    pending_of,
    snapshot,
)

_LATEST = """
SELECT thread_id, checkpoint_ns, MAX(checkpoint_id), type,
       CASE WHEN length(checkpoint) <= ? THEN checkpoint END, metadata
FROM checkpoints GROUP BY thread_id, checkpoint_ns LIMIT ?
"""
_PENDING = """
SELECT channel, type, CASE WHEN length(value) <= ? THEN value END FROM writes
WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ? LIMIT ?
"""
WRITES_MAX = 500

STEPS_BETWEEN_LOOKS = 10_000


def survey(path: Path, limits: Limits, now_s: Callable[[], float] = time.monotonic) -> Survey:
    """Look at the last checkpoint of every conversation. Raises nothing: what is wrong is in the survey."""
    if not path.exists():
        return Survey(problem=f"{path} does not exist: no agent has written there yet, or the path is wrong")
    until = now_s() + limits.time_s
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1.0)) as database:
            database.set_progress_handler(lambda: now_s() > until, STEPS_BETWEEN_LOOKS)
            return _surveyed(database, limits, lambda: now_s() > until)
    except sqlite3.Error as error:
        return Survey(problem=f"{path} cannot be read: {why(error)}")


def _surveyed(database: sqlite3.Connection, limits: Limits, is_late: Callable[[], bool]) -> Survey:
    newest: list[tuple[str, int, Snapshot]] = []
    waiting: list[Snapshot] = []
    seen, complete = 0, True
    rows = database.execute(_LATEST, (BLOB_MAX_BYTES, ROWS_MAX + 1))
    try:
        for thread, namespace, checkpoint, kind, blob, metadata in rows:
            seen += 1
            written = _pending(database, thread, namespace, checkpoint)
            snapshot = _read(str(thread), str(namespace), str(kind), blob, metadata, written)
            complete = complete and not snapshot.undecodable  # nobody knows whether it waits
            if snapshot.is_waiting and len(waiting) < WAITING_MAX:
                waiting.append(snapshot)
            elif snapshot.is_waiting:
                complete = False
            else:
                entry = (str(checkpoint), seen, snapshot)
                (heapq.heappushpop if len(newest) >= limits.newest else heapq.heappush)(newest, entry)
            if is_late() or seen > ROWS_MAX:
                complete = False
                break
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        complete = False
    return Survey((*waiting, *(newest_one for _, _, newest_one in sorted(newest, reverse=True))), seen, complete)


def _pending(database: sqlite3.Connection, *key: Any) -> Pending:
    """Return what was written after a checkpoint; nothing where the store has no such table."""
    try:
        rows = database.execute(_PENDING, (BLOB_MAX_BYTES, *key, WRITES_MAX)).fetchall()
    except sqlite3.OperationalError as error:
        if "no such" not in str(error):
            raise
        return NOTHING
    return pending_of((str(channel), str(kind), blob) for channel, kind, blob in rows)


def _read(
    thread: str, namespace: str, kind: str, blob: bytes | None, metadata: Any, pending: Pending = NOTHING
) -> Snapshot:
    version = version_of(metadata)
    if blob is None:
        return snapshot(thread, namespace, {}, version, "it is larger than 2 MiB", pending)
    try:
        return snapshot(thread, namespace, decode_channels(kind, blob), version, "", pending)
    except Undecodable as error:
        return snapshot(thread, namespace, {}, version, str(error), pending)


def version_of(metadata: Any) -> str | None:
    """Return which version wrote a checkpoint, where the agent says so in its metadata."""
    try:
        parsed = json.loads(metadata) if isinstance(metadata, str | bytes) else metadata
    except (ValueError, RecursionError):
        return None
    version = parsed.get("agent_version") if isinstance(parsed, dict) else None
    return version if isinstance(version, str) else None
