"""The e-values are exact: E[e] <= 1 under the null, by enumerating every outcome of small increments."""

import itertools
from math import comb, exp, inf, isfinite, log

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rollout.stats import (
    HARM,
    PROOF,
    Dispersion,
    Increment,
    RateMargin,
    Reached,
    SampleRatio,
    Weighted,
    average,
    bound_evidence,
    culprits,
    from_history,
    log_e,
    odds_evidence,
    promotion_requests,
    rate_evidence,
    scale_odds,
    start,
    upper_bound,
)
from rollout.stats.oddsratio import log_normaliser
from rollout.stats.share import GRID


def binomial(n: int, p: float) -> list[float]:
    return [comb(n, x) * p**x * (1 - p) ** (n - x) for x in range(n + 1)]


def increments(all_c: int, all_s: int, p_c: float, p_s: float):
    """Every outcome of one increment with its probability."""
    for (bad_c, a), (bad_s, b) in itertools.product(enumerate(binomial(all_c, p_c)), enumerate(binomial(all_s, p_s))):
        yield a * b, Increment(bad_c, all_c, bad_s, all_s)


MARGINS = [RateMargin(1, 0), RateMargin(1.1, 0.0005), RateMargin(1.5, 0.05), RateMargin(1, 0.2)]


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("phi", [1.0, 2.0, 5.5])
@pytest.mark.parametrize("p_s", [0.001, 0.05, 0.3, 0.6])
def test_the_two_sample_e_value_is_at_most_one_on_average_under_the_null(margin, phi, p_s):
    worst = margin.ratio * p_s + margin.excess
    for all_c, all_s in ((1, 1), (3, 5), (6, 2)):
        for bet in HARM.bets:
            if worst <= 1:
                mean = sum(
                    p * exp(log_e(increment, bet, margin, phi)) for p, increment in increments(all_c, all_s, worst, p_s)
                )
                assert mean <= 1 + 1e-12, (bet, all_c, all_s)
        for bet in PROOF.bets:
            if worst <= 1:
                mean = sum(
                    p * exp(log_e(increment, bet, margin, phi)) for p, increment in increments(all_c, all_s, worst, p_s)
                )
                assert mean <= 1 + 1e-12, (bet, all_c, all_s)


def test_the_two_sample_e_value_grows_when_the_null_is_wrong():
    """Without this, an e-value of constantly 1 would pass every test of exactness."""
    mean = sum(p * log_e(increment, 3.0, RateMargin(), 1.0) for p, increment in increments(6, 6, 0.5, 0.1))
    assert mean > 0.05
    mean = sum(p * log_e(increment, 0.5, RateMargin(1, 0.2), 1.0) for p, increment in increments(6, 6, 0.1, 0.1))
    assert mean > 0.05


@pytest.mark.parametrize("phi", [3.0, 5.0])
def test_the_kernel_is_exact_for_geometric_clusters_of_its_dispersion(phi):
    """Clusters ~ Poisson, sizes geometric with mean J = (phi + 1) / 2: E[s^x] is known in closed form."""
    size = (phi + 1) / 2
    increment = Increment(0, 40, 0, 60)
    for bet, p in itertools.product(HARM.bets + PROOF.bets, (0.01, 0.1)):
        log_s_c = log_e(Increment(1, 40, 0, 60), bet, RateMargin(), phi) - log_e(increment, bet, RateMargin(), phi)
        log_s_s = log_e(Increment(0, 40, 1, 60), bet, RateMargin(), phi) - log_e(increment, bet, RateMargin(), phi)
        total = 0.0
        for all_, log_s in ((40, log_s_c), (60, log_s_s)):
            s = exp(log_s)
            assert s * (1 - 1 / size) < 1, "the generating function of a cluster's size exists"
            generating = s / size / (1 - s * (1 - 1 / size))
            total += all_ * p / size * (generating - 1)
        assert total == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("psi", [0.5, 1.0, 1.5])
def test_the_odds_ratio_e_value_averages_to_one_at_its_margin(psi):
    p_s = 0.4
    p_c = scale_odds(p_s, psi)
    for all_c, all_s in ((4, 6), (7, 3)):
        for index in range(len(HARM.bets)):
            mean = sum(
                p * exp(odds_evidence(increment, HARM, psi, 1.0)[index])
                for p, increment in increments(all_c, all_s, p_c, p_s)
            )
            assert mean == pytest.approx(1.0, abs=1e-9)


