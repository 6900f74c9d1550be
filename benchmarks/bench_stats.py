"""The operating characteristics of the tests, from fixed seeds: false rollback, detection, promotion.

    python benchmarks/bench_stats.py [--runs N] [--table NAME ...]

Every number comes from the code that ships in rollout.stats, increment by increment; numpy only draws the traffic. A rollout lasts
6 h with a sample every 60 s and one hour each at 5, 10, 20, 30, 40 and 50 %. False rollback is simulated with a margin of
zero, at equality: the hardest case for the guarantee. Exit code 1 if a cell exceeds the 99.9 % binomial quantile.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import exp, lgamma, log, log1p

import numpy as np

from rollout.stats import (
    HARM,
    ODDS_HARM,
    PROOF,
    Dispersion,
    Increment,
    RateMargin,
    from_history,
    odds_evidence,
    promotion_requests,
    rate_evidence,
    start,
)

INCREMENT_S = 60.0
INCREMENTS = 360
ALPHA = 0.05
SPLIT = np.repeat([0.05, 0.10, 0.20, 0.30, 0.40, 0.50], 60)
WORKERS = 2

Rates = Callable[[float], np.ndarray]


def constant(base: float) -> np.ndarray:
    return np.full(INCREMENTS + 1, base)


def doubled(base: float) -> np.ndarray:
    rates = constant(base)
    rates[120:130] *= 2
    return rates


def drifting(base: float) -> np.ndarray:
    return base * np.linspace(1.0, 3.0, INCREMENTS + 1)


def incident(base: float) -> np.ndarray:
    rates = constant(base)
    rates[200:230] = np.minimum(rates[200:230] * 10, 0.9)
    return rates


@dataclass(frozen=True)
class Cell:
    """One cell of a table: traffic, base rate, what happens to both, and what happens to the candidate."""

    scenario: str
    per_s: float
    base: float
    rates: Rates = constant
    factor: float = 1.0
    added: float = 0.0
    onset: int = 0
    phi: str = "learn"
    clusters: float = 1.0
    misaligned: float = 0.0
    seed: int = 0

    def draw(self, rng: np.random.Generator) -> list[Increment]:
        """Draw the increments of one rollout."""
        rates = self.rates(self.base)
        trials_c = rng.poisson(self.per_s * INCREMENT_S * SPLIT)
        trials_s = rng.poisson(self.per_s * INCREMENT_S * (1 - SPLIT))
        late = (1 - self.misaligned) * rates[:-1] + self.misaligned * rates[1:]
        harmed = np.arange(INCREMENTS) >= self.onset
        p_c = np.minimum(np.where(harmed, late * self.factor + self.added, late), 0.95)
        bad_c, bad_s = (events(rng, n, p, self.clusters) for n, p in ((trials_c, p_c), (trials_s, rates[:-1])))
        return [
            Increment(float(a), float(b), float(c), float(d))
            for a, b, c, d in zip(bad_c, trials_c, bad_s, trials_s, strict=True)
        ]


def events(rng: np.random.Generator, trials: np.ndarray, rates: np.ndarray, phi: float) -> np.ndarray:
    """Independent failures, or failures in geometric clusters with variance over mean phi."""
    if phi == 1.0:
        return rng.binomial(trials, rates)
    size = (phi + 1) / 2
    clusters = rng.poisson(trials * rates / size)
    return np.array([int(rng.geometric(1 / size, count).sum()) if count else 0 for count in clusters])


def history_phi(cell: Cell, rng: np.random.Generator) -> float:
    """Measure phi on 6 h of the stable version's past, four instances."""
    increments = []
    for _ in range(INCREMENTS):
        trials = rng.poisson(cell.per_s * INCREMENT_S / 4, 4)
        bad = events(rng, trials, np.full(4, cell.base), cell.clusters)
        increments.append([(float(x), float(n)) for x, n in zip(bad, trials, strict=True)])
    return from_history(increments)


def phi_of(cell: Cell, rng: np.random.Generator) -> float | None:
    """Return a fixed phi, or None where it is learnt on line."""
    if cell.phi == "history":
        return history_phi(cell, rng)
    return None if cell.phi == "learn" else float(cell.phi)


def first_alarm(cell: Cell, run: int, margin: RateMargin = RateMargin()) -> int | None:
    """Return the increment at which the candidate is rolled back, or None."""
    rng = np.random.default_rng([cell.seed, run])
    fixed = phi_of(cell, rng)
    wealth, dispersion = start(HARM, restarts=True), Dispersion()
    before = SPLIT[0]
    for index, increment in enumerate(cell.draw(rng)):
        if SPLIT[index] != before:
            dispersion, before = dispersion.interrupted(), SPLIT[index]
        phi = dispersion.phi if fixed is None else fixed
        wealth = wealth.after(HARM, rate_evidence(increment, HARM, margin, phi), INCREMENT_S)
        if wealth.e_value >= 1 / ALPHA:
            return index
        dispersion = dispersion.after(increment)
    return None


