"""Waiting for a version that lost to have no conversation left: then a pipeline may retire it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from rollout.cli.say import say
from rollout.engine import messages
from rollout.errors import Busy, Fault, InvalidInput, Unavailable

if TYPE_CHECKING:
    from rollout.adapters.storage.base import RolloutStore, Row
    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.engine.planned import Plan
    from rollout.model.rollout import Rollout
    from rollout.model.status.conversations import Draining
    from rollout.model.status.status import Status

PROMOTED = "promoted"
DRAINED = "drained="
POLL_S = 0.5
PATIENCE_S = 60.0
"""A store that cannot be written is tried again for so long."""


def version_of(text: str) -> str | None:
    """Return the version of `drained=VERSION`; None for `promoted`. Raises InvalidInput for anything else."""
    if text == PROMOTED:
        return None
    version = text.removeprefix(DRAINED)
    if not text.startswith(DRAINED) or not version:
        raise InvalidInput([Fault("--for", "is nothing to wait for", "write promoted, or drained=VERSION", text)])
    return version


def refusal(status: Status, version: str) -> str:
    """Say why a version will not be drained: it is in use."""
    if version == status.stable_version:
        return f"{version} is the stable version: it is in use"
    if status.is_active and version == status.candidate_version:
        return f"{version} is being released: it is in use"
    return ""


def until_drained(
    store: RolloutStore, name: str, version: str, timeout_s: float, *, acts: bool
) -> tuple[int, str, Rollout | None]:
    """Wait; return the exit code, a sentence, and the rollout as it was seen last.

    Args:
        acts: whether the drain is carried out here where no controller runs; else that is only shown.
    """
    deadline, progress, rollout, alone = time.monotonic() + timeout_s, "", None, False
    while True:
        try:
            row = store.get(name)
        except Unavailable as error:
            row, now = None, f"{error}; it is tried again until the timeout"
        else:
            if row is None:
                return 4, f"{name} is gone, and with it all that pinned conversations to {version}", rollout
            rollout, status = row.rollout, row.rollout.status
            if problem := refusal(status, version):
                return 2, problem, rollout
            drain = status.draining.get(version)
            if drain is None:
                return 0, f"{version} is drained: nothing refers to it", rollout
            now = _sentence(version, drain)
        if now != progress:
            say(now, err=True)
            progress = now
        if time.monotonic() >= deadline:
            return 124, progress, rollout
        if row is not None and not row.uid and not store.is_held(name):
            if acts and _is_idle(row.rollout):
                if not _carry_out(cast("SqliteStore", store), row, version, deadline):
                    return 130, progress, rollout
                continue
            if not alone:
                alone = True
                say(f"no controller is running. To continue: rollout drain {version}, or rollout daemon", err=True)
        time.sleep(POLL_S)


def _sentence(version: str, drain: Draining) -> str:
    return f"{version} is draining: {messages.open_conversations(drain.open, drain.problem)}"


def _is_idle(rollout: Rollout) -> bool:
    """Whether nothing but drains is left to be done: whoever waits for a drain is not to release anything."""
    from rollout.engine.eligibility import starts_by_itself

    return not rollout.status.is_active and not starts_by_itself(rollout.status, rollout.spec.version)


def _carry_out(store: SqliteStore, row: Row, version: str, deadline: float) -> bool:
    """Do what a controller would until the version is drained or the time is over; False if a signal stopped it."""
    from rollout.local.run_one import run
    from rollout.local.wiring import LocalWiring
    from rollout.runtime.logs import configure

    configure(verbose=False)
    name, shown = row.rollout.metadata.name, [""]

    def watch(plan: Plan) -> None:
        drain = plan.status.draining.get(version)
        if drain is None or drain.done:
            return
        if (now := _sentence(version, drain)) != shown[0]:
            say(now, err=True)
            shown[0] = now

    def over(plan: Plan) -> bool:
        return version not in plan.status.draining or plan.status.is_active or time.monotonic() >= deadline

    try:
        held = store.hold(row.rollout.metadata, lambda recorded: recorded or row.rollout)
    except Busy:
        return True  # somebody was quicker: that one is followed
    try:
        with LocalWiring(held.load(), store.directory) as wired:
            return run(name, wired.reconciler(held), watch, over, patience_s=PATIENCE_S) is not None
    finally:
        held.release()