def test_the_odds_ratio_null_is_one_sided():
    for grid, factor in ((HARM, 0.7), (PROOF, 1.4)):
        for index in range(len(grid.bets)):
            mean = sum(
                p * exp(odds_evidence(increment, grid, 1.0, 1.0)[index])
                for p, increment in increments(5, 5, scale_odds(0.4, factor), 0.4)
            )
            assert mean <= 1 + 1e-12


@given(st.integers(0, 60), st.integers(0, 60), st.data())
def test_the_normaliser_agrees_with_the_plain_sum(all_c, all_s, data):
    failures = data.draw(st.integers(0, all_c + all_s))
    psi = data.draw(st.floats(0.01, 50))
    low, high = max(0, failures - all_s), min(all_c, failures)
    plain = log(sum(comb(all_c, x) * comb(all_s, failures - x) * psi**x for x in range(low, high + 1)))
    assert log_normaliser(all_c, all_s, failures, psi) == pytest.approx(plain, rel=1e-9, abs=1e-9)


def test_the_odds_ratio_kernel_bears_large_counts():
    found = odds_evidence(Increment(4_000_000, 10_000_000, 4_000_000, 10_000_000), HARM, 1.0, 1.0)
    assert all(isfinite(each) and each < 0 for each in found)


def test_the_odds_ratio_kernel_refuses_more_failures_than_trials():
    with pytest.raises(ValueError, match="more failures"):
        odds_evidence(Increment(5, 3, 0, 3), HARM, 1.0, 1.0)


@pytest.mark.parametrize("bound", [0.01, 0.2, 0.5])
def test_the_one_sample_e_value_is_exact_at_its_bound_and_below_one_inside(bound):
    for index in range(len(HARM.bets)):
        at = sum(p * exp(bound_evidence(x, 9, bound, 1.0)[index]) for x, p in enumerate(binomial(9, bound)))
        inside = sum(p * exp(bound_evidence(x, 9, bound, 1.0)[index]) for x, p in enumerate(binomial(9, bound / 2)))
        assert at == pytest.approx(1.0, abs=1e-9) and inside < 1.0


def test_the_upper_bound_covers_at_any_time():
    """At each of many increments the bound is computed anew; it may miss the true rate in at most 1 % of the runs."""
    import random

    chance, missed = random.Random(7), 0
    for _ in range(400):
        bad = all_ = 0
        for _ in range(30):
            all_ += 20
            bad += sum(chance.random() < 0.05 for _ in range(20))
            if upper_bound(bad, all_, 0.01, 1.0) < 0.05:
                missed += 1
                break
    assert missed <= 12  # 99.9 % quantile of a binomial with 400 runs at 1 %
    assert upper_bound(0, 0, 0.01, 1.0) == 1.0
    assert 0.05 < upper_bound(50, 1000, 0.01, 1.0) < 0.09


@given(st.integers(1, 10**7), st.floats(0.0, 1.0), st.sampled_from([0.05, 0.01, 1e-4]), st.sampled_from([1.0, 3.0]))
def test_the_upper_bound_is_the_smallest_one_that_the_mixture_refutes(trials, rate, miss, phi):
    bad = round(trials * rate)

    def refuted(bound):
        logs = bound_evidence(bad, trials, bound, phi, PROOF)
        return sum(share * exp(each) for share, each in zip(PROOF.prior, logs, strict=True)) >= 1 / miss

    bound = upper_bound(bad, trials, miss, phi)
    smaller = bound * (1 - 2e-6)
    assert bound == 1.0 or refuted(bound)
    assert smaller <= bad / trials or not refuted(smaller)


def test_wealth_keeps_its_mean_under_any_increment_and_is_capped():
    wealth = start(HARM, restarts=True)
    assert wealth.e_value == pytest.approx(1.0)
    same = wealth.after(HARM, [0.0] * 9, 600.0)
    assert same.e_value == pytest.approx(1.0), "releasing cash moves money, it does not make any"
    assert wealth.after(HARM, [50.0] * 9, 60.0).e_value == pytest.approx(5.0)
    twice = wealth.after(HARM, [50.0] * 9, 60.0).after(HARM, [50.0] * 9, 60.0)
    assert twice.e_value == pytest.approx(25.0)


