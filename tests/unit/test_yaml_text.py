"""YAML is read as what JSON could say, bounded, and each fault has its place."""

from __future__ import annotations

import datetime as dt
import string

import pytest

from rollout.errors import InvalidInput
from rollout.model.yaml_text import DEPTH_MAX, NODES_MAX, load_all

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip(string.ascii_lowercase, string.ascii_lowercase[1:20], strict=False)
)
MERGED = "a: &a {k: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{','.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip(string.ascii_lowercase, string.ascii_lowercase[1:20], strict=False)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 2026-01-01", "2026-01-01"),
        ("a: 2026-13-45", "2026-13-45"),
        ("a: 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("a: 1.5", 1.5),
        ("a: 12", 12),
        ("a: yes", True),
        ("a: ~", None),
        ("x: &x {b: 1, a: 2}\n<<: *x\na: 3", 3),
    ],
)
def test_values_are_those_of_json(text, value):
    ((_, raw),) = load_all(text, "f")
    assert raw["a"] == value and not isinstance(raw["a"], dt.date)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        (BOMB, "f:5:", f"more than {NODES_MAX} values"),
        (MERGED, "f:6:", f"more than {NODES_MAX} values"),
        ("a: &a [*a]", "f:1:8", "stands for what it is in"),
        ("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1), f"f:1:{DEPTH_MAX + 1}", "nested deeper"),
        ("[" * 100_000, "f", "nest"),
        ("- " * 3000 + "a", "f", "nested deeper"),
        ("a: " + "9" * 31, "f:1:4", "31 digits"),
        ("a: .inf", "f:1:4", "not a finite number"),
        ("a: .nan", "f:1:4", "not a finite number"),
        ("a: 1.0e+999", "f:1:4", "not a finite number"),
        ("a: 0b", "f", ""),
        ("a: 09:99", "f", ""),
        ("a: !!binary aGk=", "f:1:4", "!!binary has no meaning"),
        ("a: !!timestamp 2026-13-45", "f:1:4", "!!timestamp has no meaning"),
        ("a: !!python/object/apply:os.getcwd []", "f:1:4", "has no meaning"),
        ("a: !!int x", "f:1:4", "not a number"),
        ("a: !!float x", "f:1:4", "not a number"),
        ("a: 1\na: 2", "f:2:1", "written twice"),
        ("{[1]: 2}", "f:1:2", "unhashable"),
        ("a: *b", "f:1:4", "undefined alias"),
        ("<<: 3", "f:1:5", "mapping"),
        ("a: \x00", "f", "character"),
        ("a:\n\t- b", "f:2:1", "token"),
    ],
)
def test_what_json_could_not_say_is_a_fault_at_its_place(text, place, problem):
    if not problem:
        load_all(text, "f")
        return
    with pytest.raises(InvalidInput) as refused:
        load_all(text, "f")
    (fault,) = refused.value.faults
    assert fault.path.startswith(place) and problem in fault.message


def test_every_document_is_read_and_empty_ones_are_passed_over():
    assert [raw for _, raw in load_all("a: 1\n---\n---\n- b\n", "f")] == [{"a": 1}, ["b"]]
