"""Gates while a weight is watched: is it in force, long enough, and is nothing wrong?"""

from __future__ import annotations

from rollout.engine import words
from rollout.engine.closed import Closed
from rollout.engine.draft import Draft
from rollout.engine.looking import is_gap
from rollout.model.status import Reason

LOOKS_MIN = 3
"""Fewer looks than this are no observation, however long they took."""


def split_is_right(draft: Draft) -> Closed | None:
    if draft.status.undoing:
        return None  # what is left may hang, and then its requests are not counted
    share = draft.status.split.reached.share
    seen = "nothing seen" if share is None else f"{words.percent(share)} seen"
    wanted = words.weight(draft.status.traffic.wanted_bp)
    if draft.status.traffic.effective == "refuted":
        return Closed(Reason.TRAFFIC_NOT_SHIFTING, f"{wanted} is set but {seen}: the router does not split as told")
    if draft.status.split.ratio.mismatched:
        return Closed(Reason.SAMPLE_RATIO, f"{wanted} is set, {seen}: a mismatch this size is no chance")
    return None


def no_trouble(draft: Draft) -> Closed | None:
    if draft.status.trouble is None:
        return None
    return Closed(draft.status.trouble, draft.status.trouble_message)


def warmed_up(draft: Draft) -> Closed | None:
    began = draft.status.window_since
    if began is None or began > draft.now:
        left_s = (began - draft.now).total_seconds() if began else draft.policy.evidence.warm_up_s
        return Closed(Reason.WARMING_UP, f"warms up for {words.span(max(1.0, left_s))} more, before anything counts")
    return None


def held_long_enough(draft: Draft) -> Closed | None:
    left_s = draft.step.for_s - draft.watched_s
    if left_s > 0:
        return Closed(Reason.HOLDING, f"holds this weight for {words.span(left_s)} more")
    return None


def sampled_lately(draft: Draft) -> Closed | None:
    """Let nothing pass on what was seen long ago."""
    unseen_s = draft.since(draft.status.looked_at)
    if not draft.way.proves or draft.status.looked_at is None or not is_gap(draft.policy.evidence, unseen_s):
        return None
    return Closed(Reason.AFTER_GAP, f"no new sample for {words.span(unseen_s)}")


def looked_often_enough(draft: Draft) -> Closed | None:
    if not draft.way.proves:
        return None
    left, gap_s = LOOKS_MIN - draft.status.looks_in_window, draft.status.gap_s
    if left > 0 and gap_s:
        return Closed(Reason.AFTER_GAP, f"no sample was taken for {words.span(gap_s)}: needs {left} more since then")
    return Closed(Reason.HOLDING, f"needs {left} more looks at this weight") if left > 0 else None


def nothing_was_cut(draft: Draft) -> Closed | None:
    """Let nothing pass while a sample says more of harm than one sample may."""
    states = draft.status.evidence
    cut = [
        kpi.name
        for kpi in draft.policy.kpis
        if not kpi.advisory and (states[kpi.name].harm.cut or ((bound := states[kpi.name].bound) and bound.cut))
    ]
    if not cut or not draft.way.proves:
        return None
    candidate = draft.status.candidate_version
    return Closed(
        Reason.HOLDING, f"waits for another sample: the last one is bad for {candidate} in {words.listed(cut)}"
    )


def outcomes_were_seen(draft: Draft) -> Closed | None:
    if not draft.way.proves:
        return None
    binding = [kpi.name for kpi in draft.policy.kpis if not kpi.advisory]
    unseen = [name for name in binding if not draft.status.evidence[name].seen]
    if not unseen:
        return None
    of = f"of {draft.status.stable_version}" if draft.is_preview else "of both versions at this weight"
    return Closed(Reason.NO_DATA, f"no outcomes {of} yet for {words.listed(unseen)}")


def candidate_was_seen(draft: Draft) -> Closed | None:
    """Let nothing be promoted that has answered nobody, also where there is nothing to compare it with."""
    if draft.status.split.reached.candidate > 0 or any(state.all_c > 0 for state in draft.status.evidence.values()):
        return None
    return Closed(Reason.NO_DATA, f"no outcomes of {draft.status.candidate_version} yet")


def responses_are_alike(draft: Draft) -> Closed | None:
    """Let nothing pass on outcomes that the users of one version give more often than those of the other."""
    for kpi in draft.policy.kpis if draft.way.proves else ():
        responses = draft.status.evidence[kpi.name].responses
        if responses is not None and responses.differ and not kpi.advisory:
            total = responses.total
            told = f"{words.rate(total.bad_c, total.all_c)} and {words.rate(total.bad_s, total.all_s)} answered"
            message = f"{kpi.name} is given too differently to be compared, candidate and stable: {told}"
            return Closed(Reason.RESPONSES_DIFFER, message)
    return None


def share_is_confirmed(draft: Draft) -> Closed | None:
    if not draft.is_last_step or not draft.way.proves or draft.status.traffic.effective == "confirmed":
        return None
    reached = draft.status.split.reached
    share = "nothing" if reached.share is None else words.percent(reached.share)
    message = f"{words.weight(draft.status.traffic.wanted_bp)} wanted, {share} of {reached.everyone:.0f} requests seen"
    return Closed(Reason.TRAFFIC_NOT_SHIFTING, f"waits until the split is confirmed: {message}")


def baked_long_enough(draft: Draft) -> Closed | None:
    binding = [kpi.matures_s for kpi in draft.policy.kpis if not kpi.advisory and draft.way.proves]
    matures_s = max(binding, default=0.0)
    left_s = max(draft.way.bake.for_s, matures_s) - draft.watched_s
    if left_s > 0:
        return Closed(Reason.BAKING, f"bakes at 100 % for {words.span(left_s)} more, reference: frozen")
    return None


def previewed_long_enough(draft: Draft) -> Closed | None:
    left_s = draft.step.for_s - draft.watched_s
    if left_s <= 0:
        return None
    header, candidate = draft.status.traffic.preview_header, draft.status.candidate_version
    how = f" by the header {header}: {candidate}" if header else ""
    return Closed(
        Reason.PREVIEWING, f"{candidate} can be previewed{how}; no user is on it for {words.span(left_s)} more"
    )
