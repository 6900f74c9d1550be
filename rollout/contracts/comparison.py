"""What all rules share: who writes, who reads, in which direction, and the making of findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from rollout.contracts.contract import Contract, Graph
from rollout.contracts.finding_codes import HINTS
from rollout.contracts.schema.document import SchemaDocument
from rollout.contracts.schema.relation import Budget, Options
from rollout.model.agent_state import Axis, Finding, Severity

SHOWN_MAX = 120
PARTS_SHOWN = 3


@dataclass(frozen=True)
class Side:
    """One direction of one graph: `writer` has written what `reader` reads.

    Attributes:
        at: the pointer to the graph.
        writes, reads: the whole contracts.
        axis: backward, where the reader is the new version; forward, where it is old.
        budget: the work that all comparisons of a direction may take together.
        own_budget: likewise, of those of a version with itself.
    """

    axis: Axis
    writer: Graph
    reader: Graph
    writes: Contract
    reads: Contract
    options: Options
    at: str = ""
    budget: Budget = field(default_factory=Budget)
    own_budget: Budget = field(default_factory=Budget)
    findings: list[Finding] = field(default_factory=list)

    @cached_property
    def written(self) -> SchemaDocument:
        """The schema by which the writer writes."""
        return SchemaDocument(self.writer.state.writer)

    @cached_property
    def read(self) -> SchemaDocument:
        """The schema by which the reader reads."""
        return SchemaDocument(self.reader.state.reader)

    @property
    def is_backward(self) -> bool:
        return self.axis is Axis.BACKWARD

    @property
    def is_langgraph(self) -> bool:
        return self.writes.framework.name == "langgraph" == self.reads.framework.name

    def inside(self, name: str) -> Side:
        """Return the same direction for a graph inside this one."""
        writer, reader = self.writer.subgraphs[name], self.reader.subgraphs[name]
        return replace(self, writer=writer, reader=reader, at=f"{self.at}/subgraphs/{name}")

    def sources(self, one: Mapping[str, str], two: Mapping[str, str]) -> tuple[str, str]:
        """Return how code is told that differs: by the names of its parts that do, of the writer and of the reader."""
        names = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
        if not names or not one or not two:
            return "one source", "another"
        own = sorted(names, key=lambda name: (not (name in one and name in two), name))
        listed = ", ".join(own[:PARTS_SHOWN]) + (
            f" and {len(own) - PARTS_SHOWN} more" if len(own) > PARTS_SHOWN else ""
        )
        return ("as it was", f"changed: {listed}") if self.is_backward else (f"changed: {listed}", "as it was")

    def find(
        self,
        code: str,
        severity: Severity,
        pointer: str,
        wrote: str,
        reads: str,
        *,
        axis: Axis | None = None,
        clearable: bool = False,
        nodes: tuple[str, ...] = (),
    ) -> None:
        """Note a finding.

        Args:
            wrote, reads: in words; told as old and new, whichever they are.
        """
        prefix = "".join(f"{step}/" for step in self.at.split("/subgraphs/")[1:])
        old, new = (wrote, reads) if self.is_backward else (reads, wrote)
        self.findings.append(
            Finding(
                code=code,
                direction=axis or self.axis,
                severity=severity,
                pointer=self.at + pointer,
                old=old[:SHOWN_MAX],
                new=new[:SHOWN_MAX],
                hint=HINTS[code],
                clearable=clearable,
                nodes=tuple(prefix + name for name in nodes),
            )
        )
