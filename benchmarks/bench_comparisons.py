"""Intervals, means and response rates: how often they miss, cry wolf, and find what is there. Fixed seeds.

python benchmarks/bench_comparisons.py [--runs N]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from rollout.stats import MEANS_HARM, MEANS_PROOF, Batches, Difference, Increment, Responses, start

INCREMENTS = 360
"""One a minute, for six hours."""


def interval(case: tuple[float, float, float, float], seed: int) -> tuple[bool, float]:
    """Whether the interval ever misses p_c - p_s (read every five minutes), and its width in the end."""
    per_s, share, p_c, p_s = case
    rng, state, missed, width = np.random.default_rng(seed), Difference(), False, 2.0
    for increment in range(INCREMENTS):
        all_c, all_s = rng.poisson(60 * per_s * share), rng.poisson(60 * per_s * (1 - share))
        state = state.after(Increment(rng.binomial(all_c, p_c), all_c, rng.binomial(all_s, p_s), all_s), 1.0)
        if increment % 5 == 4:
            low, high = state.interval(0.05)
            missed |= not low <= p_c - p_s <= high
            width = high - low
    return missed, width


def means(case: tuple[float, float, float, bool], seed: int) -> tuple[float, float, bool]:
    """Minutes until harm and until proof (inf if never), and whether the interval ever missed the ratio."""
    per_s, share, effect, drifts = case
    rng, state = np.random.default_rng(seed), Batches()
    harm, proof = start(MEANS_HARM, restarts=True), start(MEANS_PROOF, restarts=False)
    found = proved = float("inf")
    missed, sigma = False, np.sqrt(np.log(1 + 1.3**2))
    for increment in range(INCREMENTS):
        price = 1 + (2 * increment / INCREMENTS if drifts else 0)
        counts = rng.poisson(60 * per_s * share), rng.poisson(60 * per_s * (1 - share))
        costs = [price * rng.lognormal(-sigma * sigma / 2, sigma, count).sum() for count in counts]
        before = state
        state, batch = state.after(Increment(effect * costs[0], counts[0], costs[1], counts[1]))
        if batch is not None:
            harm = harm.after(MEANS_HARM, before.log_es(batch, 1.1, MEANS_HARM), 60.0)
            proof = proof.after(MEANS_PROOF, before.log_es(batch, 1.25, MEANS_PROOF), 60.0)
            low, high = state.interval(0.05)
            missed |= not low <= effect - 1 <= high
        found = min(found, increment + 1) if harm.e_value >= 20 else found
        proved = min(proved, increment + 1) if proof.e_value >= 20 else proved
    return found, proved, missed


def responses(case: tuple[float, float, float], seed: int) -> float:
    """Minutes until the response rates are called different; inf if never."""
    per_s, share_c, share_s = case
    rng, state = np.random.default_rng(seed), Responses()
    for increment in range(INCREMENTS):
        asked = rng.poisson(30 * per_s), rng.poisson(30 * per_s)
        given = rng.binomial(asked[0], share_c), rng.binomial(asked[1], share_s)
        state = state.after(Increment(given[0], asked[0], given[1], asked[1]), 2.0, 60.0)
        if state.differ:
            return increment + 1
    return float("inf")


def told(minutes: list[float]) -> str:
    """Share that came, and the median minutes of those: ``100 / 38``."""
    came = [each for each in minutes if np.isfinite(each)]
    return f"{100 * len(came) / len(minutes):.1f} / {np.median(came):.0f}" if came else "0 / -"


def table(pool: ProcessPoolExecutor, runs: int, run: Callable, cases: list, row: Callable) -> None:
    for case in cases:
        print(row(case, list(pool.map(run, [case] * runs, range(runs), chunksize=25))), flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    runs = parser.parse_args().runs
    with ProcessPoolExecutor(2) as pool:
        print(
            f"### The interval of a difference, 95 %: % of {runs} runs that ever miss in 6 h; median width at the end"
        )
        print("| req/s | share | candidate | stable | ever misses | width, pp |\n|---|---|---|---|---|---|")
        rates = ((0.01, 0.01), (0.05, 0.05), (0.10, 0.05))
        cases = [(s, w, c, p) for s in (0.2, 2.0, 20.0) for w in (0.1, 0.5) for c, p in rates]
        table(pool, runs, interval, cases, lambda case, ended: (
            f"| {case[0]:g} | {case[1]:.0%} | {case[2]:.0%} | {case[3]:.0%} | {100 * np.mean([m for m, _ in ended]):.1f} "
            f"| {100 * np.median([w for _, w in ended]):.2g} |"
        ))  # fmt: skip
        print("### Means of sums, lognormal costs of CV 1.3: % found / median minutes, 6 h (harm 1.1x, proof 1.25x)")
        print("| tasks/s | share | candidate costs | harm | proof | interval ever misses |\n|---|---|---|---|---|---|")
        cases = [
            (2.0, w, e, d)
            for w in (0.5, 0.1)
            for e, d in ((1.0, False), (1.0, True), (1.1, False), (1.25, False), (1.5, False))
        ]
        table(pool, runs, means, cases, lambda case, ended: (
            f"| {case[0]:g} | {case[1]:.0%} | {case[2]:g}x{', both drift x3' if case[3] else ''} | {told([f for f, _, _ in ended])} "
            f"| {told([p for _, p, _ in ended])} | {100 * np.mean([m for _, _, m in ended]):.1f} |"
        ))  # fmt: skip
        print("### Response rates: % called different / median minutes, 6 h")
        print("| tasks/s | candidate's users | stable's users | different |\n|---|---|---|---|")
        cases = [(s, c, 0.1) for s in (0.2, 2.0) for c in (0.1, 0.12, 0.2, 0.05)]
        table(pool, runs, responses, cases, lambda case, ended: (
            f"| {case[0]:g} | {case[1]:.0%} | {case[2]:.0%} | {told(ended)} |"
        ))  # fmt: skip


if __name__ == "__main__":
    main()
