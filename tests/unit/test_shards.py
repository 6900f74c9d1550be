"""Which shard a rollout is of, and which shard is asked for."""

from __future__ import annotations

from collections import Counter

import pytest

from rollout.controller.shards import are_siblings, lease_names, shard_of, to_ask_for

KEYS = [f"team-{number % 40}/agent-{number}" for number in range(10_000)]


@pytest.mark.parametrize("count", [2, 3, 5, 16])
def test_shards_are_even_and_one_more_moves_its_own_share_only(count):
    before = {key: shard_of(key, count) for key in KEYS}
    sizes = Counter(before.values())
    assert set(sizes) == set(range(count))
    assert max(sizes.values()) < 1.2 * len(KEYS) / count
    after = {key: shard_of(key, count + 1) for key in KEYS}
    moved = [key for key in KEYS if before[key] != after[key]]
    assert all(after[key] == count for key in moved), "they move to the new shard, and to no other"
    assert len(moved) < 1.2 * len(KEYS) / (count + 1)


def test_all_are_of_the_only_shard_and_its_lease_has_the_plain_name():
    assert {shard_of(key, 1) for key in KEYS[:50]} == {0}
    assert lease_names("rollout-controller", 1) == ["rollout-controller"]
    assert lease_names("rollout-controller", 2) == ["rollout-controller-1-of-2", "rollout-controller-2-of-2"]


def test_leases_of_one_fleet_are_siblings_whatever_the_number_of_shards():
    assert are_siblings("system/rollout-controller-1-of-3", "system/rollout-controller-4-of-4")
    assert are_siblings("system/rollout-controller", "system/rollout-controller-1-of-2")
    assert not are_siblings("system/rollout-controller-agents-1-of-2", "system/rollout-controller-1-of-2")
    assert not are_siblings("system/rollout-controller", "elsewhere/rollout-controller")


@pytest.mark.parametrize(
    ("own", "holders", "wanted"),
    [
        (0, {}, None),
        (0, {0: "a", 1: "b"}, None),
        (0, {0: "a", 1: "b", 2: "b"}, 2),
        (1, {0: "a", 1: "a"}, None),
        (1, {0: "a", 1: "a", 3: "a"}, 3),
        (0, {0: "b", 1: "b", 2: "a", 3: "a"}, 3),
    ],
)
def test_a_shard_is_asked_for_only_where_that_makes_them_more_even(own, holders, wanted):
    assert to_ask_for(own, holders) == wanted