def first_proof(cell: Cell, run: int, margin: RateMargin) -> tuple[int, float] | None:
    """Return the increment at which non-inferiority is proved and the candidate requests it took, or None."""
    rng = np.random.default_rng([cell.seed, run])
    fixed = phi_of(cell, rng)
    wealth, dispersion, requests = start(PROOF, restarts=False), Dispersion(), 0.0
    for index, increment in enumerate(cell.draw(rng)):
        phi = dispersion.phi if fixed is None else fixed
        wealth = wealth.after(PROOF, rate_evidence(increment, PROOF, margin, phi), INCREMENT_S)
        requests += increment.all_c
        if wealth.e_value >= 1 / ALPHA:
            return index, requests
        dispersion = dispersion.after(increment)
    return None


def first_odds_alarm(cell: Cell, run: int) -> int | None:
    """As `first_alarm`, by the hypergeometric kernel."""
    wealth = start(ODDS_HARM, restarts=True)
    for index, increment in enumerate(cell.draw(np.random.default_rng([cell.seed, run]))):
        wealth = wealth.after(ODDS_HARM, odds_evidence(increment, ODDS_HARM, 1.0, 1.0), INCREMENT_S)
        if wealth.e_value >= 1 / ALPHA:
            return index
    return None


def binomial_quantile(runs: int, rate: float, level: float) -> int:
    """Return the smallest k with P(X <= k) >= level for a binomial count."""
    total, k = 0.0, -1
    while total < level:
        k += 1
        logs = lgamma(runs + 1) - lgamma(k + 1) - lgamma(runs - k + 1) + k * log(rate) + (runs - k) * log1p(-rate)
        total += exp(logs)
    return k


def alarms(cell: Cell, runs: int) -> list[int | None]:
    return [first_alarm(cell, run) for run in range(runs)]


def odds_alarms(cell: Cell, runs: int) -> list[int | None]:
    return [first_odds_alarm(cell, run) for run in range(runs)]


def proofs(cell: Cell, runs: int, ratio: float, excess: float) -> list[tuple[int, float] | None]:
    return [first_proof(cell, run, RateMargin(ratio, excess)) for run in range(runs)]


def over_cells(work: Callable[..., list], cells: Iterable[Cell], *arguments: object) -> list[list]:
    cells = list(cells)
    with ProcessPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, cells, *([argument] * len(cells) for argument in arguments)))


TRAFFIC = (0.2, 2.0, 20.0, 200.0)
BASES = (0.001, 0.01, 0.05)


def false_rollback(runs: int) -> bool:
    scenarios = (
        ("A/A", {}),
        ("both double for 10 min", {"rates": doubled}),
        ("both drift x1 to x3", {"rates": drifting}),
        ("clusters phi 3, history", {"clusters": 3.0, "phi": "history"}),
        ("misaligned, incident x10", {"rates": incident, "misaligned": 0.25}),
        ("clusters phi 3, on line", {"clusters": 3.0}),
    )
    cells = [
        Cell(name, per_s, base, seed=1000 + index, **more)  # type: ignore[arg-type]
        for index, (name, more) in enumerate(scenarios)
        for per_s in TRAFFIC
        for base in BASES
    ]
    limit = binomial_quantile(runs, ALPHA, 0.999)
    print(
        f"\n## False rollback in 6 h, % of {runs} runs (configured {ALPHA:.0%}; 99.9 % quantile {100 * limit / runs:.1f})\n"
    )
    print(
        "| scenario | req/s | "
        + " | ".join(f"base {base:.1%}" for base in BASES)
        + " |\n|---|---|"
        + "---|" * len(BASES)
    )
    found = dict(zip(cells, over_cells(alarms, cells, runs), strict=True))
    good = True
    for name, _ in scenarios:
        for per_s in TRAFFIC:
            shown = []
            for base in BASES:
                cell = next(c for c in cells if (c.scenario, c.per_s, c.base) == (name, per_s, base))
                count = sum(each is not None for each in found[cell])
                # On-line phi under clusters is shown for honesty; the guarantee there needs history (docs/statistics.md).
                good &= count <= limit or name.endswith("on line")
                shown.append(f"{100 * count / runs:.1f}")
            print(f"| {name} | {per_s:g} | " + " | ".join(shown) + " |")
    print("\nno cell above the quantile" if good else "\nA CELL IS ABOVE THE QUANTILE")
    return good


DETECTION = (
    (0.2, 0.001, 5, 0), (0.2, 0.001, 1, 0.10), (0.2, 0.01, 2, 0), (0.2, 0.01, 1, 0.02), (0.2, 0.01, 1, 0.10),
    (0.2, 0.05, 5, 0), (2, 0.001, 5, 0), (2, 0.001, 1, 0.10), (2, 0.01, 1.5, 0), (2, 0.01, 2, 0), (2, 0.01, 5, 0),
    (2, 0.05, 2, 0), (20, 0.001, 5, 0), (20, 0.01, 1.5, 0), (20, 0.01, 2, 0), (20, 0.01, 1, 0.02), (20, 0.05, 1.5, 0),
    (20, 0.05, 1, 0.10), (200, 0.001, 2, 0), (200, 0.001, 5, 0), (200, 0.01, 1.5, 0), (200, 0.05, 1.5, 0),
    (200, 0.05, 5, 0),
)  # fmt: skip
LATE = (
    (2, 0.01, 5, 0),
    (2, 0.05, 2, 0),
    (20, 0.01, 1.5, 0),
    (20, 0.01, 2, 0),
    (20, 0.05, 2, 0),
    (200, 0.05, 1.5, 0),
    (200, 0.05, 1, 0.02),
)


