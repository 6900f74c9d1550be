"""`rollout demo`: the main job, everything real, on this machine, in under three minutes."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.options import Output, OutputAs

if TYPE_CHECKING:
    from rollout.demo.stage import Stage

LOAD_PER_S = 60.0
BASELINE_S = 2.0


class Candidate(StrEnum):
    GOOD = "good"
    WORSE = "worse"
    SLOW = "slow"
    ERRORING = "erroring"


def register(app: typer.Typer) -> None:
    @app.command()
    def demo(
        candidate: Annotated[Candidate, typer.Option(help="How the new version behaves.")] = Candidate.GOOD,
        output: OutputAs = Output.TEXT,
    ) -> None:
        """Release a new version of a real agent here and now: two agents, Envoy, users, and the controller."""
        raise typer.Exit(perform(candidate, output))


def perform(candidate: Candidate, output: Output) -> int:
    """Set the stage, carry the rollout out on it, take it down; return the exit code."""
    import importlib.util

    from rollout.demo.stage import stage
    from rollout.errors import Fault, InvalidInput

    if importlib.util.find_spec("langgraph") is None:
        remedy = "pip install 'agent-rollout[demo]'"
        raise InvalidInput([Fault("demo", "needs LangGraph, which is not installed", remedy)])
    with _interruptible(), stage() as built:
        try:
            return _act(built, candidate, output)
        except KeyboardInterrupt:
            typer.echo("interrupted; everything the demo started is stopped", err=True)
            return 130


def _act(built: Stage, candidate: Candidate, output: Output) -> int:
    import time

    from rollout.cli.start import OnPause, carry_out
    from rollout.cli.target import read_target
    from rollout.daemon.local import Machine
    from rollout.daemon.logs import configure
    from rollout.demo.stage import CANDIDATE, STABLE
    from rollout.engine.route import SetWeight
    from rollout.model.rollout import Rollout

    configure(verbose=False)
    typer.echo(
        f"starting two versions of an agent; {CANDIDATE} is {candidate}, but nobody told the controller", err=True
    )
    built.agents(candidate)
    target = read_target([built.file], None)
    state = built.directory / "state"
    with Machine(Rollout(target.metadata, target.spec), state) as machine:
        try:
            machine.router.apply(SetWeight(STABLE))
            built.load(LOAD_PER_S)
            time.sleep(BASELINE_S)
            typer.echo(f"Envoy listens, users talk to {STABLE}; now: rollout start {CANDIDATE}", err=True)
            typer.echo(f"from another terminal: {sys.argv[0]} status --state {state}", err=True)
            code = carry_out(target, CANDIDATE, None, state, OnPause.FAIL, output, footer=built.footer)
            built.end_load()
            if footer := built.footer():
                typer.echo(footer, err=True)
            return code
        finally:
            machine.envoy.stop()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that either takes the stage down."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
