"""Intervals, means and response rates: they cover, they find, they keep quiet."""

from __future__ import annotations

import math
import random

import pytest

from rollout.stats import MEANS_HARM, MEANS_PROOF, Batches, Difference, Increment, Responses, start


def binomial(chance: random.Random, n: int, p: float) -> int:
    return sum(chance.random() < p for _ in range(n))


def compared(
    p_c: float, p_s: float, seed: int, increments: int = 60, all_c: int = 30, all_s: int = 90
) -> list[tuple[float, float]]:
    """The interval after every fifth increment."""
    chance, state, seen = random.Random(seed), Difference(), []
    for increment in range(increments):
        state = state.after(Increment(binomial(chance, all_c, p_c), all_c, binomial(chance, all_s, p_s), all_s), 1.0)
        if increment % 5 == 4:
            seen.append(state.interval(0.05))
    return seen


@pytest.mark.parametrize(("p_c", "p_s"), [(0.05, 0.05), (0.2, 0.05), (0.3, 0.4), (0.01, 0.0)])
def test_the_interval_of_a_difference_covers_it_at_every_increment_at_once(p_c, p_s):
    missed = sum(any(not low <= p_c - p_s <= high for low, high in compared(p_c, p_s, seed)) for seed in range(60))
    assert missed <= 3 + 3, "5 % of 60, and chance"


def test_the_interval_narrows_with_what_was_seen_and_finds_a_difference():
    seen = compared(0.2, 0.05, seed=1)
    widths = [high - low for low, high in seen]
    assert widths[-1] < widths[0] / 2
    assert seen[-1][0] > 0.05 and seen[-1][1] < 0.3


def test_the_interval_of_nothing_is_everything():
    assert Difference().interval(0.05) == (-1.0, 1.0)
    assert Difference().after(Increment(0, 0, 3, 50), 1.0) == Difference(), "one version alone is no comparison"


def test_drift_that_hits_both_versions_does_not_move_the_interval_off_zero():
    chance, state = random.Random(3), Difference()
    for increment in range(200):
        p = 0.02 * (1 + 2 * increment / 200)
        state = state.after(Increment(binomial(chance, 40, p), 40, binomial(chance, 40, p), 40), 1.0)
    low, high = state.interval(0.05)
    assert low < 0 < high and high - low < 0.05


def costs(chance: random.Random, count: int, mean: float) -> float:
    """The sum of heavy-tailed costs: lognormal with a coefficient of variation of 1.3."""
    sigma = math.sqrt(math.log(1 + 1.3**2))
    return sum(mean * chance.lognormvariate(-sigma * sigma / 2, sigma) for _ in range(count))


def judged(effect: float, seed: int, increments: int = 120, ratio: float = 1.1, proof_ratio: float = 1.25):
    chance, state = random.Random(seed), Batches()
    harm, proof = start(MEANS_HARM, restarts=True), start(MEANS_PROOF, restarts=False)
    for increment in range(increments):
        price = 1 + increment / increments  # dearer for both alike
        seen = Increment(costs(chance, 20, price * effect), 20, costs(chance, 20, price), 20)
        before = state
        state, batch = state.after(seen)
        if batch is not None:
            harm = harm.after(MEANS_HARM, before.log_es(batch, ratio, MEANS_HARM), 60.0)
            proof = proof.after(MEANS_PROOF, before.log_es(batch, proof_ratio, MEANS_PROOF), 60.0)
    return harm.e_value, proof.e_value, state


def test_a_dearer_version_is_found_by_its_mean_and_an_equal_one_is_not():
    equal = [judged(1.0, seed) for seed in range(30)]
    dearer = [judged(1.5, seed) for seed in range(30)]
    assert sum(harm >= 20 for harm, _, _ in equal) <= 2
    assert sum(harm >= 20 for harm, _, _ in dearer) >= 27


def test_an_equal_version_is_proved_and_one_at_the_margin_is_not():
    assert sum(proof >= 20 for _, proof, _ in (judged(1.0, seed) for seed in range(30))) >= 25
    assert sum(proof >= 20 for _, proof, _ in (judged(1.25, seed) for seed in range(30))) <= 4


def test_the_interval_of_a_ratio_of_means_covers_it_and_waits_for_ten_batches():
    inside = 0
    for seed in range(30):
        low, high = judged(1.2, seed)[2].interval(0.05)
        inside += low <= 0.2 <= high
        assert high - low < 0.5
    assert inside >= 25
    assert Batches().interval(0.05) == (-1.0, math.inf)


def test_a_batch_waits_for_enough_outcomes_of_both_and_forgets_at_a_change_of_weight():
    state, batch = Batches().after(Increment(100.0, 29, 500.0, 300))
    assert batch is None
    _, batch = state.after(Increment(5.0, 1, 0.0, 0))
    assert batch == Increment(105.0, 30, 500.0, 300)
    assert state.interrupted().pending == Increment(0.0, 0.0, 0.0, 0.0)
    assert Batches().log_es(batch, 1.1, MEANS_HARM) == [0.0] * 6, "the first batch only sets the scale"


def responses(share_c: float, share_s: float, seed: int) -> Responses:
    chance, state = random.Random(seed), Responses()
    for _ in range(120):
        state = state.after(Increment(binomial(chance, 30, share_c), 30, binomial(chance, 90, share_s), 90), 2.0, 60.0)
    return state


def test_users_who_respond_equally_often_are_compared():
    assert not any(responses(0.1, 0.1, seed).differ for seed in range(20))
    assert not any(responses(0.11, 0.1, seed).differ for seed in range(20)), "a little more is no matter"


@pytest.mark.parametrize(("share_c", "share_s"), [(0.3, 0.1), (0.1, 0.3)])
def test_users_who_respond_far_more_often_for_one_version_are_not(share_c, share_s):
    assert all(responses(share_c, share_s, seed).differ for seed in range(10))


def test_one_outlier_neither_proves_nor_destroys_anything():
    chance, state, proof = random.Random(5), Batches(), start(MEANS_PROOF, restarts=False)
    for increment in range(120):
        spike = 1000.0 if increment == 20 else 0.0
        seen = Increment(costs(chance, 40, 1.0) + spike, 40, costs(chance, 40, 1.0), 40)
        before = state
        state, batch = state.after(seen)
        assert batch is not None
        proof = proof.after(MEANS_PROOF, before.log_es(batch, 1.25, MEANS_PROOF), 60.0)
    assert proof.e_value >= 20
