"""A command that nobody else answers: do what a controller would, here and now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rollout.cli.options import Output
from rollout.cli.say import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.adapters.storage.base import Row
    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.engine.facts import Verb
    from rollout.engine.planned import Plan
    from rollout.model.rollout import Rollout
    from rollout.model.status.status import Status

PATIENCE_S = 5.0
"""A store that cannot be written is tried again for so long: a person waits for the answer."""

BACK_TIMEOUT_S = 60.0
"""So long an abort is seen through."""


def carry_out(store: SqliteStore, row: Row, command: str, verb: Verb, output: Output) -> int:
    """Nobody carries the rollout out: do what a controller would. Returns the exit code.

    An abort, an undo or a retry is seen through to its end. Any other verb is decided and written down, but moves no
    traffic: nobody would watch it. Raises StoreUnavailable where nothing can be recorded, Busy where somebody else has
    taken the rollout since.
    """
    from rollout.cli.render.live import watcher
    from rollout.local.run_one import run
    from rollout.local.wiring import LocalWiring
    from rollout.runtime.logs import configure

    configure(verbose=False)
    name = row.rollout.metadata.name
    held = store.hold(row.rollout.metadata, lambda recorded: recorded or row.rollout)
    moves = verb in ("undo", "retry", "drain") or (verb == "abort" and row.rollout.status.is_active)
    try:
        with LocalWiring(held.load(), store.directory) as wired, watcher(name, held.load) as watching:
            reconciler = wired.reconciler(held, moves_traffic=moves)
            patience_s = None if verb == "retry" else PATIENCE_S
            ended = run(name, reconciler, watching.show, _until(verb, command, held.load), patience_s=patience_s)
        if ended is None:
            version = held.load().spec.version or row.rollout.status.candidate_version
            again = verb if verb in ("abort", "drain") else f"start {version}"
            say(f"interrupted. To continue: rollout {again}. To see where it is: rollout status", err=True)
            return 130
        ends = verb == "retry" and output is Output.JSON  # its end is the document
        accepted = any(answer.id == command and answer.accepted for answer in held.load().status.answers)
        code = 0 if ends and accepted else report(held.load(), command, output)
        return code or _tell_end(verb, ended, held.load(), output)
    finally:
        held.release()


def _until(verb: Verb, command: str, load: Callable[[], Rollout]) -> Callable[[Plan], bool]:
    """Return what says that a command has had its effect; of an abort, also that it takes too long to wait for."""
    from rollout.cli.follow.until import OnPause, until_over
    from rollout.model.status.vocabulary import Phase

    over, deadline = until_over(OnPause.WAIT, load), time.monotonic() + BACK_TIMEOUT_S

    def done(plan: Plan) -> bool:
        status = plan.status
        if command not in status.handled:
            return False
        if verb == "abort":
            return status.phase is not Phase.ROLLING_BACK or time.monotonic() > deadline
        if verb == "undo":
            return not status.is_active or status.phase in (Phase.PAUSED, Phase.FROZEN)
        return over(plan) if verb == "retry" else True

    return done


def _tell_end(verb: Verb, ended: Status, rollout: Rollout, output: Output) -> int:
    """Say how a command that was accepted has ended. Returns the exit code."""
    from rollout.cli.render.live import sentence
    from rollout.cli.render.result import exit_code, finish
    from rollout.model.status.vocabulary import Phase, Result

    if verb == "retry":
        wanted = rollout.spec.version
        return finish(rollout, exit_code(ended, wanted, wanted), output, wanted)
    if verb == "undo":
        again = f"rollout start {ended.candidate_version}"
        idle = f". No controller is running. To continue: {again}" if ended.is_active else ""
        say(f"{sentence(ended)}{idle}", err=True)
        if ended.is_active:
            return 4
        return 0 if ended.latest.result in (Result.UNDONE, Result.PROMOTED) else 3
    if verb == "abort" and ended.phase is Phase.ROLLING_BACK:
        problem = ended.blocked.message if ended.blocked is not None else f"not all is back after {BACK_TIMEOUT_S:g} s"
        say(f"{problem}. Try again: rollout abort\n(exit 5: not all traffic is back)", err=True)
        return 5
    if ended.is_active:
        say(f"no controller is running. To continue: rollout start {ended.candidate_version}", err=True)
    return 0


def report(rollout: Rollout, command: str, output: Output) -> int:
    """Say what became of a command; 2 where it was refused."""
    outcome = next((answer for answer in rollout.status.answers if answer.id == command), None)
    if outcome is None:
        say("it was answered; see rollout explain", err=True)
        return 0
    if output is Output.JSON:
        from rollout.cli.render.documents import document, print_document

        print_document(document("CommandOutcome", **outcome.model_dump(mode="json", by_alias=True)))
    else:
        say(f"{outcome.verb} {rollout.metadata.name}: {'' if outcome.accepted else 'refused: '}{outcome.message}")
    return 0 if outcome.accepted else 2
