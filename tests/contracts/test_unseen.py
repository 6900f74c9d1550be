"""What JSON Schema does not show of a model: what one version writes, the other refuses or reads otherwise."""

from __future__ import annotations

import datetime as dt
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

ENSURED = "    @model_validator(mode='after')\n    def whole(self):\n        self._ensure()\n        return self\n    def _ensure(self):\n        assert self.a > {}\n"
CLASSVAR = "from typing import ClassVar\n"
LIMITED = "    @model_validator(mode='after')\n    def whole(self):\n        assert self.a > self.LIMIT\n        return self\n"
BELOW = "class Base(BaseModel):\n    def add(self):\n        self.__dict__['a'] = self.a + {}\n"
ABOVE = "    @model_validator(mode='after')\n    def whole(self):\n        super().add()\n        return self\n"
PLUS = "import functools\ndef plus(value, more):\n    return value + more\n"
OWN = """
from pydantic_core import core_schema
class Own(int):
    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        read = core_schema.no_info_after_validator_function(scale, core_schema.int_schema())
        return core_schema.json_or_python_schema(json_schema=read, python_schema=core_schema.is_instance_schema(int))
def scale(value):
    return value * {}
"""
NAMED = "from typing_extensions import TypeAliasType\ndef above(value):\n    assert value >= {}\n    return value\nNamed = TypeAliasType('Named', Annotated[int, AfterValidator(above)])\n"
ROOTED = PRELUDE + "class Model(RootModel[Annotated[int, AfterValidator(positive)]]):\n    pass\n"
OLDER = model("pet: Union[Cat, Dog]").replace(
    "class Dog(BaseModel):\n    name: str", "class Dog(BaseModel):\n    name: str\n    age: int = 0"
)
PART = "from dataclasses import dataclass\n@dataclass\nclass Part:\n    x: Annotated[int, AfterValidator(positive)]\n"
KIND = "def kind(value):\n    return '{}'\n"

OVERRIDDEN = "class Base(BaseModel):\n    @model_validator(mode='after')\n    def whole(self):\n        self.check()\n        return self\n    def check(self):\n        pass\n"
PREDICATE = "from annotated_types import Predicate\n"
CHECKED = "class {0}(BaseModel):\n    x: int\n    @field_validator('x')\n    @classmethod\n    def least(cls, value):\n        assert value < {1}\n        return value\n"
LOOKS = "    @field_validator('b')\n    @classmethod\n    def least(cls, value, info):\n        assert value <= info.data.get('a', 0)\n        return value\n"

