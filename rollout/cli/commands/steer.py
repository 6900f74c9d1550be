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
    from rollout.engine.facts import Verb
    from rollout.model.rollout import Rollout

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
    "approve": "Give the approval that a step waits for, or waive a closed release window for one move.",
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
        from rollout.cli.follow.takeover import end_whoever_locks
        from rollout.cli.options import pick, state_of
        from rollout.errors import StoreLocked

        place = Place(files, state, namespace, context=context, kubeconfig=kubeconfig)
        if not place.is_local:
            cluster = place.cluster()
            asker = actor or cluster.who() or _login()
            raise typer.Exit(ask(cluster, pick(cluster, name), verb, asker, reason, output))
        directory, asker = state_of(state, files), actor or _login()
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
    from rollout.cli.follow.until import wanted_rollout
    from rollout.cli.options import files_of, state_of

    name, paths = row.rollout.metadata.name, files_of(files)
    at_hand = paths[0].exists() and state_of(None, files).resolve() == store.directory.resolve()
    version = row.rollout.spec.version
    if row.rollout.status.is_active or version is None or not (files or at_hand):
        return
    store.declare(wanted_rollout(read_target(paths, name), version, None, row.rollout))


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def ask(store: RolloutStore, row: Row, verb: Verb, actor: str, reason: str, output: Output) -> int:
    import contextlib
    import time
    from datetime import UTC, datetime

    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.cli.follow.takeover import end_holder, send_back_unrecorded
    from rollout.errors import Busy

    name = row.rollout.metadata.name
    command = store.append(name, verb, actor, reason, datetime.now(UTC), row.rollout.status)
    if verb == "abort" and isinstance(store, SqliteStore) and store.has_note(name):
        return send_back_unrecorded(store, row)
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while time.monotonic() < deadline:
        answered = store.get(name)
        if answered is not None and command in answered.rollout.status.handled:
            code = _report(answered.rollout, command, output)
            return code if code or verb != "abort" else _until_back(store, name)
        if not store.is_held(name):
            assert isinstance(store, SqliteStore)
            with contextlib.suppress(Busy):  # somebody was quicker: then that one answers
                return _carry_out(store, row, command, verb, output)
        time.sleep(min(_POLL_S_MAX, store.poll_s))
    if verb == "abort" and isinstance(store, SqliteStore):
        if end_holder(store, name):
            return _carry_out(store, row, command, verb, output)
        return send_back_unrecorded(store, row)
    message = f"{verb} is noted for {name}, but the controller has not answered in {ANSWER_TIMEOUT_S:g} s"
    raise Busy(f"{message}: is it running? rollout status shows when it has")


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


def _report(rollout: Rollout, command: str, output: Output) -> int:
    """Say what became of a command; 2 where it was refused."""
    outcome = next((answer for answer in rollout.status.answers if answer.id == command), None)
    if outcome is None:
        say("it was answered; see rollout explain", err=True)
        return 0
    if output is Output.JSON:
        say(outcome.model_dump_json(by_alias=True, indent=2))
    else:
        say(f"{outcome.verb} {rollout.metadata.name}: {'' if outcome.accepted else 'refused: '}{outcome.message}")
    return 0 if outcome.accepted else 2


def _carry_out(store: SqliteStore, row: Row, command: str, verb: Verb, output: Output) -> int:
    """Nobody carries the rollout out: do what a controller would.

    An abort, an undo or a retry is seen through to its end. Any other verb is decided and written down, but moves no
    traffic: nobody would watch it.
    """
    from rollout.cli.follow.until import OnPause, until_over
    from rollout.cli.render.live import sentence, watcher
    from rollout.cli.render.result import exit_code, finish
    from rollout.engine.planned import Plan
    from rollout.local.run_one import run
    from rollout.local.wiring import LocalWiring
    from rollout.model.status.vocabulary import Phase, Result
    from rollout.runtime.logs import configure

    configure(verbose=False)
    metadata = row.rollout.metadata
    held = store.hold(metadata, lambda recorded: recorded or row.rollout)

    def done(plan: Plan) -> bool:
        return command in plan.status.handled and plan.status.phase is not Phase.ROLLING_BACK

    def undone(plan: Plan) -> bool:
        status = plan.status
        return command in status.handled and (not status.is_active or status.phase in (Phase.PAUSED, Phase.FROZEN))

    def decided(plan: Plan) -> bool:
        return command in plan.status.handled

    def released(plan: Plan) -> bool:
        return command in plan.status.handled and over(plan)

    over = until_over(OnPause.WAIT, held.load)
    until = {"abort": done, "undo": undone, "retry": released}.get(verb, decided)
    moves = verb in ("undo", "retry") or (verb == "abort" and row.rollout.status.is_active)
    try:
        with LocalWiring(held.load(), store.directory) as wired, watcher(metadata.name, held.load) as watching:
            reconciler = wired.reconciler(held, moves_traffic=moves)
            ended = run(metadata.name, reconciler, watching.show, until)
        if ended is None:
            again = "abort" if verb == "abort" else "start"
            message = f"interrupted. To continue: rollout {again}. To see where it is: rollout status"
            say(message, err=True)
            return 130
        code = _report(held.load(), command, output)
        if verb == "retry" and code == 0:
            wanted = held.load().spec.version
            return finish(held.load(), exit_code(ended, wanted, wanted), output, wanted)
        if verb == "undo" and code == 0 and ended.is_active:
            say(f"{sentence(ended)}. No controller is running. To continue: rollout start", err=True)
            return 4
        if verb == "undo" and code == 0:
            say(sentence(ended), err=True)
            return 0 if ended.latest.result in (Result.UNDONE, Result.PROMOTED) else 3
        if code == 0 and ended.is_active:
            say("no controller is running. To continue: rollout start", err=True)
        return code
    finally:
        held.release()
