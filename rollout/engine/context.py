"""A plan while it is being made. It lives inside one call of `plan` and is seen by nobody else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, Unpack

from rollout.engine.analysis.judged import figures
from rollout.engine.analysis.verdict import Thresholds
from rollout.engine.effects import Effect
from rollout.engine.facts import Facts
from rollout.engine.messages import weight
from rollout.engine.route_facts import BorrowedRoute, borrowed
from rollout.engine.strategy import ReleaseStrategy, strategy_of
from rollout.engine.transitions import BACK, TABLE, Event, follow
from rollout.model.api.policy import PolicySpec
from rollout.model.api.strategy import Step
from rollout.model.pinned import effective_policy
from rollout.model.rollout import Rollout
from rollout.model.status.changes import PhaseChanges, ReleaseChanges, StatusChanges
from rollout.model.status.decision import CommandOutcome, Decision
from rollout.model.status.release import Release
from rollout.model.status.status import DECISIONS_KEPT, Status
from rollout.model.status.traffic import TrafficChanges
from rollout.model.status.vocabulary import HeldBy, Phase, Reason


class PlanContext:
    """Collects the next status and the decisions on the way to it.

    Attributes:
        release: the one under way, or the last one; one without anything where there was none.
    """

    def __init__(self, rollout: Rollout, declared: PolicySpec, facts: Facts, now: datetime) -> None:
        self.spec = rollout.spec
        self.name = rollout.metadata.name
        self.declared = declared
        self.facts = facts
        self.now = now
        self._note(rollout.status)
        self.decisions: list[Decision] = []
        self.answers: list[CommandOutcome] = []
        self._policy: tuple[object, PolicySpec] | None = None
        self._strategy: tuple[PolicySpec, bool, ReleaseStrategy] | None = None

    @property
    def policy(self) -> PolicySpec:
        """The effective policy: the pinned one, once a rollout has begun."""
        pinned = self.release.policy
        if self._policy is None or self._policy[0] is not pinned:
            self._policy = pinned, effective_policy(self.status, self.declared)
        return self._policy[1]

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds.of(self.policy.evidence, self.release.retries)

    @property
    def strategy(self) -> ReleaseStrategy:
        """The strategy of this release."""
        policy, undoing = self.policy, self.release.undoing
        if self._strategy is None or self._strategy[0] is not policy or self._strategy[1] is not undoing:
            self._strategy = policy, undoing, strategy_of(policy, undoing=undoing)
        return self._strategy[2]

    @property
    def step(self) -> Step:
        """The current step, or the one being entered."""
        steps = self.strategy.steps
        return steps[min(self.release.step, len(steps) - 1)]

    @property
    def is_last_step(self) -> bool:
        return self.release.step >= len(self.strategy.steps) - 1

    @property
    def is_preview(self) -> bool:
        """Whether the candidate can be reached, or is about to be, while no user is on it."""
        return self.strategy.switches and self.release.traffic.wanted_bp == 0

    @property
    def borrowed(self) -> list[BorrowedRoute]:
        """The routes that are somebody else's."""
        return borrowed(self.facts.routes)

    @property
    def preview_header(self) -> str | None:
        """The header that a preview answers to; a route that is only borrowed has none."""
        return None if self.borrowed else self.strategy.preview_header

    @property
    def is_standby(self) -> bool:
        """Whether the version before the stable one is still ready to take everything back."""
        until = self.status.standby_until
        return self.status.phase is Phase.DRAINING or (until is not None and self.now < until)

    @property
    def shown_step(self) -> str:
        """The current step, in words."""
        if self.step.weight_bp == 0:
            return "the preview" if self.strategy.preview_header else "the switch back"
        return f"step {self.release.step + 1} of {self.release.steps} ({weight(self.step.weight_bp)})"

    def later(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def since(self, moment: datetime | None) -> float:
        """Return the seconds since a moment; 0 for one that has not come (a clock may step back)."""
        return max(0.0, (self.now - moment).total_seconds()) if moment else 0.0

    @property
    def watched_s(self) -> float:
        """How long the effective weight was watched, in seconds: gaps do not count."""
        return max(0.0, self.since(self.release.window_since) - self.release.gap_s)

    def update(self, **changes: Unpack[StatusChanges]) -> None:
        """Change fields of the status."""
        self._note(self.status.model_copy(update=changes))

    def _note(self, status: Status) -> None:
        self.status: Status = status
        self.release: Release = status.latest

    def update_release(self, **changes: Unpack[ReleaseChanges]) -> None:
        """Change fields of the release."""
        self.update(release=self.changed(**changes))

    def update_traffic(self, **changes: Unpack[TrafficChanges]) -> None:
        """Change fields of the release's traffic."""
        self.update_release(traffic=self.release.traffic.changed(**changes))

    def changed(self, **changes: Unpack[ReleaseChanges]) -> Release:
        """Return the release with other fields, for what changes together with a phase."""
        assert self.status.release is not None, "nothing is changed of a release that never began"
        return self.status.release.model_copy(update=changes)

    def go(
        self, event: Event, reason: Reason, message: str, *, actor: str = "", **changes: Unpack[PhaseChanges]
    ) -> None:
        """Let an event happen: the one place where a phase changes."""
        phase = follow(self.status.phase, event, self.status.resume_to)
        if event is Event.HOLD and self.status.phase is not Phase.PAUSED:
            changes["resume_to"] = self.status.phase
        if TABLE[self.status.phase, event] == BACK or phase is not Phase.PAUSED:
            released: PhaseChanges = {"resume_to": None, "held_by": None}
            changes = {**released, **changes}
        if self.status.phase is Phase.PAUSED and phase is not Phase.PAUSED and self.status.phase_since is not None:
            paused_s = self.release.paused_s + max(0.0, self.since(self.status.phase_since))
            release = changes.get("release") or self.release
            changes["release"] = release.model_copy(update={"paused_s": paused_s})
        since = self.now if phase is not self.status.phase else self.status.phase_since
        self._note(self.status.model_copy(update={"phase": phase, "phase_since": since}))
        self.update(reason=reason, message=message, **changes)
        self.record("transition", actor=actor)

    def hold(self, by: HeldBy, reason: Reason, message: str, *, actor: str = "") -> None:
        """Pause until a human, or whoever holds it, lets go."""
        self.go(Event.HOLD, reason, message, actor=actor, held_by=by)

    def wait(self, reason: Reason, message: str) -> None:
        """Say why nothing moves. A change of the reason is worth a decision; new numbers in it are not."""
        changed = reason is not self.status.reason
        self.update(reason=reason, message=message)
        if changed:
            self.record("transition")

    def record(
        self,
        kind: Literal["transition", "command", "sample", "traffic", "check"],
        *,
        actor: str = "",
        message: str = "",
        reason: Reason | None = None,
        verb: str = "",
        refused: bool = False,
    ) -> None:
        """Write down a decision with the numbers as they stand.

        Args:
            reason: where it is not the status's.
        """
        status, settings = self.status, self.policy.evidence
        is_kept = kind != "sample" or self.facts.resource.keeps_samples
        evidence = status.latest.evidence if is_kept else {}
        self.decisions.append(
            Decision(
                at=self.now,
                phase=status.phase,
                step=status.latest.step,
                weight_bp=status.latest.traffic.wanted_bp,
                kind=kind,
                reason=reason or status.reason,
                message=message or status.message,
                harm_e=status.latest.harm_e,
                threshold_e=self.thresholds.harm,
                share=status.latest.split.reached.share,
                kpis={name: figures(state, settings) for name, state in evidence.items()},
                actor=actor,
                verb=verb,
                refused=refused,
            )
        )

    def finish(self, effects: tuple[Effect, ...]) -> Status:
        """Return the next status, with the newest decisions in its ring (samples only go to the full record)."""
        if self.decisions and effects:
            named = tuple(str(effect) for effect in effects)
            self.decisions[-1] = self.decisions[-1].model_copy(update={"effects": named})
        kept = tuple(decision for decision in self.decisions if decision.kind != "sample")
        if kept:
            self.update(decisions=(self.status.decisions + kept)[-DECISIONS_KEPT:])
        return self.status