def test_one_increment_however_extreme_can_never_roll_back_alone():
    increment = Increment(10_000_000, 10_000_000, 0, 10_000_000)
    wealth = start(HARM, restarts=True).after(HARM, rate_evidence(increment, HARM, RateMargin(), 1.0), 60.0)
    assert wealth.e_value == pytest.approx(5.0)


@given(
    st.lists(
        st.tuples(st.floats(0, 1e7), st.floats(0, 1e7), st.floats(0, 1e7), st.floats(0, 1e7), st.floats(0, 1e6)),
        max_size=30,
    ),
    st.floats(1, 100),
)
def test_evidence_stays_finite_and_positive_whatever_is_counted(rows, phi):
    harm, proof, dispersion = start(HARM, restarts=True), start(PROOF, restarts=False), Dispersion()
    for bad_c, all_c, bad_s, all_s, elapsed_s in rows:
        increment = Increment(bad_c, all_c, bad_s, all_s)
        harm = harm.after(HARM, rate_evidence(increment, HARM, RateMargin(1.1, 0.001), phi), elapsed_s)
        proof = proof.after(PROOF, rate_evidence(increment, PROOF, RateMargin(1.5, 0.01), phi), elapsed_s)
        dispersion = dispersion.after(increment)
        assert isfinite(harm.e_value) and harm.e_value >= 0.0
        assert isfinite(proof.e_value) and proof.e_value >= 0.0
        assert isfinite(dispersion.phi) and dispersion.phi >= 1.0


def test_a_regression_that_begins_late_is_found_sooner_with_restarts():
    def looks_until_alarm(*, restarts: bool) -> int:
        wealth, count = start(HARM, restarts=restarts), 0
        for _ in range(300):
            wealth = wealth.after(HARM, rate_evidence(Increment(2, 100, 8, 400), HARM, RateMargin(), 1.0), 60.0)
        while wealth.e_value < 20:
            wealth = wealth.after(HARM, rate_evidence(Increment(6, 100, 8, 400), HARM, RateMargin(), 1.0), 60.0)
            count += 1
        return count

    assert looks_until_alarm(restarts=True) < looks_until_alarm(restarts=False)


def test_what_happens_to_both_versions_alike_gives_no_evidence():
    wealth = start(HARM, restarts=True)
    for rate in (0.01, 0.1, 0.5, 0.02, 0.3):
        increment = Increment(rate * 100, 100, rate * 900, 900)
        wealth = wealth.after(HARM, rate_evidence(increment, HARM, RateMargin(), 1.0), 60.0)
        assert wealth.e_value < 1.05


def test_an_increment_of_one_version_alone_says_nothing():
    for increment in (Increment(5, 10, 0, 0), Increment(0, 0, 5, 10)):
        assert rate_evidence(increment, HARM, RateMargin(), 1.0) == [0.0] * 9
        assert odds_evidence(increment, HARM, 1.0, 1.0) == [0.0] * 9


def test_dispersion_learns_clusters_and_forgets_nothing_of_the_prior_at_once():
    import random

    chance = random.Random(3)

    def poisson(mean: float) -> int:
        limit, product, count = exp(-mean), chance.random(), 0
        while product > limit:
            product *= chance.random()
            count += 1
        return count

    def clustered(mean: float, size: int) -> int:
        return poisson(mean / size) * size

    calm, wild = Dispersion(), Dispersion()
    assert calm.phi == 2.0
    for _ in range(400):
        calm = calm.after(Increment(poisson(20), 1000, poisson(20), 1000))
        wild = wild.after(Increment(clustered(20, 4), 1000, clustered(20, 4), 1000))
    assert 1.0 <= calm.phi < 1.25
    assert 3.0 < wild.phi < 5.0


def test_dispersion_takes_neither_a_regression_nor_its_onset_for_noise():
    state = Dispersion()
    for bad_c in [100] * 50 + [200] * 50:
        state = state.after(Increment(bad_c, 10_000, 100, 10_000))
    assert state.phi < 2.5


