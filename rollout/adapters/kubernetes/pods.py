"""What is behind a version's Service."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pods:
    """What is behind a version's Service.

    Attributes:
        names: of pods.
        addresses: of endpoints.
        problem: why it is not known.
    """

    service: str
    namespace: str
    names: frozenset[str] = field(default=frozenset())
    addresses: frozenset[str] = field(default=frozenset())
    problem: str = ""
