"""Gates: what must hold before a rollout moves on. Each is a function of the draft; a chain reads as a table.

A gate answers with why it is closed, or with None. The first closed one is what the rollout waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from rollout.engine import words
from rollout.engine.draft import Draft
from rollout.engine.evidence import dispersion
from rollout.engine.judge import must_prove
from rollout.engine.route import in_force, wanted_route
from rollout.model.evidence import KpiEvidence, Verdict
from rollout.model.policy import Kpi
from rollout.model.status import Reason
from rollout.model.units import FULL_BP
from rollout.stats import promotion_requests

LOOKS_MIN = 3
"""Fewer looks than this are no observation, however long they took."""


REFERENCE_MAX = 0.5
"""A frozen reference above this would excuse nearly anything; a human must take it from there."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Why a gate is closed."""

    reason: Reason
    message: str


Gate = Callable[[Draft], Closed | None]


def first_closed(gates: tuple[Gate, ...], draft: Draft) -> Closed | None:
    """Return the first closed gate's answer."""
    for gate in gates:
        if (closed := gate(draft)) is not None:
            return closed
    return None


# --- before any traffic -----------------------------------------------------------------------------------------


def versions_have_backends(draft: Draft) -> Closed | None:
    for version in (draft.status.stable_version, draft.status.candidate_version):
        if version not in draft.facts.versions:
            return Closed(Reason.NOT_READY, f"{version} has no endpoint: add one to spec.backends.endpoints")
    return None


def versions_are_ready(draft: Draft) -> Closed | None:
    for version in (draft.status.stable_version or "", draft.status.candidate_version or ""):
        if problem := draft.facts.ready.get(version):
            return Closed(Reason.NOT_READY, f"{version} is not ready: {problem}")
    return None


def route_is_in_force(draft: Draft) -> Closed | None:
    wanted = wanted_route(draft.status)
    if wanted is None:
        return Closed(Reason.STABLE_UNKNOWN, "no stable version is known")
    if in_force(wanted, draft.facts.routes):
        return None
    down = [route for route in draft.facts.routes if not route.reachable]
    if down:
        return Closed(Reason.ROUTER_DOWN, f"the router {down[0].name} does not answer: {down[0].problem}")
    return Closed(Reason.WEIGHT_PENDING, f"waits for the router to carry out: {wanted}")


def metrics_can_be_read(draft: Draft) -> Closed | None:
    if draft.facts.round is None:
        return Closed(Reason.CHECKING, "reads the metrics once before any traffic moves")
    for name, reading in draft.facts.round.kpis.items():
        if reading.problem:
            return Closed(Reason.SOURCE_ERROR, f"{name} cannot be read: {reading.problem}")
    return None


# --- while a step is watched ------------------------------------------------------------------------------------


def split_is_right(draft: Draft) -> Closed | None:
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
    left_s = draft.step.for_s - draft.since(draft.status.window_since)
    if left_s > 0:
        return Closed(Reason.HOLDING, f"holds this weight for {words.span(left_s)} more")
    return None


def looked_often_enough(draft: Draft) -> Closed | None:
    left = LOOKS_MIN - draft.status.looks_in_window
    return Closed(Reason.HOLDING, f"needs {left} more looks at this weight") if left > 0 else None


def outcomes_were_seen(draft: Draft) -> Closed | None:
    binding = [kpi.name for kpi in draft.policy.kpis if not kpi.advisory]
    unseen = [name for name in binding if not draft.status.evidence[name].seen]
    if not unseen:
        return None
    return Closed(Reason.NO_DATA, f"no outcomes of both versions at this weight yet for {words.listed(unseen)}")


def evidence_is_in(draft: Draft) -> Closed | None:
    if draft.step.until != "evidence" and not draft.is_last_step:
        return None
    states = draft.status.evidence
    open_kpis = [kpi for kpi in must_prove(draft.policy) if states[kpi.name].verdict is not Verdict.ACCEPTABLE]
    if not open_kpis:
        return None
    told = "; ".join(_still_needed(draft, kpi, states[kpi.name]) for kpi in open_kpis)
    return Closed(Reason.COLLECTING, f"collects evidence that {draft.status.candidate_version} is no worse: {told}")


def _still_needed(draft: Draft, kpi: Kpi, state: KpiEvidence) -> str:
    text = f"{kpi.name} {words.evidence(state.proof.e_value)} of {words.evidence(draft.thresholds.proof)}"
    margin = kpi.proof_margin
    if margin is None or margin.odds_ratio is not None or state.all_s <= 0 or not draft.status.traffic.wanted_bp:
        return text
    rate = (state.bad_c + state.bad_s) / (state.all_c + state.all_s)
    share = draft.status.traffic.wanted_bp / FULL_BP
    phi = dispersion(state, draft.policy.evidence)
    needed = promotion_requests(min(rate, 1.0), margin.rate, share, 1.0 / draft.thresholds.proof, phi)
    if needed == inf:
        return f"{text} (cannot be proved while {words.percent(rate)} fail: widen promotionMargin)"
    left = max(1.0, needed - state.all_c)
    return f"{text} (about {left:.0f} more requests of {draft.status.candidate_version})"


def share_is_confirmed(draft: Draft) -> Closed | None:
    if not draft.is_last_step or draft.status.traffic.effective == "confirmed":
        return None
    reached = draft.status.split.reached
    share = "nothing" if reached.share is None else words.percent(reached.share)
    message = f"{words.weight(draft.status.traffic.wanted_bp)} wanted, {share} of {reached.everyone:.0f} requests seen"
    return Closed(Reason.TRAFFIC_NOT_SHIFTING, f"waits until the split is confirmed: {message}")


def baked_long_enough(draft: Draft) -> Closed | None:
    left_s = draft.policy.canary.bake.for_s - draft.since(draft.status.window_since)
    if left_s > 0:
        return Closed(Reason.BAKING, f"bakes at 100 % for {words.span(left_s)} more, reference: frozen")
    return None


def reference_is_known(draft: Draft) -> Closed | None:
    unknown = [
        kpi.name
        for kpi in must_prove(draft.policy)
        if (draft.status.evidence[kpi.name].frozen_bound or 0.0) >= REFERENCE_MAX
    ]
    if not unknown:
        return None
    message = f"stable was used too little in this rollout to know its rate of {words.listed(unknown)}, so nothing at"
    return Closed(Reason.UNDECIDED, f"{message} 100 % could show that {draft.status.candidate_version} is worse")


PREFLIGHT: tuple[Gate, ...] = (
    versions_have_backends,  # both can be reached at all
    route_is_in_force,  # the router answers and sends everything to stable
    versions_are_ready,  # both answer
    metrics_can_be_read,  # and can be judged, each by itself
)

PREFLIGHT_BETWEEN_LOOKS: tuple[Gate, ...] = PREFLIGHT[:2]
"""What can be told without a look: endpoints and metrics are read only when one is due."""

STEP: tuple[Gate, ...] = (
    route_is_in_force,  # what we asked for is what the router does
    no_trouble,  # environment, source, data: as the policy says
    split_is_right,  # and the requests show it
    warmed_up,  # cold caches are no regression
    held_long_enough,  # the policy's `for`
    looked_often_enough,  # at least three looks
    outcomes_were_seen,  # no data is never success
    evidence_is_in,  # `until: evidence`, and always before promotion
    share_is_confirmed,  # before promotion: the candidate really had its share
)

BAKE: tuple[Gate, ...] = (
    route_is_in_force,
    no_trouble,
    split_is_right,
    warmed_up,
    baked_long_enough,
    outcomes_were_seen,
    reference_is_known,
    share_is_confirmed,
)
