"""How traffic moves: in steps beside the stable version (canary), or at once after a preview (blue-green)."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from rollout.model.base import Document
from rollout.model.units import Duration, Percent

HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class Step(Document):
    """One weight of the candidate, and what must hold before the next."""

    weight_bp: Percent = Field(
        alias="weight", description="The candidate's share of the traffic, above 0% and below 100%."
    )
    for_s: Duration = Field(
        default=0.0, alias="for", description="Hold the weight at least this long, after the warm-up."
    )
    until: Literal["evidence"] | None = Field(
        default=None, description="Wait for evidence that the candidate is no worse."
    )
    at_most_s: Duration | None = Field(
        default=None, alias="atMost", description="After this long without evidence, the step is undecided."
    )
    approval: Literal["required"] | None = Field(
        default=None, description="Whether somebody must approve the step before its weight is set."
    )


class Bake(Document):
    """How long the candidate is watched at 100 % while stable is still warm; after `atMost` it is undecided."""

    for_s: Duration = Field(default=0.0, alias="for", description="Watch the candidate at 100% at least this long.")
    at_most_s: Duration | None = Field(
        default=None, alias="atMost", description="After this long without evidence, the bake is undecided."
    )


class Standby(Document):
    """How long after the promotion the old version stays ready, so that `rollout undo` goes back at once."""

    for_s: Duration = Field(
        default=0.0, alias="for", description="How long the old version stays ready after the promotion."
    )


class Canary(Document):
    """Shift traffic in steps."""

    steps: tuple[Step, ...] = Field(
        min_length=1, max_length=20, description="The weights of the candidate, in rising order."
    )
    bake: Bake = Field(default=Bake.model_construct(), description="How the candidate is watched at 100%.")
    standby: Standby = Field(default=Standby.model_construct(), description="How long the old version stays ready.")


class Preview(Document):
    """The candidate can be reached before any user is on it: by a header, or on the route's preview listener."""

    for_s: Duration = Field(default=0.0, alias="for", description="Keep the preview at least this long.")
    at_most_s: Duration | None = Field(
        default=None, alias="atMost", description="After this long without what is needed, the preview is undecided."
    )
    header: HeaderName = Field(
        default="x-rollout-preview",
        description="Requests with this header and the candidate's version reach the candidate, on one machine.",
    )


class Switch(Document):
    """The one move of all new conversations."""

    approval: Literal["required"] | None = Field(default=None, description="Whether somebody must approve the switch.")


class BlueGreen(Document):
    """Preview the candidate, switch everything at once, watch, and keep the old version ready."""

    preview: Preview = Field(
        default=Preview.model_construct(), description="The time before any user is on the candidate."
    )
    switch: Switch = Field(default=Switch.model_construct(), description="The one move of all traffic.")
    bake: Bake = Field(default=Bake.model_construct(), description="How the candidate is watched after the switch.")
    standby: Standby = Field(default=Standby.model_construct(), description="How long the old version stays ready.")


class Undo(Document):
    """The quick way back to the version before, once standby is over. Without steps it is one switch."""

    steps: tuple[Step, ...] = Field(
        default=(),
        max_length=20,
        description="The weights of the version that is gone back to. Without steps it is one switch.",
    )
    bake: Bake = Field(default=Bake.model_construct(), description="How that version is watched at 100%.")
