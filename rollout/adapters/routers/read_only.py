"""A router for those who only look: a dry run, or a command that leaves traffic to whoever carries the rollout out."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.engine.effects import LeaveRoute, SetPins, SetWeight
from rollout.engine.ports import Router
from rollout.engine.route_facts import RouteFacts


@dataclass(frozen=True)
class ReadOnlyRouter:
    """A router that is looked at and left alone."""

    router: Router

    @property
    def name(self) -> str:
        return self.router.name

    def observe(self) -> RouteFacts:
        return self.router.observe()

    def apply(self, weight: SetWeight) -> None:
        """Do nothing: whoever carries the rollout out next does it."""

    def pin(self, effect: SetPins) -> None:
        """Do nothing."""

    def leave(self, effect: LeaveRoute) -> None:
        """Do nothing, likewise."""
