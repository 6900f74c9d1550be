"""Options that several verbs share, and where a local rollout is found."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.completion import contexts, rollouts
from rollout.cli.help import CLUSTER, MACHINE
from rollout.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from rollout.adapters.storage.base import RolloutStore, Row


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"


Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        rich_help_panel=MACHINE,
        help="A file with Rollout and RolloutPolicy documents; may be given several times.",
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        envvar="ROLLOUT_STATE",
        rich_help_panel=MACHINE,
        help="The directory of the store [default: .rollout beside the file].",
    ),
]
OutputAs = Annotated[Output, typer.Option("--output", "-o", help="text, or json on stdout.")]
OptionalName = Annotated[
    str | None,
    typer.Argument(autocompletion=rollouts, help="The name of the rollout. Optional if there is only one."),
]

RolloutName = Annotated[
    str | None,
    typer.Option("--rollout", metavar="NAME", autocompletion=rollouts, help="Which Rollout, if there are several."),
]

Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", rich_help_panel=CLUSTER, help="A namespace of the cluster.")
]
AllNamespaces = Annotated[
    bool, typer.Option("--all-namespaces", "-A", rich_help_panel=CLUSTER, help="All namespaces of the cluster.")
]
Context = Annotated[
    str | None,
    typer.Option("--context", autocompletion=contexts, rich_help_panel=CLUSTER, help="A context of the kubeconfig."),
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        metavar="FILE",
        rich_help_panel=CLUSTER,
        help="The kubeconfig to use [default: as kubectl does].",
    ),
]


def pick(store: RolloutStore, name: str | None) -> Row:
    """Return the rollout that is meant. Raises InvalidInput with the names there are."""
    import difflib

    if name is not None and (row := store.get(name)) is not None:
        return row
    rows = {row.rollout.metadata.name: row for row in store.all()}
    if name is None and len(rows) == 1:
        return next(iter(rows.values()))
    known = ", ".join(rows) or "none yet"
    if name is None:
        raise InvalidInput([Fault("NAME", f"there are {len(rows)} rollouts, so say which", f"known: {known}")])
    close = difflib.get_close_matches(name, rows, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"known: {known}"
    raise InvalidInput([Fault("NAME", f"there is no rollout called {name}", remedy)])


def seconds_of(text: str) -> float:
    """Return what --timeout says, in seconds. Raises InvalidInput."""
    from rollout.model.units import duration_s

    try:
        return duration_s(text)
    except ValueError as error:
        raise InvalidInput([Fault("--timeout", str(error), "write it like 30m or 2h", text)]) from error
