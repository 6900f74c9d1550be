"""How traffic moves: in steps beside the stable version (canary), or at once after a preview (blue-green)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from rollout.model.base import Document
from rollout.model.units import Duration, Percent

HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class Step(Document):
    """One weight of the candidate, and what must hold before the next."""

    weight_bp: Percent = Field(alias="weight")
    for_s: Duration = Field(default=0.0, alias="for")
    until: Literal["evidence"] | None = None
    at_most_s: Duration | None = Field(default=None, alias="atMost")
    approval: Literal["required"] | None = None


class Bake(Document):
    """How long the candidate is watched at 100 % while stable is still warm; after `atMost` it is undecided."""

    for_s: Duration = Field(default=0.0, alias="for")
    at_most_s: Duration | None = Field(default=None, alias="atMost")


class Standby(Document):
    """How long after the promotion the old version stays ready, so that `rollout undo` goes back at once."""

    for_s: Duration = Field(default=0.0, alias="for")


class Canary(Document):
    """Shift traffic in steps."""

    steps: tuple[Step, ...] = Field(min_length=1, max_length=20)
    bake: Bake = Bake()
    standby: Standby = Standby()


class Preview(Document):
    """The candidate can be reached before any user is on it: by a header, or on the route's preview listener."""

    for_s: Duration = Field(default=0.0, alias="for")
    at_most_s: Duration | None = Field(default=None, alias="atMost")
    header: HeaderName = "x-rollout-preview"


class Switch(Document):
    """The one move of all new conversations."""

    approval: Literal["required"] | None = None


class BlueGreen(Document):
    """Preview the candidate, switch everything at once, watch, and keep the old version ready."""

    preview: Preview = Preview()
    switch: Switch = Switch()
    bake: Bake = Bake()
    standby: Standby = Standby()


class Undo(Document):
    """The quick way back to the version before, once standby is over. Without steps it is one switch."""

    steps: tuple[Step, ...] = Field(default=(), max_length=20)
    bake: Bake = Bake()
