"""Pydantic as the oracle for what JSON Schema does not show: under a verdict that says ok nothing is refused or read otherwise.

Pairs of models are made by chance, of fields with features; instances of the one are dumped and validated by the other.
"""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from typing import Annotated, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FutureDate,
    NaiveDatetime,
    PastDate,
    PlainSerializer,
    SecretStr,
    StringConstraints,
    ValidationError,
    create_model,
)

from rollout.contracts.check import check
from rollout.contracts.export import export

COUNTER = itertools.count()


class Cat(BaseModel):
    name: str
    lives: int = 9


class Dog(BaseModel):
    name: str


def doubled(value: Any) -> Any:
    return value * 2


def positive(value: Any) -> Any:
    assert value > 0
    return value


def shortened(value: Any) -> str:
    return str(value)[:1]


TYPES: dict[str, list[Any]] = {
    "text": [
        str, Annotated[str, StringConstraints(strip_whitespace=True)], Annotated[str, StringConstraints(to_upper=True)],
        Annotated[str, AfterValidator(doubled)], Annotated[str, PlainSerializer(shortened)], SecretStr,
        Annotated[str, Field(strict=True)], Annotated[str, BeforeValidator(shortened)],
    ],
    "number": [
        int, Annotated[int, Field(strict=True)], Annotated[int, AfterValidator(positive)], Annotated[int, AfterValidator(doubled)],
        Decimal, Annotated[Decimal, Field(ge=2)], Annotated[Decimal, Field(max_digits=1)], Annotated[Decimal, Field(decimal_places=0)],
        float, Annotated[float, Field(strict=True)], Annotated[float, Field(allow_inf_nan=False)],
    ],
    "time": [dt.datetime, AwareDatetime, NaiveDatetime, Annotated[dt.datetime, Field(ge=dt.datetime(2025, 1, 1))]],
    "day": [dt.date, FutureDate, PastDate, Annotated[dt.date, Field(le=dt.date(2025, 1, 1))]],
    "pet": [Cat, Dog, Cat | Dog, Dog | Cat, Annotated[Dog | Cat, Field(union_mode="left_to_right")]],
    "data": [bytes, Annotated[bytes, Field(min_length=3)]],
}  # fmt: skip
"""The types that a field of each name may have."""

VALUES: dict[str, list[Any]] = {
    "text": ["a", " a ", "A", "longer", ""],
    "number": [1, 0, -3, 20, 7],
    "time": ["2026-01-01T00:00:00", "2026-01-01T00:00:00Z", "2020-01-01T00:00:00"],
    "day": ["2020-01-01", "2090-01-01"],
    "pet": [{"name": "x"}, {"name": "x", "lives": 3}],
    "data": [b"ab", b"abcd", b"\xff\xfe\xfd"],
}

CONFIGS = [
    {}, {}, {"extra": "allow"}, {"extra": "forbid"}, {"str_strip_whitespace": True}, {"str_to_lower": True}, {"strict": True},
    {"ser_json_bytes": "base64", "val_json_bytes": "base64"}, {"ser_json_bytes": "base64"}, {"populate_by_name": True},
]  # fmt: skip


@st.composite
def fields(draw, name):
    """The type of a field, and how it is called outside."""
    options = draw(
        st.sampled_from(
            [{}, {}, {}, {"alias": "outside"}, {"exclude": True}, {"validation_alias": AliasChoices(name, "other")}]
        )
    )
    return draw(st.sampled_from(TYPES[name])), Field(..., **options) if options != {"exclude": True} else Field(
        None, exclude=True
    )


@st.composite
def models(draw, names):
    made = {name: draw(fields(name)) for name in names}
    return create_model(f"F{next(COUNTER)}", __config__=ConfigDict(**draw(st.sampled_from(CONFIGS))), **made)


def instance(data, model, names):
    values = {name: data.draw(st.sampled_from(VALUES[name])) for name in names}
    outside = {model.model_fields[name].alias or name: value for name, value in values.items()}
    return model.model_validate(outside)


def plain(model: BaseModel) -> dict[str, Any]:
    """What a model holds, with which class each part is of."""
    return {name: (type(value).__name__ if isinstance(value, BaseModel) else "", value) for name, value in model}


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.data())
def test_what_is_said_to_be_ok_is_read_and_read_the_same(data):
    names = data.draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=2, unique=True))
    writer = data.draw(models(names))
    reader = data.draw(models(names)) if data.draw(st.booleans()) else writer
    verdict = check(export(writer, version="v1"), export(reader, version="v2"))
    if verdict.backward != "ok":
        assert reader is not writer, "a model is always compatible with itself"
        return
    for _ in range(4):
        try:
            written = instance(data, writer, names)
            own = writer.model_validate_json(written.model_dump_json())
        except (ValidationError, ValueError):
            continue  # the writer itself does not read it
        try:
            read = reader.model_validate_json(written.model_dump_json())
        except ValidationError as error:
            raise AssertionError(f"{writer.model_fields} wrote what {reader.model_fields} refuses: {error}") from error
        assert _same(plain(own), plain(read)), (writer.model_fields, reader.model_fields, own, read)


def _same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    """Whether two readings agree; a number is the same one whether it is an int, a float or a Decimal."""
    loose = [
        {name: (kind, value.model_dump() if kind else value) for name, (kind, value) in each.items()}
        for each in (one, two)
    ]
    return loose[0] == loose[1] or str(loose[0]) == str(loose[1])
