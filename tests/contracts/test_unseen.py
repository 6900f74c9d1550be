"""What JSON Schema does not show of a model: what one version writes, the other refuses or reads otherwise."""

from __future__ import annotations

import importlib
import sys

import pytest

from rollout.contracts.check import check
from rollout.contracts.export import export

PRELUDE = """
import datetime as dt
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, Optional, Union
from pydantic import *
LEAST = 1
def positive(value):
    if value < LEAST:
        raise ValueError("too small")
    return value
class Cat(BaseModel):
    name: str
class Dog(BaseModel):
    name: str
"""


def model(fields: str, config: str = "", more: str = "", before: str = "") -> str:
    settings = f"    model_config = ConfigDict({config})\n" if config else ""
    lines = "".join(f"    {line}\n" for line in fields.split("; "))
    return f"{PRELUDE}{before}\nclass Model(BaseModel):\n{settings}{lines}{more}\n"


COLOR = "class Color(Enum):\n    RED = {}\n    BLUE = {}\n"
STRIPPED = (
    "    @field_validator('text')\n    @classmethod\n    def strip(cls, value):\n        return value.strip(STRIPPED)\n"
)
WRITTEN = "    @field_serializer('text')\n    def shorten(self, value):\n        return value[:SIZE]\n"
WHOLE = "    @model_validator(mode='after')\n    def whole(self):\n        assert self.a {} 1\n        return self\n"
ROOT = "class Inner(BaseModel):\n    model_config = ConfigDict(str_to_upper={})\n    text: str\n"

CHANGES = {
    "a validator in an annotation": (model("a: int"), model("a: Annotated[int, AfterValidator(positive)]"), {"a": 0}),
    "a constant of a validator": (
        model("a: Annotated[int, AfterValidator(positive)]"),
        model("a: Annotated[int, AfterValidator(positive)]").replace("LEAST = 1", "LEAST = 9"), {"a": 5},
    ),
    "a validator of a field": (
        model("text: str", more=STRIPPED, before="STRIPPED = ' '"), model("text: str", more=STRIPPED, before="STRIPPED = ' x'"), {"text": "ax"},
    ),
    "a validator of the whole": (model("a: int", more=WHOLE.format(">=")), model("a: int", more=WHOLE.format(">")), {"a": 1}),
    "strictness": (model("a: Decimal"), model("a: Annotated[float, Field(strict=True)]"), {"a": 1}),
    "a time zone": (model("at: dt.datetime"), model("at: AwareDatetime"), {"at": "2026-01-01T00:00:00"}),
    "a future date": (model("at: dt.date"), model("at: FutureDate"), {"at": "2020-01-01"}),
    "the bound of a decimal": (model("a: Decimal"), model("a: Annotated[Decimal, Field(ge=10)]"), {"a": 1}),
    "the digits of a decimal": (model("a: Decimal"), model("a: Annotated[Decimal, Field(decimal_places=1)]"), {"a": "1.25"}),
    "the bound of a date": (model("at: dt.date"), model("at: Annotated[dt.date, Field(ge=dt.date(2025, 1, 1))]"), {"at": "2020-01-01"}),
    "an alias": (model("a: int = 1"), model("a: int = Field(1, alias='b')"), {"a": 5}),
    "the path of an alias": (
        model("a: int = Field(1, validation_alias=AliasChoices('a', 'b'))"),
        model("a: int = Field(1, validation_alias=AliasChoices('b', AliasPath('c', 0)))"), {"a": 5},
    ),
    "spaces are stripped": (model("text: str"), model("text: str", "str_strip_whitespace=True"), {"text": " a "}),
    "letters are lowered": (model("text: str"), model("text: Annotated[str, StringConstraints(to_lower=True)]"), {"text": "A"}),
    "a serializer": (
        model("text: str"), model("text: str", more=WRITTEN, before="SIZE = 1"), {"text": "long"},
    ),
    "a secret": (model("text: SecretStr"), model("text: str"), {"text": "s3cret"}),
    "how bytes are written": (model("data: bytes", "ser_json_bytes='base64'"), model("data: bytes"), {"data": b"abc"}),
    "what is not declared is dropped": (model("a: int", "extra='allow'"), model("a: int"), {"a": 1, "more": 2}),
    "a field is left out": (model("a: int = 1", before="").replace("a: int = 1", "a: int = Field(1, exclude=True)"), model("a: int = 1"), {"a": 5}),
    "the order of a union": (model("pet: Union[Cat, Dog]"), model("pet: Union[Dog, Cat]"), {"pet": {"name": "x"}}),
    "a union from left to right": (
        model("at: Union[str, dt.date] = Field(union_mode='left_to_right')"), model("at: Union[dt.date, str] = Field(union_mode='left_to_right')"),
        {"at": "2026-01-01"},
    ),
    "an optional key is renamed": (model("client_name: Optional[str] = None"), model("clientname: Optional[str] = None"), {"client_name": "ada"}),
    "values of an enum are swapped": (
        model("color: Color", before=COLOR.format(1, 2)), model("color: Color", before=COLOR.format(2, 1)), {"color": 1},
    ),
    "a setting of a nested model": (
        model("inner: Inner", before=ROOT.format(False)), model("inner: Inner", before=ROOT.format(True)), {"inner": {"text": "a"}},
    ),
    "a validator that comes with a base": (
        model("a: int").replace("class Model(BaseModel)", "class Base(BaseModel):\n    pass\nclass Model(Base)"),
        model("a: int").replace("class Model(BaseModel)", "class Base(BaseModel):\n    @field_validator('*')\n    @classmethod\n    def check(cls, value):\n        return positive(value)\nclass Model(Base)"),
        {"a": 0},
    ),
    "a length in a union": (model("a: Union[int, bytes]"), model("a: Union[int, Annotated[bytes, Field(min_length=9)]]"), {"a": b"x"}),
}  # fmt: skip
"""By what changes: both versions, and what the old one is made of."""