AROUND = "class Least(RootModel[Annotated[int, AfterValidator(positive)]]):\n    pass\n"
BOX = "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass {0}(BaseModel, Generic[T]):\n    x: T\n    @field_validator('x')\n    @classmethod\n    def least(cls, value):\n        assert value < {1}\n        return value\n"
INNER = "class {0}(BaseModel):\n    class Item(BaseModel):\n        x: int\n        @field_validator('x')\n        @classmethod\n        def least(cls, value):\n            assert value < {1}\n            return value\n    i: Item\n"
WITHIN = INNER.replace("{0}", "A").replace("{1}", "{0}") + INNER.replace("{0}", "B")
KINDS = "class X(BaseModel):\n    kind: Literal[{0}]\nclass Y(BaseModel):\n    kind: Literal[{1}]\n"

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
    "a lambda in an annotation": (
        model("a: Annotated[int, AfterValidator(lambda v: v)]"), model("a: Annotated[int, AfterValidator(lambda v: -v)]"), {"a": 5},
    ),
    "one of two lambdas of a line": (
        model("a: Annotated[int, AfterValidator(lambda v: v), AfterValidator(lambda v: v + 1)]"),
        model("a: Annotated[int, AfterValidator(lambda v: v), AfterValidator(lambda v: v + 2)]"), {"a": 5},
    ),
    "a method that a validator calls": (
        model("a: int", more=ENSURED.format(0)), model("a: int", more=ENSURED.format(9)), {"a": 5},
    ),
    "an attribute of the class": (
        model("a: int", more="    LIMIT: ClassVar[int] = 0\n" + LIMITED, before=CLASSVAR),
        model("a: int", more="    LIMIT: ClassVar[int] = 9\n" + LIMITED, before=CLASSVAR), {"a": 5},
    ),
    "what a base does": (
        model("a: int", more=ABOVE, before=BELOW.format(0)).replace("class Model(BaseModel)", "class Model(Base)"),
        model("a: int", more=ABOVE, before=BELOW.format(1)).replace("class Model(BaseModel)", "class Model(Base)"), {"a": 5},
    ),
    "an argument of a partial": (
        model("a: Annotated[int, AfterValidator(functools.partial(plus, more=0))]", before=PLUS),
        model("a: Annotated[int, AfterValidator(functools.partial(plus, more=1))]", before=PLUS), {"a": 5},
    ),
    "a function of operator": (
        model("text: Annotated[str, AfterValidator(operator.methodcaller('strip'))]", before="import operator"),
        model("text: Annotated[str, AfterValidator(operator.methodcaller('upper'))]", before="import operator"), {"text": "a"},
    ),
    "how a type of one's own is read from JSON": (model("a: Own", before=OWN.format(1)), model("a: Own", before=OWN.format(2)), {"a": 3}),
    "a type with a name": (
        model("a: Named; b: Named", before=NAMED.format(1)), model("a: Named; b: Named", before=NAMED.format(9)), {"a": 5, "b": 5},
    ),
    "what a root model holds": (
        model("a: Rooted", before="class Rooted(RootModel[Annotated[int, AfterValidator(positive)]]):\n    pass"),
        model("a: Rooted", before="class Rooted(RootModel[Annotated[int, AfterValidator(positive)]]):\n    pass").replace("LEAST = 1", "LEAST = 9"), {"a": 5},
    ),
    "a root model": (ROOTED, ROOTED.replace("LEAST = 1", "LEAST = 9"), {"root": 5}),
    "a dataclass": (
        model("a: Part", before=PART), model("a: Part", before=PART).replace("LEAST = 1", "LEAST = 9"), {"a": {"x": 5}},
    ),
    "when a field is left out": (model("a: int = Field(0, exclude_if=lambda v: v > 3)"), model("a: int = 0"), {"a": 5}),
    "what a discriminator decides": (
        model("pet: Annotated[Union[Annotated[Cat, Tag('c')], Annotated[Dog, Tag('d')]], Discriminator(kind)]", before=KIND.format("c")),
        model("pet: Annotated[Union[Annotated[Cat, Tag('c')], Annotated[Dog, Tag('d')]], Discriminator(kind)]", before=KIND.format("d")), {"pet": {"name": "x"}},
    ),
    "a field of an alternative": (OLDER, OLDER.replace("class Cat(BaseModel):\n    name: str", "class Cat(BaseModel):\n    name: str\n    age: int = 0"),
        {"pet": {"name": "x", "age": 3}}),
    "a text beside a date": (model("at: Union[int, dt.date]"), model("at: Union[int, str, dt.date]"), {"at": dt.date(2026, 1, 1)}),
    "the order of a named tuple": (
        model("at: Place", before="from typing import NamedTuple\nclass Place(NamedTuple):\n    x: int\n    y: int"),
        model("at: Place", before="from typing import NamedTuple\nclass Place(NamedTuple):\n    y: int\n    x: int"), {"at": (1, 2)},
    ),
    "the bounds of keys": (model("a: dict[int, int]"), model("a: dict[Annotated[int, Field(le=1)], int]"), {"a": {5: 1}}),
    "a text of JSON": (model("text: Any"), model("text: Json[list[int]]"), {"text": "[1]"}),
    "a default that flips": (model("approved: bool = False"), model("approved: bool = True"), {}),
    "a length in a union": (model("a: Union[int, bytes]"), model("a: Union[int, Annotated[bytes, Field(min_length=9)]]"), {"a": b"x"}),
    "a method that a class below overrides": (
        model("a: int", before=OVERRIDDEN).replace("class Model(BaseModel)", "class Model(Base)") + "    def check(self):\n        assert self.a > 1\n",
        model("a: int", before=OVERRIDDEN).replace("class Model(BaseModel)", "class Model(Base)") + "    def check(self):\n        assert self.a > 5\n",
        {"a": 3},
    ),
    "a text that becomes a decimal": (model("a: str"), model("a: Decimal"), {"a": "abc"}),
    "a predicate": (model("a: Annotated[int, Predicate(lambda v: v % 2 == 0)]", before=PREDICATE), model("a: Annotated[int, Predicate(lambda v: v % 4 == 0)]", before=PREDICATE), {"a": 2}),
    "a table that a validator looks in": (
        model("a: Annotated[str, AfterValidator({'a': 'b', 'b': 'b', 'c': 'c'}.__getitem__)]"),
        model("a: Annotated[str, AfterValidator({'a': 'b', 'b': 'c', 'c': 'c'}.__getitem__)]"), {"a": "a"},
    ),
    "which part of a tuple is bound": (
        model("a: tuple[Annotated[Decimal, Field(ge=1)], Decimal]"), model("a: tuple[Decimal, Annotated[Decimal, Field(ge=1)]]"), {"a": (1, 0)},
    ),
    "places of a decimal": (
        model("a: Decimal = Field(max_digits=5, decimal_places=2)"), model("a: Decimal = Field(max_digits=5, decimal_places=4)"), {"a": "123.45"},
    ),
    "a bound within a union": (
        model("a: Union[Annotated[Decimal, Field(ge=10)], str]"), model("a: Union[Annotated[Decimal, Field(ge=1)], str]"), {"a": "5"},
    ),
    "the order of lists": (model("a: Union[list[dt.date], list[str]]"), model("a: Union[list[str], list[dt.date]]"), {"a": [dt.date(2026, 1, 2)]}),
    "the case of a pattern": (
        model("a: str = Field(pattern=re.compile('^abc$', re.I))", before="import re\n"), model("a: str = Field(pattern=re.compile('^abc$'))", before="import re\n"), {"a": "ABC"},
    ),
    "a schema that says something else": (
        model("a: str = Field(json_schema_extra={'type': 'string'})"), model("a: int = Field(json_schema_extra={'type': 'string'})"), {"a": "abc"},
    ),
    "a class in the same place with other validators": (
        model("inner: Inner", before=CHECKED.format("Inner", 9)), model("inner: Other", before=CHECKED.format("Other", 5)), {"inner": {"x": 7}},
    ),
    "a class where there was none": (
        model("a: dict[str, int]"), model("a: Inner", before=CHECKED.format("Inner", 3)), {"a": {"x": 5}},
    ),
    "a class around a number": (model("a: int"), model("a: Least", before=AROUND), {"a": 0}),
    "a renamed class that may be left out": (
        model("a: Inner", before=CHECKED.format("Inner", 9)), model("a: Optional[Other] = None", before=CHECKED.format("Other", 3)), {"a": {"x": 5}},
    ),
    "a renamed class under names of a pattern": (
        model("a: dict[Annotated[str, Field(pattern='^a')], Inner]", before=CHECKED.format("Inner", 9)),
        model("a: dict[Annotated[str, Field(pattern='^a')], Other]", before=CHECKED.format("Other", 3)), {"a": {"a": {"x": 5}}},
    ),
    "a class of any type": (
        model("a: Box[int]", before=BOX.format("Box", 9)), model("a: Case[int]", before=BOX.format("Case", 3)), {"a": {"x": 5}},
    ),
    "a class within another one": (
        model("a: A; b: B", before=WITHIN.format(9, 3)), model("a: A; b: B", before=WITHIN.format(3, 9)), {"a": {"i": {"x": 5}}, "b": {"i": {"x": 1}}},
    ),
    "a tag that moves to another variant": (
        model("a: Union[X, Y]", before=KINDS.format("'a', 'c'", "'b'")), model("a: Union[X, Y]", before=KINDS.format("'a'", "'b', 'c'")), {"a": {"kind": "c"}},
    ),
    "aliases that change places": (
        model("a: int = Field(alias='x'); b: int = Field(alias='y')", "serialize_by_alias=True"),
        model("a: int = Field(alias='y'); b: int = Field(alias='x')", "serialize_by_alias=True"), {"x": 5, "y": 6},
    ),
    "a validator of a field that has another name in code": (
        model("a: int = Field(alias='x')", "serialize_by_alias=True"),
        model("b: Annotated[int, AfterValidator(positive)] = Field(alias='x')", "serialize_by_alias=True"), {"x": 0},
    ),
    "a value that was worked out": (
        model("a: int", more="    @computed_field\n    def b(self) -> int:\n        return self.a\n"),
        model("a: int; b: Annotated[int, AfterValidator(positive)] = 1"), {"a": 0},
    ),
    "keys that a class does not declare": (model("a: dict[str, int]"), model("a: Cell", before="class Cell(BaseModel):\n    x: int = 0\n"), {"a": {"x": 1, "y": 2}}),
    "a schema that says nothing": (
        model("a: str", "json_schema_extra={'properties': {}, 'required': []}"), model("a: int", "json_schema_extra={'properties': {}, 'required': []}"), {"a": "x"},
    ),
    "a text that is a number": (model("a: str"), model("a: complex"), {"a": "abc"}),
    "a field that a validator looks at, moved behind": (
        model("a: int = 1; b: int = 1", more=LOOKS), model("b: int = 1; a: int = 1", more=LOOKS), {"a": 5, "b": 3},
    ),
}  # fmt: skip
"""By what changes: both versions, and what the old one is made of."""

