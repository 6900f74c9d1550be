"""What the engine may rely on, port by port: every adapter keeps to it, the fakes as well as the real ones."""

from __future__ import annotations

import ast
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from rollout.engine import ports
from rollout.engine.effects import SetWeight
from rollout.engine.planned import Plan
from rollout.engine.route_facts import BorrowedRoute
from rollout.errors import RouterUnavailable, Unavailable
from rollout.model.api.gates import Gates
from rollout.model.api.notifications import Notifications
from rollout.model.status.decision import Decision
from rollout.model.status.notices import Notice
from rollout.model.status.release import CheckRun
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Reason
from tests.ports import adapters
from tests.ports.adapters import NOW, tried
from tests.statuses import status_with
from tests.waiting import eventually

ADAPTERS = Path(__file__).parents[2] / "rollout"


def over(makers):
    return pytest.mark.parametrize("maker", makers.values(), ids=makers)


def shares(facts):
    """Return each version's share of a route in basis points, whoever owns it."""
    if isinstance(facts, BorrowedRoute):
        return {version: share for version, share in facts.shares.items() if share}
    candidate = {facts.candidate: facts.weight_bp} if facts.weight_bp else {}
    return {facts.stable: 10_000 - (facts.weight_bp or 0)} | candidate


# -- Router ------------------------------------------------------------------------------------------------------------


@over(adapters.ROUTERS)
def test_what_a_router_was_brought_to_is_what_it_is_seen_to_have_in_force(maker, tmp_path):
    with tried(maker, tmp_path) as it:
        assert shares(it.adapter.observe()) == {"v1": 10_000}
        for weight_bp in (1000, 5000, 0):
            bases = ((it.adapter.name, 100),)
            it.adapter.apply(SetWeight("v1", "v2", weight_bp, bases=bases))
            it.adapter.apply(SetWeight("v1", "v2", weight_bp, bases=bases))  # idempotent
            assert shares(it.adapter.observe()) == {"v1": 10_000 - weight_bp} | ({"v2": weight_bp} if weight_bp else {})


@over(adapters.ROUTERS)
def test_a_router_that_is_away_is_a_fact_with_a_word_and_a_weight_may_fail_only_in_one_way(maker, tmp_path):
    with tried(maker, tmp_path) as it:
        it.take_down()
        facts = it.adapter.observe()
        assert facts.name == it.adapter.name and not facts.reachable and facts.problem
        try:
            it.adapter.apply(SetWeight("v1", "v2", 1000))
        except RouterUnavailable as error:
            assert str(error)


# -- StatusStore ------------------------------------------------------------------------------------------------------


def decision(message="because"):
    return Decision(
        at=NOW, phase=Phase.OBSERVING, step=0, weight_bp=0, kind="transition", reason=Reason.HOLDING, message=message
    )


@over(adapters.STATUS_STORES)
def test_what_was_saved_is_what_is_loaded(maker, tmp_path):
    with tried(maker, tmp_path) as it:
        status = status_with(
            it.adapter.load().status, message="written", harm_e=1.2345678901234567, candidate_version="v2"
        )
        it.adapter.save(Plan(status, decisions=(decision(),)))
        it.adapter.tell()
        assert it.adapter.load().status == status
        assert it.adapter.load().spec.version == "v2"


@over(adapters.STATUS_STORES)
def test_a_status_that_cannot_be_written_says_so_and_keeps_what_it_had(maker, tmp_path):
    with tried(maker, tmp_path) as it:
        before = it.adapter.load().status
        it.take_down()
        with pytest.raises(Unavailable):
            it.adapter.save(Plan(status_with(before, message="lost"), decisions=(decision(),)))
        assert it.adapter.load().status == before


# -- MetricsSource -----------------------------------------------------------------------------------------------------


