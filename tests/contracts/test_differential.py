"""Pydantic as the oracle: what one model writes, another reads, or the checker must have said so.

Pairs of models are made by chance; instances of the one are dumped as stores keep them and validated by the other. One
failure under a verdict that says safe fails the test.
"""

from __future__ import annotations

import datetime as dt
import enum
import itertools
from typing import Annotated, Any, Literal, Union

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from rollout.contracts.check import check
from rollout.contracts.export import export
from rollout.contracts.schema.document import SchemaDocument
from rollout.contracts.schema.relation import Options, compare

NAMES = ("a", "b", "c", "kind")
COUNTER = itertools.count()
NO_DEFAULT: Any = object()

leaves = st.sampled_from(
    [
        int, float, str, bool, type(None), dt.datetime, dt.date, Any,
        Literal["x"], Literal["x", "y"], Literal[1, 2], Literal["x", 1],
        Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1, lt=10)], Annotated[int, Field(multiple_of=2)],
        Annotated[int, Field(multiple_of=4)], Annotated[str, Field(min_length=2)], Annotated[str, Field(max_length=4)],
        Annotated[str, Field(pattern="^[a-c]+$")], Annotated[str, Field(pattern="^[a-z]+$")],
        Annotated[float, Field(gt=0, le=5)],
    ]
)  # fmt: skip


@st.composite
def types(draw, depth=2):
    if depth == 0:
        return draw(leaves)
    inner = types(depth - 1)
    return draw(
        st.one_of(
            leaves,
            inner.map(lambda each: list[each]),
            inner.map(lambda each: Annotated[list[each], Field(max_length=2)]),
            inner.map(lambda each: set[each] if each in (int, str, bool) else list[each]),
            st.tuples(inner, inner).map(lambda pair: tuple[pair[0], pair[1]]),
            inner.map(lambda each: dict[str, each]),
            inner.map(lambda each: dict[int, each]),
            st.tuples(inner, inner).map(lambda pair: Union[pair]),  # noqa: UP007
            inner.map(lambda each: each | None if each is not Any and each is not type(None) else each),
            st.lists(st.sampled_from(["red", "blue", "green"]), min_size=1, max_size=3, unique=True).map(enumeration),
            models(depth - 1),
            tagged(depth - 1),
        )
    )


def enumeration(members):
    return enum.Enum("Color", {name: name for name in members})


@st.composite
def models(draw, depth=2, names=None, **fixed):
    chosen = names or draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    fields = {}
    for name in chosen:
        type_ = draw(types(depth)) if depth else draw(leaves)
        default = draw(st.sampled_from([NO_DEFAULT, None])) if name not in fixed else NO_DEFAULT
        fields[name] = (type_, ...) if default is NO_DEFAULT else (type_ | None if type_ is not Any else Any, None)
    fields |= {name: (type_, ...) for name, type_ in fixed.items()}
    extra = draw(st.sampled_from(["ignore", "ignore", "forbid", "allow"]))
    return create_model(f"M{next(COUNTER)}", __config__=ConfigDict(extra=extra), **fields)


@st.composite
def tagged(draw, depth=1):
    tags = draw(st.lists(st.sampled_from(["one", "two", "three"]), min_size=2, max_size=3, unique=True))
    branches = tuple(draw(models(depth, names=["a"], tag=Literal[tag])) for tag in tags)
    return Annotated[Union[branches], Field(discriminator="tag")]  # noqa: UP007


@st.composite
def changed(draw, writer):
    """Another model: often the same one with one field changed, added or removed, as releases are."""
    fields = {
        name: (field.annotation if not field.metadata else Annotated[(field.annotation, *field.metadata)], field)
        for name, field in writer.model_fields.items()
    }
    kind = draw(st.sampled_from(["add", "remove", "retype", "optional", "required", "same", "other"]))
    if kind == "other":
        return draw(models())
    name = draw(st.sampled_from(sorted(fields)))
    made = {each: (type_, ... if field.is_required() else field.default) for each, (type_, field) in fields.items()}
    if kind == "remove" and len(made) > 1:
        del made[name]
    elif kind == "add":
        made["new"] = (draw(types(1)), draw(st.sampled_from([..., None])))
    elif kind == "retype":
        made[name] = (draw(types(2)), made[name][1])
    elif kind == "optional":
        made[name] = (made[name][0] | None if made[name][0] is not Any else Any, None)
    elif kind == "required":
        made[name] = (made[name][0], ...)
    extra = draw(st.sampled_from(["ignore", "forbid", "allow"]))
    return create_model(f"N{next(COUNTER)}", __config__=ConfigDict(extra=extra), **made)


WORDS = ["", "x", "y", "ab", "abc", "zz", "red", "blue", "one", "1", "longer"]


