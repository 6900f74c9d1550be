"""The guided tour: a release that would lose conversations, one that keeps them, is promoted and undone, one that fails
quietly.
"""

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
DRAIN_TIMEOUT_S = 60.0
_PAUSE_S = 2.0


def tour(built: Stage, target: Target) -> int:
    """Show it all, one command after the other; return 0 if everything went as told."""
    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.cli.commands.show import explain
    from rollout.cli.commands.steer import ask
    from rollout.cli.commands.wait import until_drained

    name = target.metadata.name
    _say("Four versions of a LangGraph agent run here, and an Envoy before them. Users talk to v1, about 60 times a")
    _say("second. Everything is real but the model. What you see typed is what you would type.")
    _say("v4 has renamed a node. Three conversations of v1 wait for a human there: v4 would end them without a word,")
    _say("and no error would tell. It gets no traffic at all.", "rollout start v4")
    refused = _release(built, target, "v4")
    target = _pinned(built, target)
    _say("v2 is as good as v1. Watch the weight of new conversations rise, each KPI with its evidence, why it waits.")
    _say("Whoever talks to v1 goes on with v1.", "rollout start v2")
    promoted = _release(built, target, "v2")
    store = SqliteStore(built.state)
    row = store.get(name)
    if row is None:
        return 1
    _say("v2 gets every new conversation. v1 keeps its own: three still wait for a human. A human answers now.")
    answered_by = built.approve_refunds()
    _say(f"They went on with {', '.join(sorted(answered_by))}. None is open then.", "rollout drain v1")
    drained = _unless_stopped(until_drained(store, row, "v1", DRAIN_TIMEOUT_S, Output.TEXT, acts=True))
    _say("v1 is kept ready for ten minutes: so an undo is one switch.", "rollout undo")
    undone = _unless_stopped(ask(store, row, "undo", "you", "just to see", Output.TEXT))
    message = "v3 answers with status 200 and fails one task in four. A threshold on errors does not find this."
    _say(message, "rollout start v3")
    rolled_back = _release(built, target, "v3")
    _say("Every decision is kept with the numbers that made it.", "rollout explain")
    explain(name, None, built.state, samples=False, release=None, limit=5, output=Output.TEXT)
    built.end_load()
    lost, moved = built.totals.get("lost", 0), built.totals.get("moved", 0)
    _say(f"That was it. {built.footer()}.")
    _say("Next: rollout init, docs/on-one-machine.md. More to see: rollout demo --strategy blueGreen,")
    _say("rollout demo --candidate slow (or erroring, incompatible).")
    as_told = (refused, promoted, drained, undone, rolled_back, lost, moved, answered_by)
    return 0 if as_told == (3, 0, 0, 0, 3, 0, 0, {"v1"}) else 1


def _release(built: Stage, target: Target, version: str) -> int:
    from rollout.cli.commands.start import carry_out
    from rollout.cli.follow.until import OnPause

    return _unless_stopped(
        carry_out(target, version, None, built.state, OnPause.FAIL, Output.TEXT, footer=built.footer)
    )


def _pinned(built: Stage, target: Target) -> Target:
    """Declare that started conversations stay on their version; return the rollout as it is declared then."""
    from rollout.cli.documents import read_target
    from rollout.demo.documents import PINNED

    _say("So let started conversations stay where they began. rollout.yaml says so from now on:")
    typer.echo(PINNED, err=True)
    built.declare(pinned=True)
    return read_target([built.file], target.metadata.name)


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
