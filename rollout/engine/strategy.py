"""The strategy of a release: canary, blue-green and undo as one shape, so that no phase needs to know which it is.

A step of weight 0 is a preview: the candidate can be reached, and no user is on it. After it comes the switch.
"""

from __future__ import annotations

from dataclasses import dataclass

from rollout.model.api.policy import PolicySpec
from rollout.model.api.strategy import Bake, Step


@dataclass(frozen=True, slots=True)
class ReleaseStrategy:
    """Steps, then everything, then the bake.

    Attributes:
        preview_header: by which the candidate is reached in a preview.
        switch_approval: whether somebody must approve the move of everything.
        standby_s: how long the old version stays ready afterwards.
        proves: whether promotion needs proof that the candidate is no worse; the way back to a version that was
            promoted before does not.
    """

    steps: tuple[Step, ...]
    bake: Bake
    preview_header: str | None = None
    switch_approval: bool = False
    standby_s: float = 0.0
    proves: bool = True

    @property
    def switches(self) -> bool:
        """Whether everything moves at once: then no stable version runs beside the candidate to compare it with."""
        return self.steps[0].weight_bp == 0


def strategy_of(policy: PolicySpec, *, undoing: bool = False) -> ReleaseStrategy:
    """Return the strategy that a policy declares, for a release or for an undo."""
    strategy = policy.canary or policy.blue_green
    assert strategy is not None, "documents were checked before anything started"
    standby_s = strategy.standby.for_s
    if undoing and policy.undo is not None:
        steps = policy.undo.steps or (_unseen(0.0),)
        return ReleaseStrategy(steps, policy.undo.bake, standby_s=standby_s, proves=False)
    if policy.canary is not None:
        return ReleaseStrategy(policy.canary.steps, policy.canary.bake, standby_s=standby_s, proves=not undoing)
    assert policy.blue_green is not None
    preview, switch = policy.blue_green.preview, policy.blue_green.switch
    return ReleaseStrategy(
        (_unseen(preview.for_s, preview.at_most_s),),
        policy.blue_green.bake,
        preview_header=preview.header,
        switch_approval=switch.approval == "required",
        standby_s=standby_s,
        proves=not undoing,
    )


def _unseen(for_s: float, at_most_s: float | None = None) -> Step:
    return Step.model_construct(weight_bp=0, for_s=for_s, until=None, at_most_s=at_most_s, approval=None)