TAGGED = (
    PRELUDE
    + """
class A(BaseModel):
    kind: Literal['a'] = 'a'
class B(BaseModel):
    kind: Literal['b'] = 'b'
class Model(BaseModel):
    part: Union[A, B] = Field(discriminator='kind')
"""
)

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
    "a variant with a tag of its own": (TAGGED, TAGGED.replace("kind: Literal['a'] = 'a'", "kind: Literal['a'] = 'a'\n    more: int = 0")),
    "a private attribute": (model("a: int"), model("a: int; _seen: int = 0")),
    "the form of a decorator": (
        model("text: str", more=STRIPPED, before="STRIPPED = ' '"),
        model("text: str", more=STRIPPED.replace("@field_validator('text')", "@field_validator('text', mode='after')"), before="STRIPPED = ' '"),
    ),
    "a setting at its default": (model("a: int"), model("a: int", "str_strip_whitespace=False, allow_inf_nan=True, revalidate_instances='never'")),
    "another default": (model("a: int = 1"), model("a: int = 2")),
    "the name of the model": (model("a: int; pet: Cat"), model("a: int; pet: Cat").replace("class Model(", "class Form(") + "Model = Form\n"),
    "an alias that is the field's own name": (model("a: int"), model("a: int = Field(alias='a')")),
    "names beside aliases where there are none": (model("a: int"), model("a: int", "populate_by_name=True")),
    "a list that may be any sequence": (model("a: list[int]"), model("a: Sequence[int]", before="from collections.abc import Sequence\n")),
    "any version of a uuid": (model("a: UUID4"), model("a: UUID", before="from uuid import UUID\n")),
    "a looser bound": (model("a: Decimal = Field(ge=5, max_digits=5)"), model("a: Decimal = Field(ge=0, max_digits=8)")),
    "no bound any more": (model("a: dt.date = Field(ge=dt.date(2020, 1, 1))"), model("a: dt.date")),
    "no strictness any more": (model("a: int = Field(strict=True)"), model("a: int")),
    "a bound that is let in": (model("a: Decimal = Field(gt=5)"), model("a: Decimal = Field(ge=Decimal('5.0'))")),
    "a looser bound of a duration": (
        model("a: dt.timedelta = Field(le=dt.timedelta(days=1))"), model("a: dt.timedelta = Field(le=dt.timedelta(days=1, seconds=5))"),
    ),
    "the name in code of a field with an alias": (model("a: int = Field(alias='x')"), model("b: int = Field(alias='x')")),
    "a new part that checks": (
        model("a: int"), model("a: int; part: Optional[Inner] = None", before=CHECKED.format("Inner", 3)),
    ),
    "the name of a variant": (model("a: Union[Inner, Dog]", before=CHECKED.format("Inner", 9)), model("a: Union[Other, Dog]", before=CHECKED.format("Other", 9))),
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
    """What an object of the one is, and what the other makes of it: None if it is refused."""
    written = old(**given)
    try:
        became = new.model_validate_json(written.model_dump_json(exclude_unset=not given))
    except ValueError:
        return told(written), None
    return told(written), told(became)


def told(model) -> tuple:
    """Everything that a model holds, with the classes of its parts."""
    return model.model_dump(), str(model)


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_refused_or_read_otherwise_is_never_ok(loaded, what):
    before, after, given = CHANGES[what]
    (old, first), (new, second) = loaded(before), loaded(after)
    wrote, became = read(old, new, given)
    assert wrote != became, "this pair shows nothing"
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
