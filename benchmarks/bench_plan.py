"""How long one increment over five KPIs and one whole `plan` take; counts of work beside, since machines differ.

python benchmarks/bench_plan.py
"""

from __future__ import annotations

import sys
import timeit
from datetime import UTC, datetime, timedelta

from rollout.engine.analysis.evidence import CountedSample, after_sample
from rollout.engine.analysis.lifecycle import fresh
from rollout.engine.analysis.verdict import Thresholds, judge_all
from rollout.engine.facts import Counters, Facts, KpiReading, Round
from rollout.engine.plan import plan
from rollout.engine.route_facts import OwnRoute
from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.documents import policy_spec
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.stats import Increment

KPIS = 5
POLICY = {
    "canary": {"steps": [{"weight": "10%", "for": "1m"}, {"weight": "50%", "for": "1m", "until": "evidence"}]},
    "kpis": [
        {"name": f"kpi-{n}", "bad": "a", "total": "b", "margin": {"relative": "10%", "absolute": "0.5%"}}
        for n in range(KPIS)
    ],
    "evidence": {"sampleEvery": "1s", "warmUp": "0s"},
}


def best_us(work: object, number: int = 200, repeats: int = 15) -> tuple[float, float]:
    """Return the least and the median time of one call, in microseconds."""
    times = sorted(timeit.repeat(work, number=number, repeat=repeats))  # type: ignore[arg-type]
    return 1e6 * times[0] / number, 1e6 * times[len(times) // 2] / number


def main() -> None:
    policy, faults = policy_spec(POLICY)
    assert policy is not None, faults
    evidence, thresholds = fresh(policy), Thresholds.of(policy.evidence, 0)
    increments = {kpi.name: Increment(6, 120, 48, 1080) for kpi in policy.kpis}
    sample = CountedSample(increments, 60.0, mature=frozenset(increments))

    def one_increment() -> None:
        judge_all(policy, after_sample(evidence, policy, sample), thresholds)

    spec = RolloutSpec.model_validate(
        {
            "version": "v2",
            "backends": {"endpoints": [{"version": v, "url": f"http://{v}:80"} for v in ("v1", "v2")]},
            "routes": [{"envoy": {"listen": "127.0.0.1:1"}}],
            "metrics": {"scrape": {}},
            "policyRef": {"name": "p"},
        }
    )
    now = datetime(2026, 1, 1, tzinfo=UTC)
    rollout, count = Rollout(Metadata(name="agent"), spec, Status(stable_version="v1")), 0.0

    def facts() -> Facts:
        arm = Counters(bad={"p|bad": count * 6}, total={"p|total": count * 120})
        reading = KpiReading(stable=arm, candidate=Counters({"q|bad": count * 6}, {"q|total": count * 120}))
        bp = rollout.status.latest.traffic.wanted_bp
        candidate = rollout.status.candidate_version
        route = OwnRoute("route", reachable=True, stable="v1", candidate=candidate, weight_bp=bp if candidate else None)
        kpis = {kpi.name: reading for kpi in policy.kpis}
        return Facts((route,), ready={"v1": "", "v2": ""}, round=Round(kpis, reading), versions=("v1", "v2"))

    for _ in range(60):
        made = plan(rollout, policy, facts(), now)
        rollout, now, count = Rollout(rollout.metadata, spec, made.status), now + timedelta(seconds=1), count + 1
    assert rollout.status.phase is Phase.OBSERVING, rollout.status.phase
    seen = facts()

    def one_plan() -> None:
        plan(rollout, policy, seen, now)

    print("| what | least | median | budget |\n|---|---|---|---|")
    good = True
    for what, work in (
        (f"one increment over {KPIS} KPIs", one_increment),
        (f"one plan, {KPIS} KPIs, an increment in it", one_plan),
    ):
        least, median = best_us(work)
        good &= least < 1000
        print(f"| {what} | {least / 1000:.2f} ms | {median / 1000:.2f} ms | 1 ms |")
    print(f"\nstatus: {len(rollout.status.model_dump_json(by_alias=True))} bytes as JSON")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
