"""Conversations in a PostgreSQL store, read-only, under a time limit that the server holds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from rollout.contracts.samples.decode import BLOB_MAX_BYTES, Decoded, Undecodable, decode, decode_inline
from rollout.contracts.samples.postgres_address import problem_of, settings
from rollout.contracts.samples.postgres_errors import meaning_of
from rollout.contracts.samples.snapshot import (
    BRANCH,
    JOIN,
    ROWS_MAX,
    SENDS,
    WAITING_MAX,
    Limits,
    Snapshot,
    Survey,
    pending_of,
    snapshot,
)

CONNECT_TIMEOUT_S = 3
ALTOGETHER = 2
"""So many times the limit of one statement a whole census may take."""

_LATEST = """
SELECT DISTINCT ON (thread_id, checkpoint_ns) thread_id, checkpoint_ns, checkpoint_id,
       (checkpoint->'channel_values')::text, (checkpoint->'channel_versions')::text, metadata->>'agent_version'
FROM checkpoints {sample} ORDER BY thread_id, checkpoint_ns, checkpoint_id DESC LIMIT %s
"""
_BLOBS = """
SELECT channel, type, CASE WHEN octet_length(blob) <= %s THEN blob END FROM checkpoint_blobs
WHERE thread_id = %s AND checkpoint_ns = %s AND version = ANY(%s)
"""
_PENDING = """
SELECT channel, type, CASE WHEN octet_length(blob) <= %s THEN blob END FROM checkpoint_writes
WHERE thread_id = %s AND checkpoint_ns = %s AND checkpoint_id = %s LIMIT %s
"""
_ASKED = """
SELECT DISTINCT thread_id, checkpoint_ns, checkpoint_id FROM checkpoint_writes
WHERE channel IN ('__interrupt__', '__error__') OR channel LIKE 'branch:to:%%' LIMIT %s
"""
WRITES_MAX = 500

UNREADABLE: dict[str, Any] = {}
"""Stands for what is no JSON object, or too deep a one."""

SAMPLED = "TABLESAMPLE SYSTEM (1)"
"""Where counting all takes too long, one page in a hundred is looked at: values can be judged, nobody is cleared."""


def survey(
    address: str, limits: Limits, now_s: Callable[[], float] = time.monotonic, *, may_name_files: bool = True
) -> Survey:
    """Look at the last checkpoint of every conversation. Raises nothing; no problem has a word of the address.

    Args:
        may_name_files: whether the address may name files of this machine: certificates, a service, a socket.
    """
    if problem := problem_of(address, may_name_files=may_name_files):
        return Survey(problem=f"the store cannot be reached: {problem}")
    try:
        import psycopg  # noqa: PLC0415  only whoever has such a store needs it
    except ImportError:
        return Survey(problem="psycopg is not installed: pip install 'agent-rollout[state]'")
    limit_ms = int(limits.time_s * 1000)
    options = f"-c default_transaction_read_only=on -c statement_timeout={limit_ms} -c lock_timeout={limit_ms}"
    try:
        with psycopg.connect(
            address,
            connect_timeout=CONNECT_TIMEOUT_S,
            options=options,
            autocommit=True,
            application_name="rollout",
            **settings(address, may_name_files=may_name_files),
        ) as connection:
            connection.read_only = True
            try:
                return _surveyed(connection, limits, "", now_s)
            except psycopg.errors.QueryCanceled:
                return _surveyed(connection, limits, SAMPLED, now_s)
    except psycopg.errors.UndefinedTable:
        return Survey(
            problem="there are no checkpoints in this database: no agent has written yet, or it is another one"
        )
    except psycopg.Error as error:
        return Survey(problem=f"the store cannot be read: {meaning_of(error)}")


def _surveyed(connection: Any, limits: Limits, sample: str, now_s: Callable[[], float]) -> Survey:
    until = now_s() + ALTOGETHER * limits.time_s
    rows = connection.execute(_LATEST.format(sample=sample), (ROWS_MAX + 1,)).fetchall()
    complete = not sample and len(rows) <= ROWS_MAX
    # Where counting took too long already, this would too; and then nobody is cleared anyway.
    asked = set() if sample else {tuple(row) for row in connection.execute(_ASKED, (ROWS_MAX,)).fetchall()}
    rows = [_parsed(row) for row in rows]
    waits = [row for row in rows if _waits(row) or tuple(row[:3]) in asked]
    others = sorted(
        (row for row in rows if not (_waits(row) or tuple(row[:3]) in asked)), key=lambda row: str(row[2]), reverse=True
    )
    complete = complete and len(waits) <= WAITING_MAX
    chosen = (*waits[:WAITING_MAX], *others[: limits.newest])
    snapshots: list[Snapshot] = []
    for row in chosen:
        if now_s() > until:
            return Survey(tuple(snapshots), len(rows), complete=False)
        snapshots.append(_read(connection, row))
    complete = complete and not any(snapshot.undecodable for snapshot in snapshots)  # nobody knows whether those wait
    return Survey(tuple(snapshots), len(rows), complete)


def _parsed(row: Any) -> tuple[Any, ...]:
    """Return a row with its JSON read; UNREADABLE in place of what cannot be. One bad row is one conversation."""
    *key, inline, versions, version = row
    return (*key, _object(inline), _object(versions), version)


def _object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return UNREADABLE
    return value if isinstance(value, dict) else UNREADABLE


def _waits(row: Any) -> bool:
    """Whether a checkpoint may be one that waits: by the names of its channels, or because nobody can tell."""
    inline, versions = row[3], row[4]
    if inline is UNREADABLE or versions is UNREADABLE:
        return True
    return any(name.startswith((BRANCH, JOIN)) for name in inline) or any(
        name.startswith(JOIN) or name == SENDS for name in versions
    )


def _read(connection: Any, row: Any) -> Snapshot:
    thread, namespace, checkpoint, inline, versions, version = row
    written = connection.execute(_PENDING, (BLOB_MAX_BYTES, thread, namespace, checkpoint, WRITES_MAX)).fetchall()
    pending = pending_of((str(channel), str(kind), blob) for channel, kind, blob in written)
    if inline is UNREADABLE or versions is UNREADABLE:
        return snapshot(thread, namespace, {}, version, "its checkpoint cannot be read", pending)
    wanted = [str(number) for name, number in versions.items() if name not in inline]
    values: dict[str, Decoded] = {}
    try:
        values |= {name: decode_inline(value) for name, value in inline.items()}
        stored = connection.execute(_BLOBS, (BLOB_MAX_BYTES, thread, namespace, wanted)).fetchall() if wanted else ()
        values |= _decoded(stored, versions)
    except Undecodable as error:
        return snapshot(thread, namespace, values, version, str(error), pending)
    return snapshot(thread, namespace, values, version, "", pending)


def _decoded(stored: Iterable[Any], versions: dict[str, Any]) -> dict[str, Decoded]:
    channels = {}
    for channel, kind, blob in stored:
        if channel not in versions or kind == "empty":
            continue
        if blob is None and kind != "null":
            raise Undecodable(f"{channel} is larger than 2 MiB")
        channels[channel] = decode(str(kind), bytes(blob) if blob is not None else None)
    return channels
