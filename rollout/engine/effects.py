"""What a plan may ask for: a weight, pins, a route to be left, a version to be scaled. Idempotent, each of them."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.model.status.conversations import NO_PINS, Pins
from rollout.model.units import FULL_BP


@dataclass(frozen=True, slots=True)
class SetWeight:
    """The one effect on traffic: split between two versions, the candidate getting `weight_bp` of 10000.

    Without a candidate everything goes to `stable`. Weights always add up to 10000, so they are never all zero.

    Attributes:
        preview_header: requests that carry it with the candidate's version go to the candidate, whatever the weight, as
            does the route's preview listener; None where there is no preview.
        bases: by route, what weights add up to, where it was not ours to choose.
        parts: by route and version, the weights of several places of one version, as they were found.
        restores: whether they must, because nothing of ours is to be left.
        pins: which started conversations stay where, in a route of our own; in one of others' that is an effect of its
            own (`SetPins`).
    """

    stable: str
    candidate: str | None = None
    weight_bp: int = 0
    preview_header: str | None = None
    bases: tuple[tuple[str, int], ...] = ()
    restores: bool = False
    pins: Pins = NO_PINS
    parts: tuple[tuple[str, str, tuple[int, ...]], ...] = ()

    def __post_init__(self) -> None:
        assert 0 <= self.weight_bp <= FULL_BP
        assert self.candidate is not None or self.weight_bp == 0

    def base_of(self, route: str) -> int | None:
        return next((base for name, base in self.bases if name == route), None)

    def parts_of(self, route: str, version: str) -> list[tuple[int, ...]]:
        """Return the weights of places that were found in a route, those of the version first."""
        return [parts for name, of, parts in sorted(self.parts, key=lambda entry: entry[1] != version) if name == route]

    def __str__(self) -> str:
        if self.candidate is None:
            return f"all traffic to {self.stable}"
        preview = ", to be previewed" if self.preview_header else ""
        return f"{self.candidate} at {self.weight_bp / 100:g} %, {self.stable} the rest{preview}"


@dataclass(frozen=True, slots=True)
class LeaveRoute:
    """Leave a route that is somebody else's: take out the backends that were added, and let go of its fields.

    Attributes:
        versions: those whose backends were added and get no traffic any more.
        unweighted: those whose backend named no weight, and names none again once it is alone.
    """

    route: str
    versions: tuple[str, ...] = ()
    unweighted: tuple[str, ...] = ()

    def __str__(self) -> str:
        took = f"take the backend of {', '.join(self.versions)} out of it, and " if self.versions else ""
        return f"leave {self.route}: {took}let go of its fields"


@dataclass(frozen=True, slots=True)
class SetPins:
    """Let started conversations stay on their versions, beside a rule of somebody else's; without any, take it back.

    Attributes:
        route: in which route.
    """

    route: str
    pins: Pins

    def __str__(self) -> str:
        return f"{self.route}: {self.pins}" if self.pins else f"{self.route}: no conversation is pinned any more"


@dataclass(frozen=True, slots=True)
class ScaleDown:
    """Let a version that nothing refers to any more run no replicas."""

    version: str

    def __str__(self) -> str:
        return f"scale {self.version} down to 0"


@dataclass(frozen=True, slots=True)
class ScaleUp:
    """The one effect on workloads: let a version that sleeps at 0 replicas run as many as the other one."""

    version: str
    like: str

    def __str__(self) -> str:
        return f"scale {self.version} up to the replicas of {self.like}"


@dataclass(frozen=True, slots=True)
class PromoteImage:
    """Let the stable Service's Deployment run the images that the candidate's runs, with the label of the version."""

    version: str

    def __str__(self) -> str:
        return f"roll {self.version} out behind the stable Service"


Effect = SetWeight | SetPins | LeaveRoute | ScaleUp | ScaleDown | PromoteImage
