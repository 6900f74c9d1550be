"""Whose the series of a selector are: found once, and anew when anything that tells it is another."""

from __future__ import annotations

import pytest

from rollout.adapters.kubernetes.pods import Pods
from rollout.adapters.metrics import owned
from rollout.adapters.metrics.owned import Owners, Term
from rollout.adapters.metrics.series import series_of

TASKS = Term("tasks_total", "tasks_total", "v2", "agent-tasks")


def of_pod(name):
    return series_of((("namespace", "agents"), ("pod", name)))


def behind(*names):
    return Pods("agent-v2", "agents", frozenset(names))


@pytest.fixture
def found(monkeypatch):
    """What was found anew, selector by selector."""
    terms, find = [], owned._find
    monkeypatch.setattr(owned, "_find", lambda term, *args: terms.append(term.text) or find(term, *args))
    return terms


def test_the_same_series_of_the_same_pods_are_looked_at_once(found):
    owners = Owners()
    for _ in range(3):
        mine = owners.of(TASKS, [of_pod("a"), of_pod("b"), of_pod("c")], behind("a", "c"))
        assert mine.places == (0, 2) and mine.names == (of_pod("a").name, of_pod("c").name)
    assert found == ["tasks_total"]


def test_another_pod_behind_the_service_is_seen_at_once(found):
    owners, series = Owners(), [of_pod("a"), of_pod("b")]
    assert owners.of(TASKS, series, behind("a")).places == (0,)
    assert owners.of(TASKS, series, behind("a", "b")).places == (0, 1)
    assert owners.of(TASKS, series, Pods("agent-v2", "agents", problem="who knows")).problem == "who knows"
    assert len(found) == 3


def test_series_in_another_order_or_one_more_are_looked_at_anew():
    owners, pods = Owners(), behind("a", "c")
    assert owners.of(TASKS, [of_pod("a"), of_pod("b")], pods).places == (0,)
    assert owners.of(TASKS, [of_pod("b"), of_pod("a")], pods).places == (1,)
    assert owners.of(TASKS, [of_pod("b"), of_pod("a"), of_pod("c")], pods).places == (1, 2)


def test_what_belongs_to_a_selector_is_no_answer_for_another():
    owners, pods = Owners(), behind("a")
    declared = Term("errors_total", "errors_total", "v2", "")
    assert owners.of(TASKS, [of_pod("a"), of_pod("b")], pods).places == (0,)
    assert "also counts another agent" in owners.of(declared, [of_pod("a"), of_pod("b")], pods).problem