HARMLESS = {
    "an optional field": (model("a: int"), model("a: int; b: int = 1")),
    "the order of fields": (model("a: int; b: str"), model("b: str; a: int")),
    "a description": (model("a: int"), model("a: int = Field(description='a number')")),
    "the name of a validator": (model("a: Annotated[int, AfterValidator(positive)]"), model("a: Annotated[int, AfterValidator(positive)]").replace("positive", "above")),
    "a docstring of a validator": (
        model("a: int", more=WHOLE.format(">=")), model("a: int", more=WHOLE.format(">=").replace("(self):", '(self):\n        "Looks at it."')),
    ),
    "frozen": (model("a: int"), model("a: int", "frozen=True")),
    "the order of plain alternatives": (model("a: Union[int, str]"), model("a: Union[str, int]")),
    "a method": (model("a: int"), model("a: int", more="    def twice(self):\n        return self.a * 2\n")),
    "a title": (model("a: int"), model("a: int", "title='A model'")),
    "a wider type": (model("a: int; pet: Cat"), model("a: Union[int, str]; pet: Cat")),
    "a member of an enum": (
        model("color: Color", before=COLOR.format(1, 2)), model("color: Color", before=COLOR.format(1, 2) + "    GREEN = 3\n"),
    ),
    "the name of the model": (model("a: int; pet: Cat"), model("a: int; pet: Cat").replace("class Model(", "class Form(") + "Model = Form\n"),
}  # fmt: skip


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Load a version's module, always under the same name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def load(source: str):
        sys.modules.pop("agent_models", None)
        (tmp_path / "agent_models.py").write_text(source)
        importlib.invalidate_caches()
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        module = importlib.import_module("agent_models")
        sys.dont_write_bytecode = before
        made = module.Model
        return made, export(made)

    yield load
    sys.modules.pop("agent_models", None)


def read(old, new, given):
    """What becomes of an object of the one that the other reads: None if it is refused."""
    written = old(**given)
    try:
        return written.model_dump(), new.model_validate_json(written.model_dump_json()).model_dump()
    except ValueError:
        return written.model_dump(), None


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_refused_or_read_otherwise_is_never_ok(loaded, what):
    before, after, given = CHANGES[what]
    (old, first), (new, second) = loaded(before), loaded(after)
    wrote, became = read(old, new, given)
    pet = (
        became is not None
        and type(old(**given).__dict__.get("pet")).__name__
        != type(new.model_validate_json(old(**given).model_dump_json()).__dict__.get("pet")).__name__
    )
    assert wrote != became or pet, "this pair shows nothing"
    assert check(first, second).backward != "ok"


@pytest.mark.parametrize("what", HARMLESS)
def test_what_changes_nothing_is_ok(loaded, what):
    before, after = HARMLESS[what]
    (_, first), (_, second) = loaded(before), loaded(after)
    verdict = check(first, second)
    assert verdict.backward == "ok", verdict.findings


@pytest.mark.parametrize("what", [*CHANGES, *HARMLESS])
def test_a_model_is_compatible_with_itself_and_has_one_contract(loaded, what):
    source = {**CHANGES, **HARMLESS}[what][1]
    (_, first), (_, second) = loaded(source), loaded(source)
    verdict = check(first, second)
    assert (verdict.backward, verdict.forward, verdict.hop) == ("ok", "ok", "ok"), verdict.findings
    assert first.digest == second.digest
