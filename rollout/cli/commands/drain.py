"""`rollout drain VERSION`: see the conversations of a version that lost to their end, or end the drain by hand."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.completion import versions
from rollout.cli.location import Place
from rollout.cli.options import Context, Files, Kubeconfig, Namespace, Output, OutputAs, RolloutName, StateDir

if TYPE_CHECKING:
    from rollout.adapters.storage.base import RolloutStore, Row


class Then(StrEnum):
    HAND_OVER = "handOver"
    END = "end"


def register(app: typer.Typer) -> None:
    @app.command()
    def drain(
        version: Annotated[str, typer.Argument(autocompletion=versions, help="The version that lost.")],
        then: Annotated[
            Then | None,
            typer.Option(
                help="Wait no longer: handOver lets the stable version go on with its open conversations, where the "
                "contracts allow it; end takes the pins out."
            ),
        ] = None,
        rollout: RolloutName = None,
        reason: Annotated[str, typer.Option("--reason", "-r", help="The reason. It is recorded.")] = "",
        actor: Annotated[
            str | None, typer.Option("--actor", envvar="ROLLOUT_ACTOR", help="Who gives the command.")
        ] = None,
        timeout: Annotated[
            str, typer.Option(metavar="DURATION", help="Give up after so long (exit 124), such as 30m or 24h.")
        ] = "24h",
        files: Files = None,
        state: StateDir = None,
        namespace: Namespace = None,
        context: Context = None,
        kubeconfig: Kubeconfig = None,
        output: OutputAs = Output.TEXT,
    ) -> None:
        """Wait until none of VERSION's conversations is open, and show how many are. With --then: end the drain now.

        On one machine the drain is carried out here if no controller runs.
        """
        from rollout.cli.commands.steer import ask, login
        from rollout.cli.commands.wait import until_drained
        from rollout.cli.options import pick, seconds_of
        from rollout.engine.facts import DrainOrder

        timeout_s = seconds_of(timeout)
        place = Place(files, state, namespace, context=context, kubeconfig=kubeconfig)
        cluster = None if place.is_local else place.cluster()
        store: RolloutStore = cluster or place.store()
        row: Row = pick(store, rollout)
        if then is not None:
            order = DrainOrder(version, then.value)
            who = actor or (cluster.who() if cluster else None) or login()
            if code := ask(store, row, "drain", who, reason, output, order):
                raise typer.Exit(code)
        raise typer.Exit(until_drained(store, row, version, timeout_s, Output.TEXT if then else output, acts=True))
