"""KPIs that are judged by other measures than a difference of rates: an odds ratio, or a bound alone."""

from __future__ import annotations

import pytest

from rollout.model.status.vocabulary import Phase, Reason, Result
from tests.world import Behaviour, World, policy

ODDS = {"name": "tasks", "bad": "c", "total": "d", "margin": {"odds": "40%"}, "promotionMargin": {"odds": "90%"}}
BOUND = {"name": "tasks", "bad": "c", "total": "d", "atMost": "30%"}
STEPS = {"steps": [{"weight": "50%", "for": "2m", "until": "evidence", "atMost": "4h"}], "bake": {"for": "5m"}}


ERRORS = {"name": "errors", "bad": "a", "total": "b", "margin": {"relative": "10%", "absolute": "5%"}}


def world(kpi: dict[str, object], candidate: float, stable: float = 0.4) -> World:
    small = World(policy(canary=STEPS, kpis=[ERRORS, kpi]), rate=50)
    small.behaviour |= {"v1": Behaviour(tasks=stable), "v2": Behaviour(tasks=candidate)}
    return small


def test_a_rate_that_is_high_anyway_is_judged_by_its_odds_and_an_equal_version_is_promoted() -> None:
    equal = world(ODDS, 0.4)
    equal.run(30_000, until=Phase.DRAINING)
    assert equal.status.latest.result is Result.PROMOTED, equal.status.message


@pytest.mark.parametrize("until", [Phase.OBSERVING, Phase.BAKING])
def test_a_version_with_worse_odds_is_rolled_back_also_where_stable_has_no_traffic_any_more(until: Phase) -> None:
    worse = world(ODDS, 0.4)
    worse.run(30_000, until=until)
    worse.behaviour["v2"] = Behaviour(tasks=0.75)
    worse.run(30_000, until=Phase.ROLLED_BACK)
    assert worse.status.reason is Reason.WORSE, worse.status.message


def test_a_kpi_with_a_bound_alone_says_nothing_where_both_versions_break_it() -> None:
    both = world(BOUND, 0.6, stable=0.6)
    both.run(3600, until=Phase.PAUSED)
    assert both.status.latest.result is None and both.status.latest.environment == ("tasks",)


def test_a_kpi_with_a_bound_alone_rolls_back_the_version_that_breaks_it() -> None:
    one = world(BOUND, 0.6, stable=0.1)
    one.run(3600, until=Phase.ROLLED_BACK)
    assert one.status.reason is Reason.WORSE, one.status.message


def test_responses_are_compared_also_where_a_kpi_has_a_bound_alone() -> None:
    equal = world({**BOUND, "among": "e"}, 0.1, stable=0.1)
    equal.metrics.responses = {"tasks"}
    equal.behaviour["v2"] = Behaviour(tasks=0.1, answers=0.9)
    equal.run(7200, until=Phase.PAUSED)
    assert equal.status.reason is Reason.RESPONSES_DIFFER, equal.status.message
