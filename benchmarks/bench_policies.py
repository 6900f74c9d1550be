"""What to expect of the policies we hand out: whole rollouts through the real engine, with simulated users.

    python benchmarks/bench_policies.py [--runs N]

Every turn of every rollout is one call of `plan`; numpy draws the traffic from fixed seeds.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from rollout.engine.facts import Counters, Facts, KpiReading, Round
from rollout.engine.plan import plan
from rollout.engine.requeue import is_sample_due
from rollout.engine.route_facts import OwnRoute
from rollout.engine.routes.wanted import is_effective, wanted_weight
from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.documents import read_files
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import HeldBy, Phase

POLICIES = Path(__file__).parents[1] / "policies"
STEP_S = 10.0
COST = 0.001
"""What a request costs, in the unit of a spend cap."""
LIMIT_S = 48 * 3600.0
NOBODY = OwnRoute("route", reachable=True, stable="v1", weight_bp=0)


@dataclass(frozen=True)
class Case:
    """One line of the table: traffic, and how often each version fails each KPI."""

    policy: str
    per_s: float
    stable: dict[str, float]
    candidate: dict[str, float]
    what: str


def policy_of(name: str) -> PolicySpec:
    documents = read_files([POLICIES / f"{name}.yaml"])
    assert not documents.faults, documents.faults
    return documents.policies[0].spec


def carry_out(case: Case, seed: int) -> tuple[str, float]:
    """Return how one rollout ended (or that it still waits) and after how many minutes."""
    rng, policy = np.random.default_rng(seed), policy_of(case.policy)
    spec = RolloutSpec.model_validate(
        {
            "version": "v2",
            "backends": {"endpoints": [{"version": v, "url": f"http://{v}:80"} for v in ("v1", "v2")]},
            "routes": [{"envoy": {"listen": "127.0.0.1:1"}}],
            "metrics": {"scrape": {}},
            "policyRef": {"name": "p"},
            "conversations": {"turns": 4},
        }
    )
    now = begun = datetime(2026, 1, 1, tzinfo=UTC)
    rollout, route = Rollout(Metadata(name="agent"), spec, Status(stable_version="v1")), NOBODY
    totals = {(arm, kpi.name, what): 0.0 for arm in "cs" for kpi in policy.kpis for what in ("bad", "all")}
    while (now - begun).total_seconds() < LIMIT_S:
        round_ = reading(policy, totals) if is_sample_due(rollout.status, now) else None
        made = plan(rollout, policy, Facts((route,), round=round_, versions=("v1", "v2")), now)
        rollout = Rollout(rollout.metadata, spec, made.status)
        for effect in made.effects:
            route = OwnRoute(
                "route",
                reachable=True,
                stable=effect.stable,
                candidate=effect.candidate,
                weight_bp=effect.weight_bp,
                preview_header=effect.preview_header,
            )
        wanted = wanted_weight(made.status)
        if (made.requeue_after_s or 1.0) < 0.1 or (wanted is not None and not is_effective(wanted, (route,))):
            continue
        if made.status.held_by is HeldBy.APPROVAL:
            rollout = Rollout(rollout.metadata, spec, approved(made.status))
            continue
        if made.status.latest.result is not None or made.status.phase in (Phase.PAUSED, Phase.FROZEN):
            return str(made.status.latest.result or made.status.reason), (now - begun).total_seconds() / 60
        serve(case, policy, totals, (route.weight_bp or 0) / 10_000, rng)
        now += timedelta(seconds=STEP_S)
    return "still waits", LIMIT_S / 60


def approved(status: Status) -> Status:
    """Give the approval that is waited for, as somebody at hand would."""
    release = status.latest.model_copy(update={"approved": (*status.latest.approved, status.latest.step)})
    changes = {"phase": status.resume_to, "resume_to": None, "held_by": None, "release": release}
    return status.model_copy(update=changes)


def serve(case: Case, policy: PolicySpec, totals: dict, share: float, rng: np.random.Generator) -> None:
    """Let users ask for a while, split as the router has it."""
    for arm, part, rates in (("c", share, case.candidate), ("s", 1 - share, case.stable)):
        asked = rng.poisson(case.per_s * STEP_S * part)
        for kpi in policy.kpis:
            totals[arm, kpi.name, "all"] += asked
            totals[arm, kpi.name, "bad"] += rng.binomial(asked, rates[kpi.name])


def reading(policy: PolicySpec, totals: dict) -> Round:
    def arm(which: str, kpi: str) -> Counters:
        return Counters({f"{which}|bad": totals[which, kpi, "bad"]}, {f"{which}|all": totals[which, kpi, "all"]})

    kpis = {kpi.name: KpiReading(stable=arm("s", kpi.name), candidate=arm("c", kpi.name)) for kpi in policy.kpis}
    spent = {"c|spent": COST * totals["c", policy.kpis[0].name, "all"]}
    spend = KpiReading(candidate=Counters(total=spent)) if policy.spend_cap else None
    return Round(kpis=kpis, requests=kpis[policy.kpis[0].name], spend=spend)


HEALTHY = {"errors": 0.01, "task-success": 0.05, "latency": 0.02, "tokens": 0.10}
CASES = tuple(
    Case(name, per_s, HEALTHY, {**HEALTHY, **changes}, what)
    for name, rates in (
        ("canary-cautious", (20.0, 2.0)),
        ("low-traffic", (0.5, 0.2, 0.05)),
        ("canary-quick", (50.0, 10.0)),
        ("blue-green", (20.0, 2.0)),
        ("cost-guard", (20.0, 2.0)),
    )
    for per_s in rates
    for what, changes in (
        ("healthy", {}),
        ("tasks fail x2", {"task-success": 0.10}),
        ("tasks fail x5", {"task-success": 0.25}),
        ("errors x10", {"errors": 0.10}),
        ("tokens x2", {"tokens": 0.20}),
    )
    if "tokens" not in changes or name == "cost-guard"
)


def shown(minutes: float) -> str:
    """``4 min`` or ``1.3 h``."""
    return f"{minutes:.0f} min" if minutes < 60 else f"{minutes / 60:.1f} h"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    print("| policy | req/s | the candidate | how it ended | after: median (least to most) |\n|---|---|---|---|---|")
    with ProcessPoolExecutor(2) as pool:
        for case in CASES:
            ended = list(pool.map(carry_out, [case] * runs, range(runs)))
            counts = {how: sum(1 for each, _ in ended if each == how) for how, _ in ended}
            took = sorted(minutes for _, minutes in ended)
            told = ", ".join(f"{count} {how}" for how, count in sorted(counts.items()))
            span = f"{shown(float(np.median(took)))} ({shown(took[0])} to {shown(took[-1])})"
            print(f"| {case.policy} | {case.per_s:g} | {case.what} | {told} | {span} |", flush=True)


if __name__ == "__main__":
    main()
