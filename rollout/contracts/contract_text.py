"""Reading a contract, or a bare JSON Schema: bounded, exact, with every fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rollout.contracts.contract import UNKNOWN_FRAMEWORK, VERSION, Contract, Framework, Graph, State
from rollout.contracts.schema.walk import faults_of
from rollout.errors import Fault, InvalidInput
from rollout.model.parsing import parse

TEXT_MAX_BYTES = 16 * 1024 * 1024
DIGITS_MAX = 400


def read(text: str, where: str = "contract") -> Contract:
    """Read a contract, or a bare JSON Schema. Raises InvalidInput with every fault."""
    raw = load(text, where)
    if isinstance(raw, bool) or (isinstance(raw, dict) and "contractVersion" not in raw):
        if faults := faults_of(raw, where):
            raise InvalidInput(faults)
        bare = Framework(name=UNKNOWN_FRAMEWORK)
        return Contract(contract_version=VERSION, state=State(writer=raw, reader=raw), framework=bare)
    if not isinstance(raw, dict):
        remedy = "write a contract (rollout contract export), or a JSON Schema"
        raise InvalidInput([Fault(where, "is neither a contract nor a JSON Schema", remedy)])
    if raw["contractVersion"] != VERSION:
        remedy = f"this release reads version {VERSION}: export it with this release, or use a newer one"
        raise InvalidInput([Fault(f"{where}: contractVersion", "is not known here", remedy, raw["contractVersion"])])
    parsed, faults = parse(Contract, raw, "")
    faults = [fault.within(f"{where}: ") for fault in faults]
    if parsed is not None:
        faults += [fault for path, graph in graphs(parsed) for fault in _schemas_of(graph, f"{where}: {path}")]
    if faults or parsed is None:
        raise InvalidInput(faults)
    return parsed


def graphs(graph: Graph, path: str = "") -> Iterator[tuple[str, Graph]]:
    """Return a graph and all that are inside, each with the pointer to it."""
    yield path, graph
    for name, inner in graph.subgraphs.items():
        yield from graphs(inner, f"{path}/subgraphs/{name}")


def _schemas_of(graph: Graph, where: str) -> list[Fault]:
    return [
        fault
        for role, schema in (("writer", graph.state.writer), ("reader", graph.state.reader))
        for fault in faults_of(schema, f"{where}/state/{role}")
    ]


def load(text: str, where: str) -> Any:
    """Read JSON, bounded, with numbers exactly as they are written. Raises InvalidInput."""
    if len(text) > TEXT_MAX_BYTES:
        raise InvalidInput([Fault(where, "is larger than 16 MiB", "a contract needs a few kilobytes")])
    try:
        return json.loads(text, parse_float=_number, parse_constant=_no_number, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidInput([Fault(where, f"is not JSON: {why}", "mend the file")]) from error


def _integer(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


def _number(text: str) -> int | Decimal:
    number = Decimal(text)
    if abs(number.adjusted()) > DIGITS_MAX:
        raise ValueError(f"the number {text[:20]} is too large, or too small")
    return int(number) if number == number.to_integral_value() else number


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number in JSON")
