"""The guided tour: a release that is promoted and undone, one that fails quietly, one that would lose conversations."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from rollout.cli import streams
from rollout.cli.options import Output

if TYPE_CHECKING:
    from rollout.cli.documents import Target
    from rollout.demo.stage import Stage

FLAVOURS = {"v1": "good", "v2": "good", "v3": "worse", "v4": "incompatible"}
_PAUSE_S = 2.0


def tour(built: Stage, target: Target) -> int:
    """Show it all, one command after the other; return 0 if everything went as told."""
    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.cli.commands.show import explain
    from rollout.cli.commands.start import carry_out
    from rollout.cli.commands.steer import ask
    from rollout.cli.follow.until import OnPause

    name = target.metadata.name
    _say("Four versions of a LangGraph agent run here, and an Envoy before them. Users talk to v1, about 60 times a")
    _say("second. Everything is real but the model. What you see typed is what you would type.")
    _say("v2 is as good as v1. Watch the weight rise, each KPI with its evidence, why it waits.", "rollout start v2")
    first = _unless_stopped(carry_out(target, "v2", None, built.state, OnPause.FAIL, Output.TEXT, footer=built.footer))
    _say("v2 has everything now, and v1 is kept ready for ten minutes: so an undo is one switch.", "rollout undo")
    store = SqliteStore(built.state)
    row = store.get(name)
    second = _unless_stopped(ask(store, row, "undo", "you", "just to see", Output.TEXT) if row else 1)
    message = "v3 answers with status 200 and fails one task in four. A threshold on errors does not find this."
    _say(message, "rollout start v3")
    third = _unless_stopped(carry_out(target, "v3", None, built.state, OnPause.FAIL, Output.TEXT, footer=built.footer))
    _say(
        "v4 has renamed a node. Three conversations of v1 wait for a human there: v4 would end them without a word, and"
    )
    _say("no error would tell. It gets no traffic at all.", "rollout start v4")
    fourth = _unless_stopped(carry_out(target, "v4", None, built.state, OnPause.FAIL, Output.TEXT, footer=built.footer))
    _say("Every decision is kept with the numbers that made it.", "rollout explain")
    explain(name, None, built.state, samples=False, release=None, limit=5, output=Output.TEXT)
    built.end_load()
    lost = built.totals.get("lost", 0)
    _say(f"That was it. {built.footer()}.")
    _say("Next: rollout init, docs/on-one-machine.md. More to see: rollout demo --strategy blueGreen,")
    _say("rollout demo --candidate slow (or erroring, incompatible).")
    return 0 if (first, second, third, fourth, lost) == (0, 0, 3, 3, 0) else 1


def _unless_stopped(code: int) -> int:
    """Return an exit code, unless it says that Ctrl-C stopped it: then the tour is over."""
    if code == streams.INTERRUPTED:
        raise KeyboardInterrupt
    return code


def _say(text: str, command: str = "") -> None:
    typer.secho(f"\n{text}" if command else text, err=True, bold=True)
    if command:
        typer.secho(f"$ {command}", err=True, fg="cyan")
        time.sleep(_PAUSE_S)
