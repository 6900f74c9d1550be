"""Increments: per series, resets per series, nothing lost and nothing counted twice."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rollout.engine.analysis.counters import REQUESTS, SERIES_KEPT, take
from rollout.engine.facts import Counters, KpiReading, Round
from rollout.model.status.evidence import Ledger
from rollout.stats import Increment
from tests.world import EPOCH


def one(stable: dict, candidate: dict, *, births: dict | None = None, good: bool = False, problem: str = "") -> Round:
    """A round with one KPI; each arm maps series to (bad, total)."""
    arms = [
        Counters({name: bad for name, (bad, _) in arm.items()}, {name: total for name, (_, total) in arm.items()})
        for arm in (stable, candidate)
    ]
    reading = KpiReading(stable=arms[0], candidate=arms[1], good=good, problem=problem)
    return Round(kpis={"k": reading}, requests=reading, births=births or {})


def follow(*rounds: Round) -> list[Increment | None]:
    ledger, found = Ledger(), []
    for each in rounds:
        ledger, gained = take(ledger, each, EPOCH)
        ledger = Ledger.model_validate_json(ledger.model_dump_json(by_alias=True))
        found.append(gained["k"].increment if "k" in gained else None)
    return found


def test_the_first_round_is_only_where_counting_begins():
    assert follow(one({"p|a": (5, 100)}, {"q|a": (1, 10)})) == [None]


def test_increments_are_what_happened_between_two_rounds():
    found = follow(one({"p|a": (5, 100)}, {"q|a": (1, 10)}), one({"p|a": (7, 150)}, {"q|a": (4, 20)}))
    assert found[1] == Increment(bad_c=3, all_c=10, bad_s=2, all_s=50)


def test_a_value_that_fell_means_the_process_began_anew():
    found = follow(one({"p|a": (5, 100)}, {}), one({"p|a": (1, 30)}, {}))
    assert found[1] == Increment(0, 0, 1, 30)


def test_a_reset_of_one_series_does_not_touch_another():
    found = follow(one({"p|a": (5, 100), "r|a": (5, 100)}, {}), one({"p|a": (0, 10), "r|a": (6, 120)}, {}))
    assert found[1] == Increment(0, 0, 1, 30)


def test_a_series_first_seen_later_counts_from_zero():
    found = follow(one({"p|a": (5, 100)}, {}), one({"p|a": (5, 100)}, {"q|a": (2, 8)}))
    assert found[1] == Increment(2, 8, 0, 0)


def test_one_process_holds_all_series_of_a_page_so_one_reset_is_a_reset_of_all():
    found = follow(one({"p|a": (90, 100)}, {}, good=True), one({"p|a": (95, 98)}, {}, good=True))
    assert found[1] == Increment(0, 0, 3, 98), "the good ones have overtaken their old value, the total has not"


def test_a_page_that_joins_later_begins_to_count_where_it_joins():
    def with_pages(round_: Round, *pages: str) -> Round:
        return replace(round_, pages=pages)

    first = with_pages(one({"p|a": (5, 100)}, {}), "p", "q")
    second = with_pages(one({"p|a": (5, 100), "new|a": (50, 1000)}, {"q|late": (1, 4)}), "p", "q", "new")
    third = with_pages(one({"p|a": (5, 100), "new|a": (52, 1010)}, {"q|late": (1, 4)}), "p", "q", "new")
    found = follow(first, second, third)
    assert found[1] == Increment(1, 4, 0, 0), "a new series on a known page counts from zero, a new page does not"
    assert found[2] == Increment(0, 0, 2, 10)


def test_a_series_that_vanishes_and_comes_back_is_not_counted_twice():
    found = follow(one({"p|a": (5, 100)}, {}), one({}, {}), one({"p|a": (6, 110)}, {}))
    assert found[1] == Increment(0, 0, 0, 0) and found[2] == Increment(0, 0, 1, 10)


def test_series_that_come_and_go_do_not_fill_the_ledger():
    ledger, found = Ledger(), 0.0
    for index in range(300):
        page = {f"p|pod-{index}-{n}": (0, 5) for n in range(5)}
        ledger, gained = take(ledger, one(page, {}), EPOCH)
        found += gained["k"].increment.all_s if "k" in gained else 0.0
    assert len(ledger.values["k"]) <= SERIES_KEPT
    assert found == 299 * 25, "and none of their outcomes is lost"


def test_a_restart_is_seen_even_when_the_new_count_has_overtaken_the_old_one():
    found = follow(one({"p|a": (5, 100)}, {}, births={"p": 1000.0}), one({"p|a": (9, 180)}, {}, births={"p": 2000.0}))
    assert found[1] == Increment(0, 0, 9, 180)


def test_a_restart_during_a_missed_round_is_still_seen():
    missed = one({}, {}, births={"p": 2000.0}, problem="down")
    found = follow(
        one({"p|a": (5, 100)}, {}, births={"p": 1000.0}), missed, one({"p|a": (9, 180)}, {}, births={"p": 2000.0})
    )
    assert found[1] is None and found[2] == Increment(0, 0, 9, 180)


def test_a_missed_round_is_made_up_for_by_the_next():
    found = follow(one({"p|a": (5, 100)}, {}), one({}, {}, problem="down"), one({"p|a": (8, 160)}, {}))
    assert found[1] is None and found[2] == Increment(0, 0, 3, 60)


def test_good_outcomes_are_turned_into_bad_ones():
    found = follow(one({"p|a": (90, 100)}, {}, good=True), one({"p|a": (135, 150)}, {}, good=True))
    assert found[1] == Increment(0, 0, 5, 50)


def test_the_requests_that_measure_the_split_are_counted_too():
    _, gained = take(take(Ledger(), one({"p|a": (0, 10)}, {}), EPOCH)[0], one({"p|a": (0, 30)}, {}), EPOCH)
    assert gained[REQUESTS].increment.all_s == 20


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_whatever_is_missed_or_restarted_all_outcomes_are_counted_once(history):
    """Outcomes happen, the page is sometimes missed, the process sometimes restarts right after a round."""
    value, happened, counted, birth = 0.0, 0, 0.0, 1.0
    ledger, _ = take(Ledger(), one({"p|a": (0, 0)}, {}, births={"p": birth}), EPOCH)
    for count, missed, restarted in history:
        value, happened = value + count, happened + count
        problem = "down" if missed else ""
        ledger, gained = take(ledger, one({"p|a": (0, value)}, {}, births={"p": birth}, problem=problem), EPOCH)
        counted += gained["k"].increment.all_s if "k" in gained else 0.0
        if restarted and not missed:
            value, birth = 0.0, birth + 100.0
    ledger, gained = take(ledger, one({"p|a": (0, value)}, {}, births={"p": birth}), EPOCH)
    assert counted + gained["k"].increment.all_s == happened
