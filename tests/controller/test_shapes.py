"""Every shape of route that people write: adopted as it is, released through, rolled back, and given back exactly."""

from __future__ import annotations

import pytest

from rollout.adapters.kubernetes.resources import ROLLOUT
from tests.controller.steps import LONG, abort, observing, released
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld
from tests.fakes.shapes import SHAPES, TEMPLATE


def swapped(shape, spec, splits):
    """The spec of a route with the weights of both versions of its splits exchanged, pairwise."""
    for _, rules, place in splits:
        backends = spec[rules][place]["backendRefs" if rules == "rules" else "route"]
        mine = {which: [each for each in backends if shape.version_of(each) == which] for which in ("v1", "v2")}
        for old, new in zip(mine["v1"], mine["v2"], strict=True):
            old["weight"], new["weight"] = new["weight"], old["weight"]
    return spec


@pytest.mark.parametrize("name", SHAPES)
def test_a_release_moves_every_split_together_and_leaves_the_rest_as_it_was(name):
    shape = SHAPES[name]
    with ClusterWorld(shape=shape) as world:
        before = shape.specs(world.api, world.namespace)
        assert released(world)["result"] == "promoted"
        world.until(lambda _: world.get()["metadata"].get("finalizers", []) == [])
        splits = {each["metadata"]["name"]: [] for each in shape.objects}
        for split in shape.splits:
            splits[split[0]].append(split)
        expected = [
            swapped(shape, spec, splits[each["metadata"]["name"]])
            for spec, each in zip(before, shape.objects, strict=True)
        ]
        assert shape.specs(world.api, world.namespace) == expected


@pytest.mark.parametrize("name", SHAPES)
def test_a_rollback_in_mid_flight_gives_back_what_was_found_to_the_letter(name):
    shape = SHAPES[name]
    with ClusterWorld(shape=shape, policy=LONG) as world:
        before = shape.specs(world.api, world.namespace)
        observing(world)
        for split in shape.splits:
            shares = shape.shares(world.api, world.namespace, split)
            assert shares["v1"] == shares["v2"] > 0, (split, shares)
        abort(world)
        world.phase("RolledBack")
        world.until(lambda _: world.get()["metadata"].get("finalizers", []) == [])
        assert shape.specs(world.api, world.namespace) == before


def test_who_names_a_delegate_and_who_names_its_root_never_shift_it_both():
    with ClusterWorld(shape=SHAPES["a delegate"], policy=LONG) as world:
        observing(world)
        rival = agents.rollout(world.url, name="rival", version="v2", backends=TEMPLATE)
        rival["spec"] |= {
            "backends": {**TEMPLATE, "service": "agent-$version"},
            "routes": [{"virtualService": {"name": "talk"}}],
        }
        world.api.create(ROLLOUT, "default", rival)
        told = "the Rollout agent shifts the same rule"
        world.until(lambda _: told in world.condition("Stalled", "rival").get("message", ""))


def test_a_further_rule_that_is_taken_out_at_rest_is_nobodys_trouble():
    shape = SHAPES["several rules that split, none named"]
    with ClusterWorld(shape=shape) as world:
        released(world)
        world.until(lambda _: world.get()["metadata"].get("finalizers", []) == [])
        world.api.patch(shape.kind, "default", "agent", [{"op": "remove", "path": "/spec/rules/2"}])
        world.until(lambda status: "httpRoute/agent#2" not in status.get("rules", {}))
        assert world.condition("Stalled")["status"] == "False"
