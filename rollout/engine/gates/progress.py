"""Gates while a weight is watched: is it effective, long enough, and is nothing wrong?"""

from __future__ import annotations

from rollout.engine import messages
from rollout.engine.analysis.gaps import is_gap
from rollout.engine.context import PlanContext
from rollout.engine.gates.gate import Blocked
from rollout.model.status.vocabulary import Reason

SAMPLES_MIN = 3
"""Fewer samples than this are no observation, however long they took."""


def split_is_right(context: PlanContext) -> Blocked | None:
    release = context.release
    if release.undoing:
        return None  # what is left may hang, and then its requests are not counted
    share = release.split.reached.share
    seen = "nothing" if share is None else messages.percent(share)
    wanted = messages.weight(release.traffic.wanted_bp)
    if release.traffic.effective == "refuted":
        return Blocked(
            Reason.TRAFFIC_NOT_SHIFTING,
            f"the weight is {wanted}, but the requests show {seen}. The route does not split as written",
        )
    if release.split.ratio.mismatched:
        return Blocked(
            Reason.SAMPLE_RATIO,
            f"the weight is {wanted}, but the requests show {seen}. A difference this large is not chance",
        )
    return None


def no_trouble(context: PlanContext) -> Blocked | None:
    release = context.release
    if release.trouble is None:
        return None
    return Blocked(release.trouble, release.trouble_message)


def warmed_up(context: PlanContext) -> Blocked | None:
    began = context.release.window_since
    if began is None or began > context.now:
        left_s = (began - context.now).total_seconds() if began else context.policy.evidence.warm_up_s
        return Blocked(Reason.WARMING_UP, f"warming up for {messages.span(max(1.0, left_s))} more")
    return None


def held_long_enough(context: PlanContext) -> Blocked | None:
    left_s = context.step.for_s - context.watched_s
    if left_s > 0:
        return Blocked(Reason.HOLDING, f"holding this weight for {messages.span(left_s)} more")
    return None


def sampled_lately(context: PlanContext) -> Blocked | None:
    """Let nothing pass on what was seen long ago."""
    unseen_s = context.since(context.release.sampled_at)
    if (
        not context.strategy.proves
        or context.release.sampled_at is None
        or not is_gap(context.policy.evidence, unseen_s)
    ):
        return None
    return Blocked(Reason.AFTER_GAP, f"no new sample for {messages.span(unseen_s)}")


def sampled_often_enough(context: PlanContext) -> Blocked | None:
    if not context.strategy.proves:
        return None
    left, gap_s = SAMPLES_MIN - context.release.samples_in_window, context.release.gap_s
    if left > 0 and gap_s:
        return Blocked(
            Reason.AFTER_GAP, f"no sample was taken for {messages.span(gap_s)}. Waiting for {left} new samples"
        )
    return Blocked(Reason.HOLDING, f"needs {left} more samples at this weight") if left > 0 else None


def nothing_was_cut(context: PlanContext) -> Blocked | None:
    """Let nothing pass while a sample says more of harm than one sample may."""
    states = context.release.evidence
    cut = [
        kpi.name
        for kpi in context.policy.kpis
        if not kpi.advisory and (states[kpi.name].harm.cut or ((bound := states[kpi.name].bound) and bound.cut))
    ]
    if not cut or not context.strategy.proves:
        return None
    candidate = context.status.candidate_version
    return Blocked(
        Reason.HOLDING, f"waiting for another sample: the last one is bad for {candidate} in {messages.listed(cut)}"
    )


def outcomes_were_seen(context: PlanContext) -> Blocked | None:
    if not context.strategy.proves:
        return None
    binding = [kpi.name for kpi in context.policy.kpis if not kpi.advisory]
    unseen = [name for name in binding if not context.release.evidence[name].seen]
    if not unseen:
        return None
    of = f"of {context.status.stable_version}" if context.is_preview else "of both versions at this weight"
    return Blocked(Reason.NO_DATA, f"no outcomes {of} yet for {messages.listed(unseen)}")


def candidate_was_seen(context: PlanContext) -> Blocked | None:
    """Let nothing be promoted that has answered nobody, also where there is nothing to compare it with."""
    if context.release.split.reached.candidate > 0 or any(
        state.all_c > 0 for state in context.release.evidence.values()
    ):
        return None
    return Blocked(Reason.NO_DATA, f"no outcomes of {context.status.candidate_version} yet")


def responses_are_alike(context: PlanContext) -> Blocked | None:
    """Let nothing pass on outcomes that the users of one version give more often than those of the other."""
    for kpi in context.policy.kpis if context.strategy.proves else ():
        responses = context.release.evidence[kpi.name].responses
        if responses is not None and responses.differ and not kpi.advisory:
            total = responses.total
            answered = (
                f"candidate {messages.rate(total.bad_c, total.all_c)}, stable {messages.rate(total.bad_s, total.all_s)}"
            )
            message = f"{kpi.name} is not compared: users of the two versions respond at different rates: {answered}"
            return Blocked(Reason.RESPONSES_DIFFER, message)
    return None


def share_is_confirmed(context: PlanContext) -> Blocked | None:
    release = context.release
    if not context.is_last_step or not context.strategy.proves or release.traffic.effective == "confirmed":
        return None
    reached = release.split.reached
    share = "nothing" if reached.share is None else messages.percent(reached.share)
    message = f"{messages.weight(release.traffic.wanted_bp)} wanted, {share} of {reached.everyone:.0f} requests seen"
    return Blocked(Reason.TRAFFIC_NOT_SHIFTING, f"waiting for the requests to confirm the split: {message}")


def baked_long_enough(context: PlanContext) -> Blocked | None:
    binding = [kpi.matures_s for kpi in context.policy.kpis if not kpi.advisory and context.strategy.proves]
    matures_s = max(binding, default=0.0)
    left_s = max(context.strategy.bake.for_s, matures_s) - context.watched_s
    if left_s > 0:
        return Blocked(Reason.BAKING, f"baking at 100 % for {messages.span(left_s)} more, reference: frozen")
    return None


def previewed_long_enough(context: PlanContext) -> Blocked | None:
    left_s = context.step.for_s - context.watched_s
    if left_s <= 0:
        return None
    header, candidate = context.release.traffic.preview_header, context.status.candidate_version
    how = f" (header {header}: {candidate})" if header else ""
    message = f"previewing {candidate}{how} for {messages.span(left_s)} more. No user traffic goes to it"
    return Blocked(Reason.PREVIEWING, message)