@over(adapters.METRICS)
def test_counters_of_both_versions_are_read_in_one_round(maker, tmp_path):
    with tried(maker, tmp_path) as it:
        round_ = it.adapter.read("v1", "v2", adapters.KPIS)
        reading = round_.kpis["tasks"]
        assert reading.problem == ""
        for counters, (started, failed) in zip(
            (reading.stable, reading.candidate), adapters.COUNTERS.values(), strict=True
        ):
            assert (sum(counters.total.values()), sum(counters.bad.values())) == (started, failed)
        assert sum(round_.requests.candidate.total.values()) == 40


@over(adapters.METRICS)
def test_a_source_that_is_away_is_a_problem_of_every_reading_and_raises_nothing(maker, tmp_path):
    with tried(maker, tmp_path) as it:
        it.take_down()
        round_ = it.adapter.read("v1", "v2", adapters.KPIS)
        assert round_.kpis["tasks"].problem and round_.requests.problem


# -- Workloads ---------------------------------------------------------------------------------------------------------


@over(adapters.WORKLOADS)
def test_versions_that_answer_have_nothing_against_them_and_others_a_word(maker, tmp_path):
    ports_of = {"v1": (8000,), "v2": (8000,)}
    with tried(maker, tmp_path) as it:
        assert set(it.adapter.known(("v1", "v2"))) == {"v1", "v2"}
        assert dict(it.adapter.ready(("v1", "v2"), ports_of)) == {"v1": "", "v2": ""}
        it.take_down()
        ready = it.adapter.ready(("v1", "v2"), ports_of)
        assert ready["v1"] == "" and ready["v2"]
        assert it.adapter.asleep(("v1", "v2")) == frozenset()
        assert it.adapter.no_backend


# -- Gatekeeper --------------------------------------------------------------------------------------------------------


@over(adapters.GATEKEEPERS)
def test_without_windows_traffic_may_move_and_a_check_that_is_asked_never_holds_anybody_up(maker, tmp_path):
    with tried(maker, tmp_path) as it:
        assert it.adapter.calendar(Gates()).is_open
        gates = Gates.model_validate(
            {"webhooks": [{"name": "slow", "url": "http://127.0.0.1:9/hook", "when": "before-traffic"}]}
        )
        run = CheckRun(id="1", name="slow", point="before-traffic", asked_at=NOW, deadline=NOW + timedelta(hours=1))
        status = status_with(phase=Phase.PREFLIGHT, stable_version="v1", candidate_version="v2", checks=(run,))
        asked = adapters.replace_status(adapters.rollout(), status)
        facts = it.adapter.checks(asked, gates)
        assert set(facts) <= {"1"} and all(fact.passed is None for fact in facts.values())


# -- Notifier ----------------------------------------------------------------------------------------------------------

TOLD = Notifications.model_validate({"targets": [{"name": "team", "apprise": {"url": {"env": "CHAT"}}}]})


def to_be_told(*notices):
    status = status_with(Status(stable_version="v1"), notices=notices)
    return adapters.replace_status(adapters.rollout(), status)


def notice(name):
    deadline = NOW + timedelta(hours=1)
    return Notice(id=name, kind="promoted", at=NOW, deadline=deadline, pending=("team",), message="v2 is promoted")


@over(adapters.NOTIFIERS)
def test_what_is_to_be_told_is_told_and_what_is_not_there_any_more_is_not_spoken_of(maker, tmp_path):
    with tried(maker, tmp_path) as it:
        first = to_be_told(notice("1"))
        eventually(lambda: it.adapter.deliveries(first, TOLD)["1/team"].delivered)
        assert set(it.adapter.deliveries(to_be_told(notice("2")), TOLD)) == {"2/team"}
        assert it.adapter.deliveries(to_be_told(), TOLD) == {}


@over(adapters.NOTIFIERS)
def test_whoever_cannot_be_told_is_a_fact_with_a_word_and_holds_nobody_up(maker, tmp_path):
    with tried(maker, tmp_path) as it:
        it.take_down()
        asked = to_be_told(notice("1"))
        eventually(lambda: it.adapter.deliveries(asked, TOLD)["1/team"].message)
        fact = it.adapter.deliveries(asked, TOLD)["1/team"]
        assert not fact.delivered and fact.message == "nobody answers"


