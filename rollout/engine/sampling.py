"""One sample: counters in, evidence out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rollout.engine.analysis.counters import REQUESTS, SPEND, TimedIncrement, responses_of, take
from rollout.engine.analysis.evidence import CountedSample, after_sample
from rollout.engine.analysis.gaps import is_gap
from rollout.engine.analysis.lifecycle import split_after
from rollout.engine.analysis.schedule import SOONEST_S, at_once, moved_far, next_sample
from rollout.engine.analysis.verdict import judge_all, with_verdicts
from rollout.engine.context import PlanContext
from rollout.engine.conversations.arrival import counted_arrival
from rollout.engine.conversations.pins import is_one_way
from rollout.engine.facts import Round
from rollout.engine.gates.progress import SAMPLES_MIN
from rollout.engine.routes.drift import wrong_split
from rollout.engine.start import open_window
from rollout.engine.transitions import OBSERVED
from rollout.model.status.traffic import Effective
from rollout.model.status.vocabulary import Phase
from rollout.stats import Increment, Reached


def take_sample(context: PlanContext) -> None:
    """Take one round of counters into the evidence."""
    round_ = context.facts.round
    if round_ is None or context.status.phase not in OBSERVED or not context.release.evidence:
        return
    if context.release.sampled_at is not None and context.now < context.release.sampled_at:
        open_window(context)  # the clock stepped back: how long anything took is unknown
    if _has_nothing_new(context, round_):
        context.update_release(
            next_sample_at=_next_sample(context, context.release.samples_in_window, far=_awaits_more(context)),
            unready_samples=context.release.unready_samples + 1 if _candidate_down(context) else 0,
        )
        return
    _note_gap(context)
    policy = context.policy
    ledger, timed = take(context.release.counters, round_, context.now)
    elapsed_s = context.since(context.release.sampled_at)
    increments = {name: gained.increment for name, gained in timed.items() if _in_window(context, gained.since)}
    evidence = after_sample(context.release.evidence, policy, _counted_sample(context, timed, elapsed_s))
    split = context.release.split
    if context.release.traffic.applied_at is not None:
        # Where started conversations are pinned, only their first requests are split: each is a decision of its own.
        turns = 1 if is_one_way(context) else context.spec.conversations.turns
        split = split_after(split, increments.get(REQUESTS), context.release.traffic.wanted_bp, turns, elapsed_s)
    judgement = judge_all(policy, evidence, context.thresholds)
    samples_in_window = context.release.samples_in_window + (1 if increments else 0)
    far = moved_far(context.release.harm_e, judgement.harm_e, context.thresholds.harm)
    context.update_release(
        counters=ledger,
        evidence=with_verdicts(policy, evidence, judgement, context.thresholds, round_),
        split=split,
        arrival=counted_arrival(context, timed),
        harm_e=judgement.harm_e,
        culprits=judgement.culprits,
        environment=judgement.environment,
        sampled_at=context.now,
        next_sample_at=_next_sample(context, samples_in_window, far=far),
        samples_in_window=samples_in_window,
        unready_samples=context.release.unready_samples + 1 if _candidate_down(context) else 0,
        traffic=context.release.traffic.changed(effective=_effective(split.reached)),
        spent=context.release.spent + (timed[SPEND].increment.all_c if SPEND in timed else 0.0),
    )
    if wrong_split(context.status) and context.release.traffic.off_since is None and not context.release.undoing:
        context.update_traffic(off_since=context.now)
    context.record(
        "sample",
        message=_tell(increments, {kpi.name for kpi in policy.kpis})
        if increments
        else "nothing counted: the weight was not steady since the last sample",
    )


def _next_sample(context: PlanContext, samples_in_window: int, *, far: bool) -> datetime:
    """Return when the next sample is due: a step lasts what it declares, also where the interval is longer.

    Args:
        far: whether the evidence has moved so far that the next one may decide.
    """
    baking = context.status.phase is Phase.BAKING
    held_s = context.strategy.bake.for_s if baking else context.step.for_s
    needed = SAMPLES_MIN - samples_in_window
    settings, is_shared = context.policy.evidence, context.facts.resource.is_watched
    due = next_sample(context.release, settings, held_s, needed, context.now, is_shared=is_shared)
    return at_once(settings, due, context.now) if far else due


def _awaits_more(context: PlanContext) -> bool:
    """Whether this sample was due at once, and its source had nothing new yet: it is asked again at once, for a while.

    After one interval it is asked as usual: a source that is scraped less often has nothing new all the time.
    """
    release, every_s = context.release, context.policy.evidence.sample_every_s
    if release.sampled_at is None or release.next_sample_at is None or context.since(release.sampled_at) >= every_s:
        return False
    return every_s > SOONEST_S and (release.next_sample_at - release.sampled_at).total_seconds() < every_s / 2


def _has_nothing_new(context: PlanContext, round_: Round) -> bool:
    """Whether a round has the very samples of the one before: then nothing was seen of what happened since."""
    readings = [*round_.kpis.values(), *round_.responses.values(), round_.requests]
    readable = not any(reading.problem for reading in readings)
    return readable and round_.mark != "" and round_.mark == context.release.counters.mark


def _note_gap(context: PlanContext) -> None:
    """Time without a sample does not count as time at this weight: sampling begins anew after it.

    What happened meanwhile is counted as evidence all the same: one sample may raise it only so far.
    """
    release, every_s = context.release, context.policy.evidence.sample_every_s
    unseen_s = context.since(release.sampled_at) - every_s
    if (
        release.sampled_at is None
        or release.window_since is None
        or not is_gap(context.policy.evidence, unseen_s + every_s)
    ):
        return
    at_this_weight_s = min(unseen_s, context.since(release.window_since))
    context.update_release(gap_s=release.gap_s + at_this_weight_s, samples_in_window=0)
    context.record("sample", message=f"no sample was taken for {unseen_s + every_s:.0f} s, though one was due")


def _counted_sample(context: PlanContext, timed: Mapping[str, TimedIncrement], elapsed_s: float) -> CountedSample:
    """Return what may count: increments that lie wholly in the window; they prove something once they are mature."""
    counted = {name: gained for name, gained in timed.items() if _in_window(context, gained.since)}
    began = context.release.window_since
    mature = frozenset(
        kpi.name
        for kpi in context.policy.kpis
        if began is not None
        and kpi.name in counted
        and (counted[kpi.name].since - began).total_seconds() >= kpi.matures_s
    )
    return CountedSample(
        increments={name: gained.increment for name, gained in counted.items()},
        elapsed_s=elapsed_s,
        responses={
            kpi.name: counted[responses_of(kpi.name)].increment
            for kpi in context.policy.kpis
            if responses_of(kpi.name) in counted
        },
        mature=mature,
        preview=context.is_preview,
        proves_alone=context.strategy.switches,
    )


def _in_window(context: PlanContext, since: datetime) -> bool:
    """Whether an increment that began at `since` lies wholly inside the window in which the weight is steady."""
    began = context.release.window_since
    return began is not None and since >= began


def _effective(reached: Reached) -> Effective:
    if reached.refuted:
        return "refuted"
    return "confirmed" if reached.confirmed else "unconfirmed"


def _candidate_down(context: PlanContext) -> bool:
    status, ready = context.status, context.facts.ready
    candidate, stable = status.candidate_version or "", status.stable_version or ""
    used = context.release.traffic.wanted_bp > 0 or context.is_preview
    return used and bool(ready.get(candidate)) and not ready.get(stable)


def _tell(increments: Mapping[str, Increment], names: set[str]) -> str:
    parts = [
        f"{name} {gained.bad_c:g}/{gained.all_c:g} {gained.bad_s:g}/{gained.all_s:g}"
        for name, gained in increments.items()
        if name in names
    ]
    return "candidate, stable: " + ", ".join(parts) if parts else "no counter could be read"
