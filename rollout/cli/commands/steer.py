"""The verbs that steer a rollout: each appends a command; whoever carries the rollout out answers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.location import Place
from rollout.cli.options import Context, Files, Kubeconfig, Namespace, OptionalName, Output, OutputAs, StateDir
from rollout.cli.say import say

if TYPE_CHECKING:
    from pathlib import Path

    from rollout.adapters.storage.base import RolloutStore, Row
    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.engine.facts import DrainOrder, Verb

Who = Annotated[
    str | None, typer.Option("--actor", envvar="ROLLOUT_ACTOR", help="Who gives the command [default: the login name].")
]
Why = Annotated[str, typer.Option("--reason", "-r", help="The reason. It is recorded with the decision.")]

ANSWER_TIMEOUT_S = 10.0
ABORT_TIMEOUT_S = 60.0
"""So long an abort is seen through."""

_POLL_S_MAX = 0.5

_HELP: dict[Verb, str] = {
    "promote": "Pass the current step, or the bake, without its evidence.",
    "approve": "Give the approval that a step waits for, or let one move pass that waits for a window or for capacity.",
    "pause": "Pause the release at its current weight. Harm is still judged.",
    "resume": "Continue a paused release.",
    "abort": "Send all new conversations back to the stable version. Works at any time.",
    "retry": "Release a failed or frozen version again, with half its falseRollback.",
    "undo": "Return to the previous version after a promotion: at once during standby, later by the policy's undo.",
}


def register(app: typer.Typer) -> None:
    for verb, text in _HELP.items():
        app.command(name=verb, help=text)(_command(verb))


def _command(verb: Verb) -> Callable[..., None]:
    def command(
        name: OptionalName = None,
        reason: Why = "",
        actor: Who = None,
        files: Files = None,
        state: StateDir = None,
        namespace: Namespace = None,
        context: Context = None,
        kubeconfig: Kubeconfig = None,
        output: OutputAs = Output.TEXT,
    ) -> None:
        from rollout.cli.files import state_of
        from rollout.cli.follow.takeover import end_whoever_locks
        from rollout.cli.options import pick
        from rollout.errors import StoreLocked

        place = Place(files, state, namespace, context=context, kubeconfig=kubeconfig)
        if not place.is_local:
            cluster = place.cluster()
            asker = actor or cluster.who() or login()
            raise typer.Exit(ask(cluster, pick(cluster, name), verb, asker, reason, output))
        directory, asker = state_of(state, files), actor or login()
        try:
            code = _steer(directory, name, verb, asker, reason, output, files)
        except StoreLocked:
            if verb != "abort" or not end_whoever_locks(directory):
                raise
            code = _steer(directory, name, verb, asker, reason, output, files)
        raise typer.Exit(code)

    return command


def _steer(
    directory: Path, name: str | None, verb: Verb, actor: str, reason: str, output: Output, files: list[Path] | None
) -> int:
    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.cli.options import pick

    store = SqliteStore(directory)
    row = pick(store, name)
    if verb == "retry":
        _declare_anew(store, row, files)
    return ask(store, row, verb, actor, reason, output)


def _declare_anew(store: SqliteStore, row: Row, files: list[Path] | None) -> None:
    """Let a retry go by the files as they are now, where they are at hand. Raises InvalidInput with every fault.

    An undo never does: going back must not depend on what somebody is editing.
    """
    from rollout.cli.documents import read_target
    from rollout.cli.files import files_of, state_of
    from rollout.cli.follow.until import wanted_rollout

    name, paths = row.rollout.metadata.name, files_of(files)
    at_hand = paths[0].exists() and state_of(None, files).resolve() == store.directory.resolve()
    version = row.rollout.spec.version
    if row.rollout.status.is_active or version is None or not (files or at_hand):
        return
    store.declare(wanted_rollout(read_target(paths, name), version, None, row.rollout))


def login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def ask(
    store: RolloutStore, row: Row, verb: Verb, actor: str, reason: str, output: Output, drain: DrainOrder | None = None
) -> int:
    """Give a command and see it answered; return the exit code. `drain`: what a drain is about."""
    import contextlib
    import time
    from datetime import UTC, datetime

    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.cli.follow.carry_out import report
    from rollout.cli.follow.takeover import end_holder, end_whoever_locks, send_back_unrecorded
    from rollout.errors import Busy, LeaseLost

    name = row.rollout.metadata.name
    command = store.append(name, verb, actor, reason, datetime.now(UTC), row.rollout.status, drain)
    noted = verb == "abort" and isinstance(store, SqliteStore) and store.has_note(name)
    # A controller that hangs with the store locked is ended: then the note is carried out here like any command.
    if noted and isinstance(store, SqliteStore) and not (store.is_locked and end_whoever_locks(store.directory)):
        return send_back_unrecorded(store, row)
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while time.monotonic() < deadline:
        answered = store.get(name)
        if answered is not None and command in answered.rollout.status.handled:
            code = report(answered.rollout, command, output)
            return code if code or verb != "abort" else _until_back(store, name)
        if not store.is_held(name):
            assert isinstance(store, SqliteStore)
            with contextlib.suppress(Busy, LeaseLost):  # somebody was quicker: then that one answers
                return _carry_out(store, row, command, verb, output)
        time.sleep(min(_POLL_S_MAX, store.poll_s))
    if verb == "abort" and isinstance(store, SqliteStore):
        if end_holder(store, name):
            return _carry_out(store, row, command, verb, output)
        return send_back_unrecorded(store, row)
    message = f"{verb} is noted for {name}, but the controller has not answered in {ANSWER_TIMEOUT_S:g} s"
    raise Busy(f"{message}: is it running? rollout status shows when it has")


def _carry_out(store: SqliteStore, row: Row, command: str, verb: Verb, output: Output) -> int:
    """Carry a command out here. An abort that cannot be recorded moves the traffic all the same."""
    from rollout.cli.follow.carry_out import carry_out
    from rollout.cli.follow.takeover import send_back_unrecorded
    from rollout.errors import Busy, LeaseLost, StoreLocked, StoreUnavailable

    try:
        return carry_out(store, row, command, verb, output)
    except (Busy, LeaseLost, StoreLocked):
        raise
    except StoreUnavailable:
        if verb != "abort":
            raise
        return send_back_unrecorded(store, row)


def _until_back(store: RolloutStore, name: str) -> int:
    """See an abort through: 0 once nothing of the candidate is left, 5 where the traffic cannot be moved back."""
    import time

    from rollout.errors import Unavailable
    from rollout.model.status.vocabulary import Phase

    deadline = time.monotonic() + ABORT_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            row = store.get(name)
        except Unavailable:
            row = None  # asked again: whoever carries it out goes on
        status = row.rollout.status if row is not None else None
        if status is not None and status.phase is not Phase.ROLLING_BACK:
            back = f"{status.candidate_version or 'the candidate'} gets no more traffic"
            say(f"{back}, {status.stable_version} is stable", err=True)
            return 0
        if status is not None and status.blocked is not None:
            say(f"{status.blocked.message}; it is tried again\n(exit 5: not all traffic is back)", err=True)
            return 5
        time.sleep(min(_POLL_S_MAX, store.poll_s))
    say(f"(exit 124: not all traffic is back after {ABORT_TIMEOUT_S:g} s; the rollback continues)", err=True)
    return 124
