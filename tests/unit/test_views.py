"""What a rollout looks like for people: numbers and words, without a screen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollout.engine.analysis.judged import judged
from rollout.engine.commands.offered import offered
from rollout.model.agent_state import Axis, Census, Compatibility, CompatibilityVerdict, Finding, Severity
from rollout.model.status.decision import Decision, KpiFigures
from rollout.model.status.judged import JudgedKpi
from rollout.model.status.release import Release
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import HeldBy, Phase, Reason
from rollout.testing import EPOCH
from rollout.views import kpi, weights
from rollout.views.gates import gates
from rollout.views.listing import listed
from tests.dashboard import stores
from tests.world import World, policy


def decision(at_s: float, phase: Phase, weight_bp: int, kind="transition", share=None) -> Decision:
    at = EPOCH + timedelta(seconds=at_s)
    return Decision(
        at=at, phase=phase, step=0, weight_bp=weight_bp, kind=kind, reason=Reason.SETTLED, message="x", share=share
    )


PREFLIGHT = decision(0, Phase.PREFLIGHT, 0)


def drawn(*decisions, until_s=100.0, wanted_bp=None):
    """The weights that are drawn, as (seconds, share)."""
    series = weights.series(decisions, EPOCH, EPOCH + timedelta(seconds=until_s), wanted_bp)
    return [((at - EPOCH).total_seconds(), share) for at, share in series.intended]


def test_weights_hold_until_they_are_changed():
    assert drawn(PREFLIGHT, decision(10, Phase.SHIFTING, 1000), decision(50, Phase.SHIFTING, 5000)) == [
        (0.0, 0.0), (10.0, 0.1), (50.0, 0.5), (100.0, 0.5),
    ]  # fmt: skip


def test_a_promoted_candidate_keeps_what_it_has_once_nothing_is_shifted_any_more():
    ended = [
        PREFLIGHT,
        decision(10, Phase.BAKING, 10_000),
        decision(60, Phase.DRAINING, 0),
        decision(80, Phase.STABLE, 0),
    ]
    assert drawn(*ended)[-1] == (100.0, 1.0)


def test_a_rollback_ends_at_nothing():
    assert drawn(PREFLIGHT, decision(10, Phase.OBSERVING, 5000), decision(60, Phase.ROLLED_BACK, 0))[-1] == (100.0, 0.0)


def test_where_the_beginning_is_not_known_none_is_drawn():
    assert drawn(decision(40, Phase.OBSERVING, 5000))[0] == (40.0, 0.5)


def test_the_weight_that_is_wanted_now_ends_the_line():
    assert drawn(PREFLIGHT, decision(10, Phase.OBSERVING, 1000), wanted_bp=0)[-1] == (100.0, 0.0)


def test_dots_are_thinned_and_the_last_one_stays():
    samples = [decision(at, Phase.OBSERVING, 1000, "sample", share=at / 10_000) for at in range(5000)]
    seen = weights.series([PREFLIGHT, *samples], EPOCH, EPOCH + timedelta(seconds=5000)).seen
    assert len(seen) == weights.POINTS_MAX and seen[-1][1] == 4999 / 10_000


@pytest.mark.parametrize(
    ("e_value", "needed", "done"),
    [(1.0, 20.0, 0.0), (0.01, 20.0, 0.0), (20.0, 20.0, 1.0), (1e300, 20.0, 1.0), (float("inf"), 20.0, 1.0), (5.0, 0.0, 0.0), (20**0.5, 20.0, 0.5)],
)  # fmt: skip
def test_evidence_is_as_far_as_its_logarithm(e_value, needed, done):
    assert kpi.done(e_value, needed) == pytest.approx(done)


def figures(**changes) -> KpiFigures:
    usual = {
        "bad_c": 5,
        "all_c": 100,
        "bad_s": 10,
        "all_s": 400,
        "harm_e": 1.0,
        "proof_e": 4.5,
        "phi": 1.0,
        "verdict": "undecided",
    }
    return KpiFigures(**{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "worse", "proved"),
    [
        ({}, "no", "50 %"),
        ({"verdict": "worse", "harm_e": 90.0}, "yes", "50 %"),
        ({"harm_e": 33.0}, "suspected", "50 %"),
        ({"verdict": "acceptable", "proof_e": 20.0}, "no", "yes"),
        ({"verdict": "no-data", "all_c": 0}, "no data", "50 %"),
        ({"verdict": "source-error"}, "unreadable", "50 %"),
    ],
)
def test_plain_words_come_first(changes, worse, proved):
    view = kpi.view("errors", JudgedKpi(figures=figures(**changes), harm_limit=0.01, proof_limit=0.03), 20.0, 20.0)
    assert (view.worse, view.proved) == (worse, proved)


def test_what_is_not_asked_for_is_not_counted_as_missing():
    view = kpi.view("cost", JudgedKpi(figures=figures(), advisory=True, proof_limit=0.1), 20.0, 20.0)
    assert (view.proved, view.verdict, view.tone) == ("advisory", "advisory", "none")
    assert kpi.view("cost", JudgedKpi(figures=figures()), 20.0, 20.0).proved == "not asked for"


def test_limits_are_where_the_margin_has_them():
    world = stores.under_way(rate=40.0)
    errors = judged(world.policy, world.status.latest.evidence)["errors"]
    rate = errors.figures.bad_s / errors.figures.all_s
    assert errors.harm_limit == pytest.approx(0.1 * rate + 0.005) and errors.proof_limit == pytest.approx(
        0.5 * rate + 0.03
    )


def test_a_census_that_clears_a_finding_clears_the_gate():
    finding = Finding(
        code="NODE_REMOVED",
        direction=Axis.BACKWARD,
        severity=Severity.BREAK,
        pointer="/nodes/a",
        clearable=True,
        nodes=("a",),
    )
    verdict = CompatibilityVerdict(backward=Severity.BREAK, forward=Severity.OK, hop=Severity.OK, findings=(finding,))
    told = []
    for census in (None, Census(at=EPOCH, threads=5, complete=True)):
        release = Release(candidate_version="v2", state=Compatibility(verdict=verdict, census=census))
        told.append(next(gate for gate in gates(Status(release=release), policy()) if gate.name == "state contracts"))
    assert [gate.state for gate in told] == ["break", "ok"]


def test_what_needs_attention_is_listed_first():
    worlds = {"a-stable": World(), "b-active": stores.under_way(), "c-waits": stores.waiting_for_approval()}
    rollouts = [world.status_store.rollout for world in worlds.values()]
    lines = listed([*((rollout, "") for rollout in rollouts), (rollouts[0], "it cannot be read\nmore")])
    assert [(line.needs, line.active) for line in lines] == [(True, True), (True, False), (False, True), (False, False)]
    assert "it cannot be read" in {line.message for line in lines}


def status(phase: Phase, **changes) -> Status:
    return Status(phase=phase, stable_version="v1", release=Release(candidate_version="v2"), **changes)


@pytest.mark.parametrize(
    ("now", "verbs"),
    [
        (Status(stable_version="v1"), ()),
        (status(Phase.PREFLIGHT), ("pause", "abort")),
        (status(Phase.OBSERVING), ("promote", "pause", "abort")),
        (status(Phase.BAKING), ("promote", "pause", "abort")),
        (status(Phase.SHIFTING, reason=Reason.WINDOW_CLOSED), ("approve", "pause", "abort")),
        (status(Phase.PAUSED, held_by=HeldBy.HUMAN, resume_to=Phase.OBSERVING), ("promote", "resume", "abort")),
        (status(Phase.PAUSED, held_by=HeldBy.APPROVAL, resume_to=Phase.SHIFTING), ("approve", "abort")),
        (status(Phase.PAUSED, held_by=HeldBy.SPEC, resume_to=Phase.OBSERVING), ("abort",)),
        (status(Phase.FROZEN), ("abort",)),
        (status(Phase.ROLLING_BACK), ()),
        (status(Phase.ROLLED_BACK), ()),
        (status(Phase.DRAINING), ()),
    ],
)
def test_only_verbs_that_make_sense_now_are_offered(now, verbs):
    assert offered(now) == verbs
