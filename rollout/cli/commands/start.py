"""`rollout start VERSION`: carry a rollout out in the foreground, from wherever it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.completion import versions
from rollout.cli.follow.until import OnPause, checked, say_if_declined, until_over, wanted_rollout
from rollout.cli.help import CLUSTER, MACHINE
from rollout.cli.location import Place
from rollout.cli.options import Context, Files, Kubeconfig, Namespace, Output, OutputAs, RolloutName, StateDir

if TYPE_CHECKING:
    from rollout.cli.candidate import CandidateImage
    from rollout.cli.documents import Target


def register(app: typer.Typer) -> None:
    @app.command()
    def start(
        version: Annotated[str, typer.Argument(autocompletion=versions, help="The version to release.")],
        files: Files = None,
        state: StateDir = None,
        namespace: Namespace = None,
        context: Context = None,
        kubeconfig: Kubeconfig = None,
        rollout: RolloutName = None,
        stable: Annotated[
            str | None,
            typer.Option(
                "--stable",
                metavar="VERSION",
                autocompletion=versions,
                rich_help_panel=MACHINE,
                help="The version in use, at the first start.",
            ),
        ] = None,
        on_pause: Annotated[OnPause, typer.Option(help="At a pause: wait for a human, or exit 4.")] = OnPause.WAIT,
        detach: Annotated[
            bool,
            typer.Option("--detach", "-d", rich_help_panel=MACHINE, help="Hand it to a daemon and return at once."),
        ] = False,
        wait: Annotated[bool, typer.Option("--wait", rich_help_panel=CLUSTER, help="Follow it to its end.")] = False,
        timeout: Annotated[
            str,
            typer.Option(
                metavar="DURATION", rich_help_panel=CLUSTER, help="With --wait: give up after so long (exit 124)."
            ),
        ] = "2h",
        image: Annotated[
            str | None,
            typer.Option(
                rich_help_panel=CLUSTER, help="Make the candidate's Deployment and Service from those of stable."
            ),
        ] = None,
        container: Annotated[
            str | None, typer.Option(rich_help_panel=CLUSTER, help="With --image: which container's image it is.")
        ] = None,
        env: Annotated[
            list[str] | None,
            typer.Option(
                metavar="NAME=VALUE", rich_help_panel=CLUSTER, help="With --image: a variable of the candidate."
            ),
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", rich_help_panel=CLUSTER, help="With --image: print what would be made.")
        ] = False,
        output: OutputAs = Output.TEXT,
        verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every sample to stderr too.")] = False,
    ) -> None:
        """Release VERSION: shift traffic to it, then promote it or roll it back.

        If it is interrupted, run it again to continue.

        On one machine the release runs in the foreground. If a daemon is running, the daemon runs the release and this
        command follows it. In a cluster the controller runs the release. The command then returns at once, or with
        --wait at the end of the release.
        """
        from rollout.cli.documents import read_target
        from rollout.cli.files import files_of, state_of
        from rollout.cli.follow.local_handover import hand_over
        from rollout.cli.options import seconds_of
        from rollout.local.daemon_lock import running
        from rollout.runtime.logs import configure

        configure(verbose=verbose)
        place = Place(files, state, namespace, context=context, kubeconfig=kubeconfig)
        given = _image_given(image, container, env, dry_run=dry_run, is_local=place.is_local)
        if not place.is_local:
            raise typer.Exit(
                _in_cluster(place, version, rollout, given, seconds_of(timeout), on_pause, output, wait=wait)
            )
        target, directory = read_target(files_of(files), rollout), state_of(state, files)
        if detach or running(directory):
            raise typer.Exit(hand_over(target, version, stable, directory, on_pause, output, detach=detach))
        raise typer.Exit(carry_out(target, version, stable, directory, on_pause, output))


def _in_cluster(
    place: Place,
    version: str,
    rollout: str | None,
    given: CandidateImage | None,
    timeout_s: float,
    on_pause: OnPause,
    output: Output,
    *,
    wait: bool,
) -> int:
    """Ask the controller for VERSION, and with `wait` follow it to its end: the exit code."""
    from rollout.adapters.storage.kubernetes import KubernetesStore
    from rollout.cli.candidate import make_candidate
    from rollout.cli.commands.wait import follow
    from rollout.cli.options import pick
    from rollout.cli.wanting import checked_version, want

    checked_version(version)
    api, where = place.api()
    store = KubernetesStore(api, where)
    if given is not None and not make_candidate(api, pick(store, rollout), version, given):
        return 0
    row = want(store, version, rollout, output if not wait else None)
    return follow(store, row, timeout_s, on_pause, output) if wait else 0


def _image_given(
    image: str | None, container: str | None, env: list[str] | None, *, dry_run: bool, is_local: bool
) -> CandidateImage | None:
    """Return what was said of an image. Raises InvalidInput where it goes with nothing."""
    from rollout.cli.candidate import CandidateImage
    from rollout.errors import Fault, InvalidInput

    if image is not None and not is_local:
        return CandidateImage(image, container, tuple(env or ()), dry_run)
    beside = {"--image": image, "--container": container, "--env": env, "--dry-run": dry_run}
    message = "is for a cluster: on one machine a version is an address" if is_local else "goes with --image alone"
    if faults := [Fault(name, message, "leave it out") for name, value in beside.items() if value]:
        raise InvalidInput(faults)
    return None


def carry_out(
    target: Target,
    version: str,
    stable: str | None,
    state: Path,
    on_pause: OnPause,
    output: Output,
    footer: Callable[[], str] = lambda: "",
) -> int:
    """Check, hold, run, report; return the exit code.

    Args:
        footer: one more line for the live picture.
    """
    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.cli.render.live import watcher
    from rollout.cli.render.result import exit_code, finish
    from rollout.errors import RouterUnavailable
    from rollout.local.run_one import run
    from rollout.local.wiring import LocalWiring

    checked(target, version, stable, state)
    # Under the lease it is read once more: somebody may have finished, or aborted, while we checked.
    held = SqliteStore(state, create=True).hold(
        target.metadata, lambda now: wanted_rollout(target, version, stable, now)
    )
    try:
        name = target.metadata.name
        say_if_declined(held.load(), version, pending=bool(held.commands()))
        with LocalWiring(held.load(), state) as wired:
            with watcher(name, held.load, footer) as watching:
                status = run(name, wired.reconciler(held), watching.show, until_over(on_pause, held.load))
            code = exit_code(status, held.load().spec.version, version)
            if code == 0 and (problem := wired.unreached(held.load().status.stable_version or "")):
                raise RouterUnavailable(problem)
            return finish(held.load(), code, output, version)
    finally:
        held.release()