# -- States ------------------------------------------------------------------------------------------------------------


@over(adapters.STATES)
def test_contracts_come_as_texts_or_with_the_reason_why_there_is_none(maker, tmp_path):
    with tried(maker, tmp_path) as it:
        rollout = adapters.rollout()
        eventually(lambda: it.adapter.contracts(rollout, ("v1", "v2")))
        texts = it.adapter.contracts(rollout, ("v1", "v2"))
        assert {version: (told.text, told.problem) for version, told in texts.items()} == {
            "v1": ("{}", ""),
            "v2": ("{}", ""),
        }
        it.take_down()
        eventually(lambda: it.adapter.contracts(rollout, ("v2", "v1")))
        assert all(told.problem and not told.text for told in it.adapter.contracts(rollout, ("v2", "v1")).values())
        assert it.adapter.census(rollout) is None, "no store is declared"


# -- ConversationCounts -----------------------------------------------------------------------------------------------


@over(adapters.CONVERSATIONS)
def test_open_conversations_are_counted_and_what_cannot_be_counted_is_not_zero(maker, tmp_path, monkeypatch):
    monkeypatch.setattr("rollout.adapters.conversations.counter.EVERY_S", 0.0)
    with tried(maker, tmp_path) as it:
        eventually(
            lambda: {name: seen.open for name, seen in it.adapter.open(("v1", "v2")).items()} == {"v1": 3, "v2": 0}
        )
        it.take_down()
        eventually(lambda: all(seen.open is None and seen.problem for seen in it.adapter.open(("v1", "v2")).values()))


# -- Clock -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", adapters.CLOCKS.values(), ids=adapters.CLOCKS)
def test_time_is_aware_in_utc_and_never_runs_backwards(clock):
    it = clock()
    times = [it.now() for _ in range(50)]
    assert times == sorted(times) and all(each.tzinfo is UTC for each in times)


# -- all of them -------------------------------------------------------------------------------------------------------

PORTS = {
    "Router": adapters.ROUTERS,
    "MetricsSource": adapters.METRICS,
    "Workloads": adapters.WORKLOADS,
    "Gatekeeper": adapters.GATEKEEPERS,
    "Notifier": adapters.NOTIFIERS,
    "StateContracts": adapters.STATES,
    "ConversationCounts": adapters.CONVERSATIONS,
    "StatusStore": adapters.STATUS_STORES,
    "Clock": adapters.CLOCKS,
}

WRAPPERS = {
    "ReadOnlyRouter": "holds another one back",
    "DryRunStatusStore": "reads, and writes nothing",
    "_Sampled": "asks another one from a thread",
    "_LazySource": "builds another one when it is asked",
    "_UnreadableSource": "stands for one that cannot be built",
    "_Idle": "asks nobody, in a dry run",
}
"""Adapters that only stand before another one, or for none."""


def methods(node: ast.ClassDef) -> dict[str, list[str]]:
    """Return the public methods of a class, with the names of their arguments."""
    return {
        part.name: [argument.arg for argument in part.args.args]
        for part in node.body
        if isinstance(part, ast.FunctionDef) and not part.name.startswith("_") and not part.decorator_list
    }


def test_every_adapter_of_a_port_is_in_this_suite():
    """An adapter is a class with all the methods of a port."""
    classes = [node for node in ast.parse(Path(ports.__file__).read_text()).body if isinstance(node, ast.ClassDef)]
    needed = {
        node.name: methods(node) for node in classes if [ast.unparse(base) for base in node.bases] == ["Protocol"]
    }
    assert needed.keys() == PORTS.keys(), "a port without a suite"
    known = {port: {name.partition(",")[0] for name in makers} | WRAPPERS.keys() for port, makers in PORTS.items()}
    untried = [
        f"{port}: {path.relative_to(ADAPTERS)} {node.name}"
        for path in sorted(ADAPTERS.rglob("*.py"))
        if "engine" not in path.parts
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
        for port, names in needed.items()
        if names.items() <= methods(node).items() and node.name not in known[port]
    ]
    assert untried == []
