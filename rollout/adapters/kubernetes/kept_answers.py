"""Answers that are made of watched objects, kept until one of these has changed: most turns find nothing new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

Answer = TypeVar("Answer")


class Seen(NamedTuple):
    """An object, or a list of some, as it was when it was read.

    Attributes:
        token: is another once it has changed; None where it is not watched.
    """

    token_of: Callable[[], object]
    token: object

    @classmethod
    def now(cls, token_of: Callable[[], object]) -> Seen:
        """Return how something is now. Ask before it is read: what changes between is not missed then."""
        return cls(token_of, token_of())


@dataclass
class Reads:
    """What an answer was made of.

    Attributes:
        are_watched: whether all of it was; what was asked for may be another by the next time.
    """

    are_watched: bool = True
    _seen: list[Seen] = field(default_factory=list)

    def add(self, seen: Seen) -> None:
        self._seen.append(seen)
        self.are_watched = self.are_watched and seen.token is not None

    def are_current(self) -> bool:
        for token_of, token in self._seen:  # noqa: SIM110  of everything at each turn: a loop takes half the time
            if token_of() != token:
                return False
        return True


class KeptAnswers:
    """Answers about rollouts, each of one question and of what it is asked with."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, tuple[object, Reads, Any]]] = {}

    def of(self, rollout: str, question: str, asked_with: object, make: Callable[[Reads], Answer]) -> Answer:
        """Return an answer: the one that is kept, or one that is made now.

        Args:
            rollout: its key, to be forgotten by.
            asked_with: all that the answer depends on but objects.
            make: notes what it reads.
        """
        known = self._kept.get(rollout, {}).get(question)
        if known is not None and known[0] == asked_with and known[1].are_current():
            answer: Answer = known[2]
            return answer
        reads = Reads()
        answer = make(reads)
        of_rollout = self._kept.setdefault(rollout, {})
        if reads.are_watched:
            of_rollout[question] = asked_with, reads, answer
        else:
            of_rollout.pop(question, None)
        return answer

    def forget(self, rollout: str) -> None:
        self._kept.pop(rollout, None)
