"""`rollout start VERSION`: carry a rollout out in the foreground, from wherever it was."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.options import Files, Output, OutputAs, StateDir

if TYPE_CHECKING:
    from rollout.cli.target import Target
    from rollout.engine.plan import Plan
    from rollout.model.rollout import Rollout


class OnPause(StrEnum):
    WAIT = "wait"
    FAIL = "fail"


def register(app: typer.Typer) -> None:
    @app.command()
    def start(
        version: Annotated[str, typer.Argument(help="The version to release.")],
        files: Files = None,
        state: StateDir = None,
        rollout: Annotated[str | None, typer.Option("--rollout", help="Which Rollout, if there are several.")] = None,
        stable: Annotated[str | None, typer.Option("--stable", help="The version in use, at the first start.")] = None,
        on_pause: Annotated[OnPause, typer.Option(help="At a pause: wait for a human, or exit 4.")] = OnPause.WAIT,
        detach: Annotated[bool, typer.Option("--detach", "-d", help="Hand it to a daemon and return at once.")] = False,
        output: OutputAs = Output.TEXT,
        verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every look to stderr as JSON.")] = False,
    ) -> None:
        """Release VERSION: shift traffic, promote or roll back. Stopped and started again, it goes on.

        In the foreground, unless a daemon runs: then that carries it out and this follows.
        """
        from rollout.cli.handover import hand_over
        from rollout.cli.options import files_of, state_of
        from rollout.cli.target import read_target
        from rollout.daemon.lifetime import running
        from rollout.daemon.logs import configure

        configure(verbose=verbose)
        target, directory = read_target(files_of(files), rollout), state_of(state, files)
        if detach or running(directory):
            raise typer.Exit(hand_over(target, version, stable, directory, on_pause, output, detach=detach))
        raise typer.Exit(carry_out(target, version, stable, directory, on_pause, output))


def carry_out(
    target: Target,
    version: str,
    stable: str | None,
    state: Path,
    on_pause: OnPause,
    output: Output,
    footer: Callable[[], str] = lambda: "",
) -> int:
    """Check, hold, run, report; return the exit code. footer: one more line for the live picture."""
    from rollout.cli.outcome import exit_code, finish
    from rollout.cli.watch import watcher
    from rollout.daemon.foreground import run
    from rollout.daemon.local import Machine
    from rollout.records.sqlite import Store

    checked(target, version, stable, state)
    # Under the lease it is read once more: somebody may have finished, or aborted, while we checked.
    held = Store(state, create=True).hold(target.metadata, lambda now: _wanted(target, version, stable, now))
    try:
        name = target.metadata.name
        say_if_declined(held.load(), version, pending=bool(held.commands()))
        with Machine(held.load(), state) as machine:
            with watcher(name, held.load, footer) as watching:
                status = run(name, machine.reconciler(held), watching.show, until_over(version, on_pause, held.load))
            return finish(held.load(), exit_code(status, held.load().spec.version, version), output, version)
    finally:
        held.release()


def until_over(version: str, on_pause: OnPause, load: Callable[[], Rollout]) -> Callable[[Plan], bool]:
    """Return what says that nothing more will happen by itself for a version; load: the rollout as declared now."""
    from rollout.model.status import Phase

    def done(made: Plan) -> bool:
        status, wanted = made.status, load().spec.version
        if status.phase in (Phase.PAUSED, Phase.FROZEN):
            return on_pause is OnPause.FAIL
        if status.is_active or made.effects:
            return False
        if wanted != version:
            return wanted in (status.stable_version, status.candidate_version, status.declined_version)
        turned_down = version == status.declined_version
        over = status.phase is Phase.ROLLED_BACK and version == status.candidate_version
        return turned_down or over or status.stable_version == version

    return done


def say_if_declined(rollout: Rollout, version: str, *, pending: bool) -> None:
    from rollout.model.status import Phase

    status = rollout.status
    rolled_back = status.phase is Phase.ROLLED_BACK and status.candidate_version == version
    if not status.is_active and (rolled_back or status.declined_version == version) and not pending:
        typer.echo(f"{version} is not started again by itself: rollout retry does that", err=True)


def checked(target: Target, version: str, stable: str | None, state: Path) -> Rollout:
    """Return the rollout as it is wanted, everything it depends on tried. Raises InvalidInput with every fault."""
    from rollout.records.sqlite import Store

    recorded = Store(state).get(target.metadata.name) if (state / "rollouts.db").exists() else None
    wanted = _wanted(target, version, stable, recorded.rollout if recorded else None)
    if recorded is None or not recorded.rollout.status.is_active:
        _check(wanted, state, recorded.rollout if recorded else None)
    return wanted


def _wanted(target: Target, version: str, stable: str | None, recorded: Rollout | None) -> Rollout:
    """Return the rollout as it is to be recorded. Raises InvalidInput with every fault."""
    from rollout.errors import Fault, InvalidInput
    from rollout.model.rollout import Rollout
    from rollout.model.status import Status

    faults = []
    versions = target.spec.backends.versions
    status = recorded.status if recorded else Status()
    known = status.stable_version
    if known is not None and stable not in (None, known):
        faults.append(Fault("--stable", f"{known} is recorded as stable", "leave --stable out", stable))
    first = known or stable or _declared_stable(target, version)
    for option, each in (("VERSION", version), ("--stable", first)):
        if each is not None and each not in versions:
            remedy = f"add it to spec.backends.endpoints in {target.where}; there are {', '.join(versions)}"
            faults.append(Fault(option, "has no endpoint", remedy, each))
    if first is None:
        remedy = f"say it once with --stable (one of {', '.join(v for v in versions if v != version)})"
        faults.append(Fault("--stable", "which version is in use now cannot be told", remedy))
    if faults:
        raise InvalidInput(faults)
    spec = target.spec.model_copy(update={"version": version})
    return Rollout(target.metadata, spec, status.model_copy(update={"stable_version": first}))


def _declared_stable(target: Target, version: str) -> str | None:
    """At the first start: the version that the file declares is the one in use, unless it is the one to release."""
    versions = target.spec.backends.versions
    if versions == (version,):
        return version
    return target.spec.version if target.spec.version != version else None


def _check(wanted: Rollout, state: Path, recorded: Rollout | None) -> None:
    """Try everything a new rollout depends on before anything is changed; one that is under way goes on anyhow."""
    from rollout.daemon.local import Machine
    from rollout.errors import InvalidInput

    if recorded is not None and recorded.status.is_active:
        return
    status, version = wanted.status, wanted.spec.version or ""
    with Machine(wanted, state) as machine:
        if faults := machine.probe(status.stable_version or version, version):
            raise InvalidInput(faults)
