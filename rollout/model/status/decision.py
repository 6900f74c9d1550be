"""Decisions with the numbers that made them, and what became of commands."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from rollout.model.base import Record
from rollout.model.status.vocabulary import Phase, Reason


class KpiFigures(Record):
    """One KPI as it stood at a decision: counts over the whole rollout, e-values, verdict."""

    bad_c: float
    all_c: float
    bad_s: float
    all_s: float
    harm_e: float
    proof_e: float
    phi: float
    verdict: str
    reference: Literal["concurrent", "frozen"] = "concurrent"
    asymptotic: bool = False
    excess_low: float | None = None
    excess_high: float | None = None


class Decision(Record):
    """One decision with the numbers that made it.

    Attributes:
        verb, refused: of a command that was answered.
    """

    at: datetime
    phase: Phase
    step: int
    weight_bp: int
    kind: Literal["transition", "command", "sample", "traffic", "check"]
    reason: Reason
    message: str
    harm_e: float = 1.0
    threshold_e: float = 0.0
    share: float | None = None
    kpis: dict[str, KpiFigures] = Field(default_factory=dict)
    effects: tuple[str, ...] = ()
    actor: str = ""
    verb: str = ""
    refused: bool = False

    @model_validator(mode="before")
    @classmethod
    def _of_earlier(cls, raw: Any) -> Any:
        """Read a decision of an earlier release: samples were looks, and what became of a command was in its text."""
        if not isinstance(raw, dict):
            return raw
        if raw.get("kind") == "look":
            return {**raw, "kind": "sample"}
        if raw.get("kind") == "command" and "verb" not in raw:
            verb, _, answer = str(raw.get("message", "")).partition(": ")
            return {**raw, "verb": verb, "refused": answer.startswith("refused: ")}
        return raw


class CommandOutcome(Record):
    """What became of the last command."""

    id: str = Field(description="The command's id.")
    verb: str = Field(description="What was asked for.")
    actor: str = Field(description="Who asked.")
    reason: str = Field(description="Why.")
    accepted: bool = Field(description="Whether it was carried out.")
    message: str = Field(description="What became of it.")
    at: datetime = Field(description="When it was answered.")
