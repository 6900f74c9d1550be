"""A drain that somebody ends by hand, and one that is seen through on a machine where no controller runs."""

from __future__ import annotations

import pytest

from rollout.adapters.storage.command_annotations import annotation_of, commands_of
from rollout.adapters.storage.sqlite import SqliteStore
from rollout.engine.facts import Command, DrainOrder
from rollout.model.api.rollout import Metadata
from rollout.model.rollout import Rollout
from rollout.model.status.vocabulary import Reason
from tests.unit.test_pins import draining, world
from tests.world import EPOCH, policy, spec


def drain(made, version="v1", then="end"):
    made.status_store.pending.append(
        Command(f"drain-{version}-{then}", "drain", "ada", "they were told", made.clock.at, version=version, then=then)
    )
    made.reconcile()
    return made.status.last_command


def test_a_drain_that_is_ended_by_hand_takes_the_pins_out_and_says_who_did_it():
    made = draining()
    answer = drain(made)
    assert answer.accepted and "3 conversations are ended" in answer.message
    made.run(10)
    assert made.status.draining == {} and not made.router.effective.pins
    ended = [decision for decision in made.status_store.decisions if decision.reason is Reason.DRAINED]
    assert [decision.actor for decision in ended] == ["ada"] and "they were told" in ended[0].message


def test_conversations_are_handed_over_by_hand_only_where_a_contract_allows_it():
    made = draining()
    answer = drain(made, then="handOver")
    assert not answer.accepted and "--then end" in answer.message
    assert made.status.draining["v1"].open == 3 and made.router.effective.pins.versions == ("v1",)


@pytest.mark.parametrize(
    ("version", "then", "word"),
    [("v2", "end", "is the stable version"), ("v9", "end", "is not draining"), ("v1", None, "does not say")],
)
def test_a_drain_that_cannot_be_ended_is_refused_and_nothing_changes(version, then, word):
    made = draining()
    answer = drain(made, version, then)
    assert not answer.accepted and word in answer.message
    assert "v1" in made.router.effective.pins.versions


def test_the_version_that_is_being_released_is_not_drained_by_hand():
    made = world()
    made.run(600, until="Observing")
    answer = drain(made, "v2")
    assert not answer.accepted and "abort the release first" in answer.message


def test_a_drain_travels_as_an_annotation_and_through_the_store(tmp_path):
    command = Command("id-1", "drain", "ada", "because", EPOCH, version="v1", then="handOver")
    key, text = annotation_of(command)
    assert commands_of({"metadata": {"annotations": {key: text}}}) == (command,)
    forged = text.replace("handOver", "sudo")
    assert commands_of({"metadata": {"annotations": {key: forged}}})[0].then is None
    rollout = Rollout(Metadata(name="agent"), spec("v2", policy()))
    store = SqliteStore(tmp_path, create=True)
    held = store.hold(rollout.metadata, lambda recorded: recorded or rollout)
    store.append("agent", "drain", "ada", "because", EPOCH, rollout.status, DrainOrder("v1", "end"))
    held.release()
    (read,) = held.commands()
    assert (read.verb, read.version, read.then) == ("drain", "v1", "end")