def test_dispersion_does_not_compare_across_a_change_of_weight():
    state = Dispersion().after(Increment(10, 100, 90, 900)).interrupted().after(Increment(50, 500, 50, 500))
    assert state.phi == 2.0 and state.blocks == 0


def test_history_measures_dispersion_between_instances():
    even = [[(5.0, 100.0), (5.0, 100.0)]] * 20
    lumpy = [[(10.0, 100.0), (0.0, 100.0)], [(0.0, 100.0), (10.0, 100.0)]] * 10
    assert from_history(even) == 1.0
    assert from_history(lumpy) == pytest.approx(10.0)
    assert from_history([[(3.0, 10.0), (0.0, 10.0)]]) == 2.0, "too few failures to know"
    assert from_history([[(30.0, 100.0)]] * 20) == 2.0, "one instance cannot be compared with itself"


def test_the_sample_ratio_e_value_is_at_most_one_within_its_tolerance():
    for share in (0.05, 0.5):
        for wanted in (share, scale_odds(share, 1.09), scale_odds(share, 1 / 1.09)):
            mean = sum(
                p * SampleRatio().after(share, x, 20, 1.0, 60.0).wealth.e_value
                for x, p in enumerate(binomial(20, wanted))
            )
            assert mean <= 1.0 + 1e-9
    assert sum(GRID.prior) == pytest.approx(1.0)


def test_a_candidate_that_gets_nothing_is_a_mismatch_and_the_right_share_is_none():
    wrong = right = SampleRatio()
    for _ in range(60):
        wrong = wrong.after(0.2, 0, 100, 1.0, 60.0)
        right = right.after(0.2, 20, 100, 1.0, 60.0)
    assert wrong.mismatched and not right.mismatched


def test_a_share_is_confirmed_refuted_or_open():
    share = Reached()
    assert not share.confirmed and not share.refuted
    for _ in range(40):
        share = share.after(0.5, 5, 10, 1.0)
    assert share.confirmed and share.share == 0.5
    nothing = Reached()
    for _ in range(40):
        nothing = nothing.after(0.5, 0, 10, 1.0)
    assert nothing.refuted
    everything = Reached()
    for _ in range(10):
        everything = everything.after(1.0, 10, 10, 1.0)
    assert everything.confirmed


def test_the_average_speaks_for_all_and_names_those_it_can():
    loud = {"a": Weighted(100.0, 1.0), "b": Weighted(0.1, 1.0), "c": Weighted(0.1, 1.0)}
    assert average(loud) == pytest.approx(100.2 / 3)
    assert culprits(loud, 20.0) == ("a",)
    quiet = {"a": Weighted(10.0, 1.0), "b": Weighted(10.0, 1.0)}
    assert culprits(quiet, 20.0) == ()
    shared = {"a": Weighted(25.0, 1.0), "b": Weighted(25.0, 1.0), "c": Weighted(12.0, 1.0)}
    assert set(culprits(shared, 20.0)) == {"a", "b"}, "neither alone, but at least one of the two"


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.floats(0, 200), st.floats(0.1, 5)), min_size=1))
def test_naming_is_the_closed_test(raw):
    """Compare the closed form with the definition: every set that contains what is named is rejected."""
    kpis = {name: Weighted(e, w) for name, (e, w) in raw.items()}
    every = [s for k in range(1, len(kpis) + 1) for s in itertools.combinations(kpis, k)]
    assume(all(abs(average({n: kpis[n] for n in subset}) - 20.0) > 1e-6 for subset in every))
    named = culprits(kpis, 20.0)
    assert bool(named) == (average(kpis) >= 20.0)
    if any(rejected(kpis, (name,)) for name in named):
        assert set(named) == {name for name in kpis if rejected(kpis, (name,))}
    elif named:
        assert rejected(kpis, named)


def rejected(kpis: dict[str, Weighted], within: tuple[str, ...]) -> bool:
    """Whether every set that contains `within` is rejected: the definition, by enumeration."""
    subsets = (s for k in range(1, len(kpis) + 1) for s in itertools.combinations(kpis, k) if set(within) <= set(s))
    return all(average({n: kpis[n] for n in subset}) >= 20.0 for subset in subsets)


