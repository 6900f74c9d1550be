"""The house is kept tidy: names that say something, modules that fit into a head."""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2] / "rollout"
MODULES = sorted(HOUSE.rglob("*.py"))

EMPTY_NAMES = frozenset({"found", "each", "told", "made", "spoken", "said", "words"})
"""Names that carry nothing: a variable says what it holds."""

FORMER_NAMES = frozenset({"look", "looked", "shelf", "keeper", "fitness", "in_force", "records"})
"""Names that the glossary has another word for: sample, census, store, check, gate, effective."""

LINES_MAX = 300


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield every name that a module gives to something or calls something by, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.alias(name=name, asname=other):
                yield node.lineno, other or name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_no_name_is_empty_or_a_former_one(module):
    names = identifiers(ast.parse(module.read_text()))
    assert [f"{line}: {name}" for line, name in names if name.strip("_") in EMPTY_NAMES | FORMER_NAMES] == []


def test_an_empty_name_would_be_noticed_wherever_it_stands():
    source = "from a import b as found\ndef f(each):\n  for told in each: made.spoken = said(words)\n  match x:\n    case _found: pass"
    assert {name.strip("_") for _, name in identifiers(ast.parse(source))} >= EMPTY_NAMES


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_a_name_ends_in_an_underscore_only_where_python_has_taken_it(module):
    taken = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}
    names = {name for _, name in identifiers(ast.parse(module.read_text())) if name.endswith("_") and name[0] != "_"}
    assert [name for name in sorted(names) if name.rstrip("_") not in taken] == []


def test_a_module_fits_into_a_head():
    too_long = {str(path.relative_to(HOUSE)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in too_long.items() if lines > LINES_MAX} == {}


def test_class_names_are_there_once():
    classes: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(str(path.relative_to(HOUSE)))
    twice = {name: places for name, places in classes.items() if len(places) > 1}
    assert twice == {}
