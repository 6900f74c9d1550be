"""How checkpoints are written, and where: what one version writes, another may not read."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest

pytest.importorskip("langgraph")
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel

from rollout.contracts.check import check
from rollout.contracts.export import export


class Doc(BaseModel):
    """A class that an open key may hold."""


class State(TypedDict):
    kept: Any


def keep(state: State) -> dict[str, Any]:
    return {"kept": Doc()}


def contract(version: str, serde=None, store=None):
    built = StateGraph(State)
    built.add_node("keep", keep)
    built.add_edge(START, "keep")
    return export(built.compile(checkpointer=InMemorySaver(serde=serde), store=store), version=version)


def verdict(old: dict, new: dict):
    return check(contract("v1", **old), contract("v2", **new))


def test_what_is_pickled_is_not_read_without_pickle():
    found = verdict({"serde": JsonPlusSerializer(pickle_fallback=True)}, {"serde": JsonPlusSerializer()})
    assert (found.backward, found.forward) == ("risk", "ok")


def test_a_memory_that_is_kept_no_longer_is_told():
    found = verdict({"store": InMemoryStore()}, {})
    assert (found.backward, found.forward) == ("risk", "ok")


def test_a_list_of_allowed_classes_is_strict_and_lets_in_those_classes():
    named = contract("v1", serde=JsonPlusSerializer(allowed_msgpack_modules=[("m", "Doc")])).store
    assert (named.strict_msgpack, named.allowed) == (True, ("m.Doc",))
    assert contract("v1", serde=JsonPlusSerializer(allowed_msgpack_modules=True)).store.strict_msgpack is False


def test_a_class_in_an_open_key_is_shut_out_by_strict_decoding_unless_it_is_allowed():
    path = (Doc.__module__, "Doc")
    strict, allowing = (JsonPlusSerializer(allowed_msgpack_modules=allowed) for allowed in ([("m", "Other")], [path]))
    found = verdict({"serde": JsonPlusSerializer()}, {"serde": strict})
    assert (found.backward, found.findings[0].code) == ("risk", "SERDE_ALLOWLIST")
    assert verdict({"serde": JsonPlusSerializer()}, {"serde": allowing}).backward == "ok"


def test_the_same_serializer_is_ok():
    found = verdict({"serde": JsonPlusSerializer()}, {"serde": JsonPlusSerializer()})
    assert (found.backward, found.forward, found.hop) == ("ok", "ok", "ok")
