"""Old conversations beside young ones: how often a healthy candidate is rolled back, and when a worse one is found.

Conversations begin at 10 a minute, a fifth of them on the candidate, for six hours with a look each minute. They fail with
5 %, after 10 minutes on average; the others end after 40. Stable has 1500 older ones besides, which end within hours and
fail three times as often, or a third as often, or are twice as long. Failed over finished, fixed seeds, of

* all: whenever they began;
* lately: what `agent-conversations` counts: those that began less than an hour before they ended.

python benchmarks/bench_conversations.py [--runs N]
"""

from __future__ import annotations

import argparse
import statistics
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

import numpy as np

from rollout import Increment, Judge, read_documents

MINUTES, PER_MINUTE, SHARE, BASE = 360, 10.0, 0.2, 0.05
OLD, LATELY = 1500, 60
FAILS_AFTER, LASTS = 10.0, 40.0

POLICY = """
apiVersion: rollout.dev/v1alpha1
kind: RolloutPolicy
metadata: {name: p}
spec:
  canary: {steps: [{weight: 20%, for: 1h}], bake: {for: 1h}}
  kpis: [{name: conversations, preset: agent-conversations, margin: {relative: 10%, absolute: 1%}}]
"""


def judge() -> Judge:
    return Judge(read_documents(POLICY).policies[0].spec)


def ends(
    rng: np.random.Generator, begun: np.ndarray, rate: float, length: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return when conversations end, in minutes, and which of them fail."""
    failing = rng.random(len(begun)) < rate
    return begun + length * rng.exponential(np.where(failing, FAILS_AFTER, LASTS)), failing


def arm(rng: np.random.Generator, per_minute: float, rate: float, since: int) -> tuple[np.ndarray, ...]:
    """Return the conversations that begin on one version: when, until when, and which fail."""
    begun = np.sort(rng.uniform(since, MINUTES, rng.poisson(per_minute * (MINUTES - since))))
    return (begun, *ends(rng, begun, rate))


def counted(times: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return how many of the chosen fall into each minute of the release."""
    return np.histogram(times[chosen], bins=MINUTES, range=(0, MINUTES))[0]


def run(case: tuple[float, float, float], seed: int) -> dict[str, float]:
    """Return in which minute the candidate is rolled back, by how it is counted; inf if never."""
    old_rate, old_length, effect = case
    rng = np.random.default_rng(seed)
    candidate = arm(rng, PER_MINUTE * SHARE, BASE * effect, 0)
    stable = arm(rng, PER_MINUTE * (1 - SHARE), BASE, -10 * LATELY)
    before = rng.uniform(-20 * LATELY, -2 * LATELY, OLD)
    old_ends, old_fails = ends(rng, np.zeros(OLD), BASE * old_rate, 3 * old_length)
    everything = (
        np.concatenate([stable[0], before]),
        np.concatenate([stable[1], old_ends]),
        np.concatenate([stable[2], old_fails]),
    )
    told = {}
    for how in ("all", "lately"):
        bad, total = [], []
        for begun, ended, failing in (candidate, everything):
            young = (ended - begun < LATELY) | (how == "all")
            bad.append(counted(ended, failing & young))
            total.append(counted(ended, young))
        judged, told[how] = judge(), float("inf")
        for minute in range(MINUTES):
            increment = Increment(*(float(each[minute]) for each in (bad[0], total[0], bad[1], total[1])))
            if judged.add({"conversations": increment}, 60.0).culprits:
                told[how] = minute + 1
                break
    return told


CASES = {
    "as likely to fail": (1.0, 1.0),
    "fail three times as often": (3.0, 1.0),
    "fail a third as often": (1 / 3, 1.0),
    "last twice as long": (1.0, 2.0),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=40)
    runs = parser.parse_args().runs
    print(f"{'old conversations':28}{'candidate':12}{'all':>20}{'lately':>20}")
    with ProcessPoolExecutor() as pool:
        for name, old in CASES.items():
            for effect in (1.0, 2.0):
                seen = list(pool.map(run, repeat((*old, effect)), range(runs), chunksize=8))
                cells = []
                for how in ("all", "lately"):
                    times = [each[how] for each in seen if each[how] != float("inf")]
                    median = f", {statistics.median(times):.0f} min" if times and effect > 1 else ""
                    cells.append(f"{100 * len(times) / runs:.1f} %{median}")
                label = "healthy" if effect == 1.0 else f"{effect:g}x worse"
                print(f"{name:28}{label:12}{cells[0]:>20}{cells[1]:>20}")


if __name__ == "__main__":
    main()
