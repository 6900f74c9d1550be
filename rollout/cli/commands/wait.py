"""`rollout wait`: for pipelines that wait for a promotion; the exit code says how it ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.follow.until import OnPause, until_settled
from rollout.cli.location import Place
from rollout.cli.options import (
    Context,
    Files,
    Kubeconfig,
    Namespace,
    OptionalName,
    Output,
    OutputAs,
    StateDir,
    seconds_of,
)
from rollout.cli.say import say

if TYPE_CHECKING:
    from rollout.adapters.storage.base import RolloutStore, Row
    from rollout.model.rollout import Rollout

TIMED_OUT = 124
GONE = 4


def register(app: typer.Typer) -> None:
    @app.command()
    def wait(
        name: OptionalName = None,
        files: Files = None,
        state: StateDir = None,
        namespace: Namespace = None,
        context: Context = None,
        kubeconfig: Kubeconfig = None,
        timeout: Annotated[
            str, typer.Option(metavar="DURATION", help="Give up after so long (exit 124), such as 30m or 2h.")
        ] = "2h",
        wanted: Annotated[
            str,
            typer.Option(
                "--for", metavar="STATE", help="promoted, or drained=VERSION: none of its conversations is open."
            ),
        ] = "promoted",
        on_pause: Annotated[OnPause, typer.Option(help="At a pause: wait for a human, or exit 4.")] = OnPause.WAIT,
        output: OutputAs = Output.TEXT,
    ) -> None:
        """Wait until the wanted version is promoted (exit 0) or its release ends otherwise (exit 3 or 4)."""
        from rollout.cli.follow.drained import version_of

        timeout_s, drained = seconds_of(timeout), version_of(wanted)
        place = Place(files, state, namespace, context=context, kubeconfig=kubeconfig)
        if drained is not None:
            store, deadline = place.store(), time.monotonic() + timeout_s
            row = _row_of(store, name, deadline)
            if row is None:
                raise typer.Exit(_timed_out(timeout_s, "it could not be read once"))
            raise typer.Exit(until_drained(store, row, drained, timeout_s, output, acts=False))
        raise typer.Exit(_wait(place.store(), name, timeout_s, on_pause, output))


def until_drained(store: RolloutStore, row: Row, version: str, timeout_s: float, output: Output, *, acts: bool) -> int:
    """Wait until a version is drained; return the exit code. `acts`: carry the drain out where nobody else does."""
    from rollout.cli.follow import drained

    code, sentence, rollout = drained.until_drained(store, row.rollout.metadata.name, version, timeout_s, acts=acts)
    _tell(rollout or row.rollout, sentence, code, output)
    return _timed_out(timeout_s, "the drain continues") if code == TIMED_OUT else code


def _wait(store: RolloutStore, name: str | None, timeout_s: float, on_pause: OnPause, output: Output) -> int:
    began = time.monotonic()
    row = _row_of(store, name, began + timeout_s)
    if row is None:
        return _timed_out(timeout_s, "it could not be read once")
    return follow(store, row, timeout_s, on_pause, output, began)


def follow(
    store: RolloutStore, row: Row, timeout_s: float, on_pause: OnPause, output: Output, began: float | None = None
) -> int:
    """Follow one rollout, this very one and the version it wants now, to its end; return the exit code."""
    from rollout.cli.follow.follower import Follower, RolloutDeleted, TimedOut
    from rollout.cli.render.live import watcher
    from rollout.cli.render.result import exit_code, finish

    follower = Follower(store, row)
    version = row.rollout.spec.version or row.rollout.status.stable_version or ""
    if not row.holder and not row.uid and row.rollout.status.is_active:
        say(f"no controller runs this release. To continue: rollout start {version}, or rollout daemon", err=True)
    with watcher(row.rollout.metadata.name, follower.load) as watching:
        try:
            settled = until_settled(version, on_pause, follower.load)
            left_s = timeout_s - (time.monotonic() - began) if began is not None else timeout_s
            status = follower.until(lambda plan: follower.seen and settled(plan), watching.show, timeout_s=left_s)
        except TimedOut:
            so_far = follower.problem or follower.load().status.message or "nothing has begun"
            _tell(follower.load(), f"{version}: {so_far}", TIMED_OUT, output)
            return _timed_out(timeout_s, "the release continues")
        except RolloutDeleted as gone:
            _tell(follower.load(), str(gone), GONE, output)
            say(f"(exit {GONE}: superseded: it is not there to be promoted any more)", err=True)
            return GONE
    recorded = follower.load()
    return finish(recorded, exit_code(status, recorded.spec.version, version), output, version)


def _tell(rollout: Rollout, sentence: str, code: int, output: Output) -> None:
    """Put the result on stdout, as a sentence or as a document."""
    from rollout.cli.render.documents import print_document, rollout_document

    if output is Output.JSON:
        print_document(rollout_document(rollout, exitCode=code, sentence=sentence))
    else:
        say(sentence)


def _timed_out(timeout_s: float, what: str) -> int:
    say(f"(exit {TIMED_OUT}: not over after {timeout_s:g} s; {what})", err=True)
    return TIMED_OUT


def _row_of(store: RolloutStore, name: str | None, deadline: float) -> Row | None:
    """Return the rollout that is meant; an API that is away is waited for, and None if that takes too long."""
    from rollout.cli.options import pick
    from rollout.errors import ClusterUnavailable, Forbidden, NotFound, Rejected

    waits = False
    while True:
        try:
            return pick(store, name)
        except (Forbidden, NotFound, Rejected):
            raise
        except ClusterUnavailable as error:
            if not waits:
                say(f"{error}; it is tried again until the timeout", err=True)
                waits = True
        if time.monotonic() > deadline:
            return None
        time.sleep(store.poll_s)