def test_planning_says_how_much_traffic_evidence_needs():
    wide = promotion_requests(0.01, RateMargin(1.5, 0.005), 0.5, 0.05)
    narrow = promotion_requests(0.01, RateMargin(1.1, 0.0005), 0.5, 0.05)
    assert 500 < wide < 5000 < narrow
    assert promotion_requests(0.01, RateMargin(1.0, 0.0), 0.5, 0.05) == inf
    assert promotion_requests(0.01, RateMargin(1.5, 0.005), 0.5, 0.05, phi=3.0) > 2 * wide
    assert promotion_requests(0.01, RateMargin(1.5, 0.005), 1.0, 0.05) == inf


def test_false_alarms_stay_below_the_configured_rate_at_every_increment():
    """A small simulation of the whole chain; the large one is `make bench-stats`."""
    import random

    chance, alarms = random.Random(11), 0
    for _ in range(200):
        wealth, dispersion = start(HARM, restarts=True), Dispersion()
        for _ in range(120):
            bad_c = sum(chance.random() < 0.05 for _ in range(20))
            bad_s = sum(chance.random() < 0.05 for _ in range(60))
            increment = Increment(bad_c, 20, bad_s, 60)
            wealth = wealth.after(HARM, rate_evidence(increment, HARM, RateMargin(), dispersion.phi), 60.0)
            dispersion = dispersion.after(increment)
            if wealth.e_value >= 20:
                alarms += 1
                break
    assert alarms <= 20  # 99.9 % quantile of a binomial with 200 runs at 5 %


def test_a_history_learns_nothing_from_increments_without_trials_or_failures():
    history = [[(8.0, 100.0), (0.0, 100.0)], [(9.0, 100.0), (1.0, 100.0)]] * 6
    silent = [[(0.0, 0.0), (0.0, 0.0)], [(0.0, 50.0), (0.0, 50.0)]]
    assert from_history([*history, *silent]) == from_history(history) > 1.0


# -- the split, at every weight there is -------------------------------------------------------------------------------

EVERY_WEIGHT = [*range(1, 10_000), 10_000]


def _requests(share: float) -> float:
    """So many that the rarer version has a thousand."""
    return 1000.0 / min(share, 1.0 - share) if share < 1.0 else 1000.0


@pytest.mark.parametrize("turns", [1.0, 10.0])
def test_a_split_that_is_seen_as_it_was_asked_is_confirmed_and_never_refuted_at_every_weight(turns):
    wrong = []
    for bp in EVERY_WEIGHT:
        share, everyone = bp / 10_000, _requests(bp / 10_000) * turns
        reached, ratio = Reached(), SampleRatio()
        for _ in range(4):
            reached = reached.after(share, share * everyone / 4, everyone / 4, turns)
            ratio = ratio.after(share, share * everyone / 4, everyone / 4, turns, 30.0)
            if reached.refuted or ratio.mismatched:
                wrong.append((bp, "refuted"))
        if not reached.confirmed:
            wrong.append((bp, "not confirmed"))
    assert wrong == []


def test_a_split_of_half_or_double_is_refuted_and_never_confirmed_at_every_weight():
    wrong = []
    for bp in EVERY_WEIGHT:
        share, everyone = bp / 10_000, _requests(bp / 10_000)
        seen = {"half": share / 2.0, "double": min(2.0 * share, (1.0 + share) / 2.0)}
        for what, actual in seen.items():
            reached = Reached().after(share, actual * everyone, everyone, 1.0)
            if share < 1.0 and (reached.confirmed or not reached.refuted):
                wrong.append((bp, what))
        if Reached().after(share, 0.0, everyone, 1.0).confirmed:
            wrong.append((bp, "nothing"))
    assert wrong == []


@pytest.mark.parametrize("bp", [9_800, 9_900, 9_990, 9_999, 10_000])
def test_the_last_requests_of_the_old_version_refute_nothing_close_to_all(bp):
    reached = Reached()
    for share in (0.90, 0.95, 0.97, 0.98):
        reached = reached.after(bp / 10_000, 500 * share, 500, 1.0)
        assert not reached.refuted, share