def detection(runs: int, onset: int = 0) -> bool:
    table = LATE if onset else DETECTION
    when = "that begins at 3 h, minutes after onset" if onset else "from the start"
    print(f"\n## Detection of a regression {when}: % found in 6 h / median minutes ({runs} runs)\n")
    print("| req/s | base | effect | phi = 1 | phi learnt on line |\n|---|---|---|---|---|")
    cells = [
        Cell("detection", per_s, base, factor=factor, added=added, onset=onset, phi=phi, seed=2000)
        for per_s, base, factor, added in table
        for phi in ("1", "learn")
    ]
    found = over_cells(alarms, cells, runs)
    for index, (per_s, base, factor, added) in enumerate(table):
        effect = f"+{100 * added:g} pp" if added else f"x{factor:g}"
        shown = [_detected(increments, onset) for increments in found[2 * index : 2 * index + 2]]
        print(f"| {per_s:g} | {base:.1%} | {effect} | " + " | ".join(shown) + " |")
    return True


def _detected(increments: list[int | None], onset: int = 0) -> str:
    times = [increment - onset + 1 for increment in increments if increment is not None and increment >= onset]
    share = 100 * len(times) / len(increments)
    return f"{share:.0f} / {np.median(times):.0f}" if times else "0 / -"


def late(runs: int) -> bool:
    return detection(runs, onset=180)


def promotion(runs: int) -> bool:
    print(
        "\n## Promotion: % proved in 6 h / median minutes (median candidate requests; planned), equal versions, phi = 1\n"
    )
    print(
        "| margin | req/s | " + " | ".join(f"base {base:.1%}" for base in BASES) + " | false promotion at the margin |"
    )
    print("|---|---|" + "---|" * len(BASES) + "---|")
    for ratio, excess in ((1.5, 0.005), (1.0, 0.01), (1.0, 0.03)):
        for per_s in TRAFFIC:
            cells = [Cell("promotion", per_s, base, phi="1", seed=3000) for base in BASES]
            edge = [Cell("edge", per_s, base, phi="1", factor=ratio, added=excess, seed=4000) for base in BASES]
            shown = []
            for cell, found in zip(cells, over_cells(proofs, cells, runs, ratio, excess), strict=True):
                proved = [each for each in found if each is not None]
                planned = promotion_requests(cell.base, RateMargin(ratio, excess), 0.1, ALPHA)
                if not proved:
                    shown.append("0 / -")
                    continue
                minutes, needed = np.median([a for a, _ in proved]) + 1, np.median([b for _, b in proved])
                shown.append(f"{100 * len(proved) / runs:.0f} / {minutes:.0f} ({needed:.0f}; {planned:.0f})")
            false = [
                100 * sum(each is not None for each in found) / runs
                for found in over_cells(proofs, edge, runs, ratio, excess)
            ]
            print(
                f"| {ratio:g}x + {100 * excess:g} pp | {per_s:g} | "
                + " | ".join(shown)
                + f" | {min(false):.1f} to {max(false):.1f} |"
            )
    return True


def high_rates(runs: int) -> bool:
    print(f"\n## Task success: % found / median minutes, phi = 1 ({runs} runs)\n")
    print("| tasks/s | base failure | effect | rate kernel | odds-ratio kernel |\n|---|---|---|---|---|")
    for per_s, base, added in (
        (0.2, 0.2, 0.1),
        (0.2, 0.4, 0.1),
        (0.2, 0.4, 0.2),
        (2, 0.4, 0.1),
        (0.02, 0.4, 0.2),
        (2, 0.4, 0.0),
    ):
        cell = Cell("tasks", per_s, base, added=added, phi="1", seed=5000)
        rate, odds = over_cells(alarms, [cell], runs)[0], over_cells(odds_alarms, [cell], runs)[0]
        effect = f"+{100 * added:g} pp" if added else "none"
        print(f"| {per_s:g} | {base:.0%} | {effect} | {_detected(rate)} | {_detected(odds)} |")
    return True


TABLES: dict[str, tuple[Callable[[int], bool], int]] = {
    "false-rollback": (false_rollback, 1000),
    "detection": (detection, 300),
    "late": (late, 300),
    "promotion": (promotion, 300),
    "high-rates": (high_rates, 200),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", nargs="*", choices=TABLES, default=list(TABLES))
    parser.add_argument("--runs", type=int, default=None, help="runs a cell (default: 1000 for false rollback)")
    given = parser.parse_args()
    good = [table(given.runs or runs) for table, runs in (TABLES[name] for name in given.table)]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
