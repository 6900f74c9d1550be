"""`rollout contract`: what a version promises about its state, and whether two versions go together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.help import VerbApp
from rollout.cli.options import Output, OutputAs
from rollout.cli.say import say
from rollout.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from rollout.contracts.contract import Contract
    from rollout.model.agent_state import CompatibilityVerdict, Waiver

STOPPED = 3

contract = VerbApp(no_args_is_help=True, help="State contracts: export them, and check whether versions go together.")


def register(app: typer.Typer) -> None:
    app.add_typer(contract, name="contract")


@contract.command()
def export(
    target: Annotated[
        str, typer.Argument(help="package.module:graph, ./file.py:graph, langgraph.json, a model, or a .json file.")
    ],
    agent: Annotated[str, typer.Option(help="The agent's name.")] = "",
    version: Annotated[str, typer.Option(help="The version whose contract it is.")] = "",
    store: Annotated[str, typer.Option(help="What it keeps its state in: postgres, sqlite, redis.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the contract into this file.")
    ] = None,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="Give up importing the agent after so long.")] = "2m",
) -> None:
    """Print the contract of an agent. It imports the agent's code: run it in the agent's image, or in its CI."""
    from rollout.cli.options import seconds_of
    from rollout.contracts.export.apart import export_apart

    exported = export_apart(target, seconds_of(timeout), agent=agent, version=version, store=store)
    if exported.printed:
        say(exported.printed.rstrip(), err=True)
    for note in exported.notes:
        say(f"warning: {note}", err=True)
    text = json.dumps(json.loads(exported.contract.canonical()), indent=2, sort_keys=True)
    if output is None:
        say(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput([Fault(str(output), f"cannot be written: {_why(error)}", "check the path")]) from error
    say(f"{output}: the contract of {target} ({exported.contract.digest})", err=True)


@contract.command()
def check(
    old: Annotated[Path, typer.Argument(help="The stable version's contract, or a JSON Schema; - is stdin.")],
    new: Annotated[Path, typer.Argument(help="The candidate's.")],
    require: Annotated[str, typer.Option(metavar="none|backward|forward|full|hop", help="What must be ok.")] = "full",
    open_writer: Annotated[
        bool, typer.Option("--open-writer", help="Plain containment: an open schema's writer may write any name.")
    ] = False,
    waivers: Annotated[Path | None, typer.Option(metavar="FILE", help="A YAML file with a list of waivers.")] = None,
    output: OutputAs = Output.TEXT,
) -> None:
    """Check whether NEW and OLD can read each other's state, and whether a conversation can hop (exit 0 or 3)."""
    from datetime import UTC, datetime

    from rollout.contracts import check as checker
    from rollout.contracts.report import same_code
    from rollout.model.agent_state import Axis, Severity

    wanted = {
        "none": (), "backward": (Axis.BACKWARD,), "forward": (Axis.FORWARD,), "full": (Axis.BACKWARD, Axis.FORWARD),
        "hop": tuple(Axis),
    }  # fmt: skip
    if require not in wanted:
        raise InvalidInput([Fault("--require", f"must be one of {', '.join(wanted)}", "write one of them", require)])
    first, second = _both(old, new)
    given = _waivers(waivers) if waivers else ()
    today = datetime.now(UTC).date()
    verdict = checker.check(first, second, closed_writer=not open_writer, waivers=given, today=today)
    if note := same_code(first, second):
        say(f"warning: {note}", err=True)
    if output is Output.JSON:
        from rollout.cli.render.documents import document, print_document

        print_document(document("StateVerdict", **verdict.model_dump(mode="json", by_alias=True)))
    else:
        for line in lines_of(verdict):
            say(line)
    if any(verdict.of(axis) is not Severity.OK for axis in wanted[require]):
        raise typer.Exit(STOPPED)


def _both(old: Path, new: Path) -> tuple[Contract, Contract]:
    """Read both contracts. Raises InvalidInput with the faults of both."""
    faults: list[Fault] = []
    contracts = []
    for path in (old, new):
        try:
            contracts.append(_read(path))
        except InvalidInput as error:
            faults += error.faults
    if faults:
        raise InvalidInput(faults)
    return contracts[0], contracts[1]


def _read(path: Path) -> Contract:
    import sys

    from rollout.contracts.contract_text import TEXT_MAX_BYTES, read

    try:
        if str(path) == "-":
            return read(sys.stdin.read(TEXT_MAX_BYTES + 1), "stdin")
        with path.open(encoding="utf-8") as file:
            return read(file.read(TEXT_MAX_BYTES + 1), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput([Fault(str(path), f"cannot be read: {_why(error)}", "check the path")]) from error


def _waivers(path: Path) -> tuple[Waiver, ...]:
    from rollout.model.agent_state import Waiver
    from rollout.model.parsing import parse
    from rollout.model.yaml_text import FILE_MAX_BYTES, load_all, read_bounded

    try:
        text = read_bounded(path, FILE_MAX_BYTES)
        if text is None:
            raise InvalidInput([Fault(str(path), "is larger than 1 MiB", "waivers need a few lines")])
        documents = load_all(text, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput([Fault(str(path), f"cannot be read: {_why(error)}", "write a YAML list")]) from error
    raw = documents[0][1] if len(documents) == 1 else None
    if not isinstance(raw, list):
        raise InvalidInput([Fault(str(path), "must be a list", "write a list of waivers, each with a dash")])
    waivers, faults = [], []
    for index, entry in enumerate(raw):
        waiver, wrong = parse(Waiver, entry, f"{path}[{index}]")
        faults += wrong
        waivers += [waiver] if waiver is not None else []
    if faults:
        raise InvalidInput(faults)
    return tuple(waivers)


def lines_of(verdict: CompatibilityVerdict) -> list[str]:
    """Return a verdict as people read it: the answer first, then each finding once, the worst first."""
    from rollout.contracts.report import finding_lines, verdict_lines

    return [*verdict_lines(verdict), *finding_lines(verdict.findings)]


def _why(error: Exception) -> str:
    from rollout.causes import why

    return why(error)