def sample(data, schema, definitions, depth=4):
    """A value that a schema of pydantic's is likely to allow."""
    if schema is True or schema == {} or depth == 0:
        return data.draw(st.sampled_from([None, 1, "x", [], {}, True, 0.5]))
    if "$ref" in schema:
        return sample(data, definitions[schema["$ref"].rpartition("/")[2]], definitions, depth)
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "anyOf", "oneOf"):
        if key in schema:
            one = data.draw(st.sampled_from(schema[key]))
            return one if key == "enum" else sample(data, one, definitions, depth)
    match schema.get("type"):
        case "integer" | "number":
            low, high = schema.get("minimum", schema.get("exclusiveMinimum", -3)), schema.get("maximum", 12)
            step = schema.get("multipleOf", 1)
            return data.draw(st.integers(int(low), int(high))) * step + (
                0.5 if schema["type"] == "number" and step == 1 else 0
            )
        case "string" if schema.get("format") == "date":
            return "2026-01-02"
        case "string" if "format" in schema:
            return "2026-01-02T03:04:05Z"
        case "string":
            return data.draw(st.sampled_from(WORDS))
        case "boolean":
            return data.draw(st.booleans())
        case "array" if "prefixItems" in schema:
            return [sample(data, each, definitions, depth - 1) for each in schema["prefixItems"]]
        case "array":
            return [
                sample(data, schema.get("items", {}), definitions, depth - 1)
                for _ in range(data.draw(st.integers(0, 2)))
            ]
        case "object" if "properties" in schema:
            required = schema.get("required", [])
            return {
                name: sample(data, each, definitions, depth - 1)
                for name, each in schema["properties"].items()
                if name in required or data.draw(st.booleans())
            }
        case "object":
            inner = schema.get("additionalProperties", {})
            return {
                key: sample(data, inner, definitions, depth - 1)
                for key in data.draw(st.sampled_from([[], ["1"], ["1", "2"]]))
            }
    return None


def instance(data, writer):
    """An instance of the writer. Raises ValidationError where chance did not make one."""
    schema = writer.model_json_schema()
    return writer.model_validate(sample(data, schema, schema.get("$defs", {})))


def accepts(reader, dumped):
    try:
        reader.model_validate_json(dumped)
    except ValidationError:
        return False
    return True


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.data())
def test_what_is_said_to_be_safe_is_read_by_pydantic(data):
    writer = data.draw(models())
    reader = data.draw(changed(writer))
    first, second = export(writer), export(reader)
    problems = compare(SchemaDocument(first.state.writer), SchemaDocument(second.state.reader), Options())
    if problems:
        return
    for _ in range(4):
        try:
            made = instance(data, writer)
        except ValidationError:
            assume(False)
        if writer.model_config["extra"] == "allow":
            continue
        dumped = made.model_dump_json()
        assert accepts(reader, dumped), f"{first.state.writer}\n{second.state.reader}\n{dumped}"


def known(**fields):
    return create_model(f"K{next(COUNTER)}", **fields)


@pytest.mark.parametrize(
    ("old", "new", "backward", "forward"),
    [
        (known(a=(int, ...)), known(a=(int, ...)), "ok", "ok"),
        (known(a=(int, ...)), known(a=(int, ...), b=(str, "d")), "ok", "ok"),
        (known(a=(int, ...)), known(a=(int, ...), b=(str, ...)), "break", "ok"),
        (known(a=(int, ...), b=(str, ...)), known(a=(int, ...)), "ok", "break"),
        (known(a=(int, ...)), known(a=(float, ...)), "ok", "break"),
        (known(a=(int, ...)), known(a=(int | None, ...)), "ok", "break"),
        (known(a=(int, ...)), known(a=(str, ...)), "break", "break"),
        (known(a=(Literal["x"], ...)), known(a=(Literal["x", "y"], ...)), "ok", "break"),
        (known(a=(Annotated[int, Field(ge=0)], ...)), known(a=(Annotated[int, Field(ge=1)], ...)), "break", "ok"),
        (known(a=(list[int], ...)), known(a=(list[int | str], ...)), "ok", "break"),
        (known(a=(dict[str, int], ...)), known(a=(dict[str, str], ...)), "break", "break"),
        (known(a=(Annotated[str, Field(pattern="^[a-c]+$")], ...)), known(a=(Annotated[str, Field(pattern="^[a-z]+$")], ...)), "ok", "break"),
    ],
)  # fmt: skip
def test_common_changes_of_models_are_judged_as_pydantic_would(old, new, backward, forward):
    verdict = check(export(old), export(new))
    assert (verdict.backward, verdict.forward) == (backward, forward), verdict.findings


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class WiderTree(BaseModel):
    value: float
    children: list[WiderTree] = []


def test_models_that_hold_themselves_are_compared_all_the_way():
    verdict = check(export(Tree), export(WiderTree))
    assert (verdict.backward, verdict.forward) == ("ok", "break")
