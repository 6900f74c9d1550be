"""The gates in order: what must hold before a rollout moves on. A chain reads as a table.

A gate answers why it blocks, or None. The first one that blocks is what the rollout waits for.
"""

from __future__ import annotations

from rollout.engine.gates.approvals import (
    checks_agree_before_all,
    checks_agree_before_promotion,
    checks_agree_before_step,
    checks_agree_before_traffic,
    step_is_approved,
    switch_is_approved,
    window_is_open,
    window_is_open_for_all,
)
from rollout.engine.gates.capacity import all_has_capacity, step_has_capacity
from rollout.engine.gates.compatibility import state_is_compatible
from rollout.engine.gates.evidence import evidence_is_in, reference_can_be_frozen, reference_is_known
from rollout.engine.gates.gate import Gate
from rollout.engine.gates.pins import conversations_are_pinned, conversations_can_be_pinned
from rollout.engine.gates.progress import (
    baked_long_enough,
    candidate_was_seen,
    held_long_enough,
    no_trouble,
    nothing_was_cut,
    outcomes_were_seen,
    previewed_long_enough,
    responses_are_alike,
    sampled_lately,
    sampled_often_enough,
    share_is_confirmed,
    split_is_right,
    warmed_up,
)
from rollout.engine.gates.readiness import (
    backends_are_listed,
    candidate_answers,
    metrics_can_be_read,
    nothing_acts_twice,
    versions_are_ready,
    versions_have_backends,
    weight_is_effective,
)
from rollout.engine.gates.spending import spend_is_granted

PREFLIGHT: tuple[Gate, ...] = (
    versions_have_backends,  # both can be reached at all
    weight_is_effective,  # the router answers and sends everything to stable
    versions_are_ready,  # both answer
    nothing_acts_twice,  # no tool of an agent is called again behind its back
    state_is_compatible,  # conversations survive the release, and its rollback
    metrics_can_be_read,  # and can be judged, each by itself
    conversations_can_be_pinned,  # where they are to be
    backends_are_listed,  # late, for it is the first thing that is written
    conversations_are_pinned,  # last, for pins refer to the backends
)

PREFLIGHT_BETWEEN_SAMPLES: tuple[Gate, ...] = (versions_have_backends, weight_is_effective, state_is_compatible)
"""What can be told without a sample: endpoints and metrics are read only when one is due."""

PREVIEW: tuple[Gate, ...] = (
    weight_is_effective,
    no_trouble,
    candidate_answers,
    checks_agree_before_traffic,  # they run against the preview
    warmed_up,
    sampled_lately,
    previewed_long_enough,  # the policy's `preview.for`
    sampled_often_enough,
    outcomes_were_seen,  # of stable
    reference_can_be_frozen,  # or nothing afterwards could show harm
)

PREVIEW_BY_HAND: tuple[Gate, ...] = (weight_is_effective, candidate_answers, checks_agree_before_traffic)
"""Passing a preview by hand saves its time, not the checks before the first user."""

STEP: tuple[Gate, ...] = (
    weight_is_effective,  # the router does what was set
    conversations_are_pinned,  # and keeps started conversations where they are
    no_trouble,  # environment, source, data: as the policy says
    split_is_right,  # and the requests show it
    warmed_up,  # cold caches are no regression
    sampled_lately,  # what was seen long ago says nothing of now
    held_long_enough,  # the policy's `for`
    sampled_often_enough,  # at least three samples, after a gap again
    nothing_was_cut,  # nor is a sample left that said more than one may
    outcomes_were_seen,  # no data is never success
    responses_are_alike,  # feedback of one version only is no comparison
    evidence_is_in,  # `until: evidence`, and always before promotion
    share_is_confirmed,  # before promotion: the candidate really had its share
)

BAKE: tuple[Gate, ...] = (
    weight_is_effective,
    no_trouble,
    split_is_right,
    warmed_up,
    sampled_lately,
    baked_long_enough,
    sampled_often_enough,
    nothing_was_cut,
    outcomes_were_seen,
    reference_is_known,
    share_is_confirmed,
    checks_agree_before_promotion,
)

BAKE_PAST_STABLE: tuple[Gate, ...] = (
    weight_is_effective,
    no_trouble,
    warmed_up,
    sampled_lately,
    baked_long_enough,
    candidate_was_seen,
    checks_agree_before_promotion,
)
"""Where stable was down there is nothing to compare with: the candidate must answer, for as long as the bake says."""

BAKE_AFTER_SWITCH: tuple[Gate, ...] = (*BAKE[:-1], evidence_is_in, BAKE[-1])
"""Where nothing ran side by side, the proof comes from the bake."""

ADVANCE: tuple[Gate, ...] = (
    spend_is_granted,
    step_has_capacity,
    checks_agree_before_step,
    step_is_approved,
    window_is_open,
)
"""Before a step's weight is set: first what others say, which whoever approves will want to know."""

ADVANCE_TO_ALL: tuple[Gate, ...] = (
    spend_is_granted,
    all_has_capacity,
    checks_agree_before_all,
    switch_is_approved,
    window_is_open_for_all,
)
