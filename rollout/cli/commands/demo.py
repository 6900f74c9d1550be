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
from rollout.cli.say import say

if TYPE_CHECKING:
    from rollout.cli.documents import Target
    from rollout.demo.stage import Stage

LOAD_PER_S = 60.0
BASELINE_S = 2.0


class Candidate(StrEnum):
    GOOD = "good"
    WORSE = "worse"
    SLOW = "slow"
    ERRORING = "erroring"
    INCOMPATIBLE = "incompatible"


class Strategy(StrEnum):
    CANARY = "canary"
    BLUE_GREEN = "blueGreen"


def register(app: typer.Typer) -> None:
    @app.command()
    def demo(
        candidate: Annotated[
            Candidate | None, typer.Option(help="One release of a version that behaves so, instead of the tour.")
        ] = None,
        strategy: Annotated[Strategy, typer.Option(help="How traffic moves.")] = Strategy.CANARY,
        output: OutputAs = Output.TEXT,
    ) -> None:
        """Run a demo on this machine: agents, Envoy, users and the controller. Without options, a guided tour."""
        raise typer.Exit(perform(candidate, strategy, output))


def perform(candidate: Candidate | None, strategy: Strategy, output: Output) -> int:
    """Set the stage, carry out what is to be shown, take it down; return the exit code."""
    import importlib.util

    from rollout.demo.stage import CANDIDATE, STABLE, stage
    from rollout.errors import Fault, InvalidInput

    if importlib.util.find_spec("langgraph") is None:
        remedy = "pip install 'agent-rollout[demo]'"
        raise InvalidInput([Fault("demo", "needs LangGraph, which is not installed", remedy)])
    if candidate is None and strategy is Strategy.BLUE_GREEN:
        candidate = Candidate.GOOD
    if candidate is None and output is Output.JSON:
        raise InvalidInput([Fault("-o json", "the tour is for people", "name one release: --candidate good")])
    with _interruptible(), stage() as built:
        try:
            if candidate is None:
                from rollout.cli.commands.tour import FLAVOURS, tour

                with _playing(built, FLAVOURS, strategy, pinned=True) as target:
                    return tour(built, target)
            message = f"{CANDIDATE} is {candidate}, and the controller does not know it"
            say(f"starting two versions of an agent; {message}", err=True)
            with _playing(built, {STABLE: "good", CANDIDATE: str(candidate)}, strategy) as target:
                return _release(built, target, output)
        except KeyboardInterrupt:
            say("interrupted; everything the demo started is stopped", err=True)
            return 130


@contextlib.contextmanager
def _playing(built: Stage, profiles: dict[str, str], strategy: Strategy, *, pinned: bool = False) -> Iterator[Target]:
    """Let agents serve and users talk to the stable one, through a real Envoy; stop Envoy afterwards.

    Args:
        pinned: whether the users send back what keeps a conversation on its version.
    """
    import time

    from rollout.cli.documents import read_target
    from rollout.demo.stage import STABLE
    from rollout.engine.effects import SetWeight
    from rollout.local.wiring import LocalWiring
    from rollout.model.rollout import Rollout
    from rollout.runtime.logs import configure

    configure(verbose=False)
    built.agents(profiles, str(strategy))
    target = read_target([built.file], None)
    with LocalWiring(Rollout(target.metadata, target.spec), built.state) as wired:
        try:
            wired.router.apply(SetWeight(STABLE))
            built.load(LOAD_PER_S, pinned=pinned)
            time.sleep(BASELINE_S)
            yield target
        finally:
            wired.envoy.stop()


def _release(built: Stage, target: Target, output: Output) -> int:
    from rollout.cli.commands.start import carry_out
    from rollout.cli.follow.until import OnPause
    from rollout.demo.stage import CANDIDATE, STABLE

    say(f"Envoy listens, users talk to {STABLE}; now: rollout start {CANDIDATE}", err=True)
    say(f"from another terminal: {sys.argv[0]} status --state {built.state}", err=True)
    code = carry_out(target, CANDIDATE, None, built.state, OnPause.FAIL, output, footer=built.footer)
    built.end_load()
    if footer := built.footer():
        say(footer, err=True)
    return code


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
