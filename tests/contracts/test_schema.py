"""Containment of JSON Schemas: what is proved, what is refused, and what is not claimed."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.contracts.schema.automaton import Undecidable
from rollout.contracts.schema.document import SchemaDocument, plain
from rollout.contracts.schema.patterns import is_within, matches
from rollout.contracts.schema.relation import Options, compare
from rollout.contracts.schema.values import holds

OPEN, CLOSED = Options(closed_writer=False), Options()
D4, D6, D7 = (f"http://json-schema.org/draft-0{number}/schema#" for number in (4, 6, 7))
D2019, D2020 = (f"https://json-schema.org/draft/{name}/schema" for name in ("2019-09", "2020-12"))


def safe(writer, reader, options=OPEN):
    return not compare(SchemaDocument(writer), SchemaDocument(reader), options)


def obj(required=(), **properties):
    return {"type": "object", "properties": properties, "required": list(required)}


INT, STR, NULL = {"type": "integer"}, {"type": "string"}, {"type": "null"}

PROVED = [
    (False, INT),
    (INT, True),
    (INT, {"type": "number"}),
    ({"type": "number", "multipleOf": 1}, INT),
    ({"type": "number", "minimum": 4, "maximum": 4}, INT),
    ({"minimum": 1, "maximum": 3, **INT}, {"enum": [1, 2, 3, 4]}),
    ({"multipleOf": 4, **INT}, {"multipleOf": 2}),
    ({"multipleOf": Decimal("0.3")}, {"multipleOf": Decimal("0.1")}),
    ({"enum": [1, 1.0]}, {"const": 1}),
    ({"anyOf": [INT, NULL]}, {"type": ["null", "number"]}),
    ({"oneOf": [STR, INT]}, {"anyOf": [INT, STR, NULL]}),
    ({"allOf": [{"minLength": 2}, STR]}, {"type": "string", "minLength": 1}),
    ({"type": "string", "maxLength": 0}, {"oneOf": [STR, {"minLength": 1, "type": "string"}]}),
    ({"type": "string", "pattern": "^[a-c]{2}$"}, {"pattern": "^[a-z]*$"}),
    (obj(["a"], a=INT), obj(a={"type": "number"})),
    (obj(["k", "v"], k={"enum": ["i", "s"]}, v=INT), {"anyOf": [obj(k={"const": "i"}), obj(k={"const": "s"})]}),
    (obj(["a"], a={"anyOf": [INT, STR]}), {"anyOf": [obj(a=INT), obj(a=STR)]}),
    ({"type": "object", "maxProperties": 0}, {"const": {}}),
    ({**obj(a=INT), "additionalProperties": False}, {"maxProperties": 1}),
    ({**obj(), "propertyNames": {"enum": ["a", "b"]}}, {"maxProperties": 2}),
    ({"type": "object", "patternProperties": {"^x": INT}, "additionalProperties": False}, {"patternProperties": {"^x": {"type": "number"}}}),
    ({"dependentRequired": {"a": ["b"]}, "required": ["a"], "type": "object"}, {"required": ["b"]}),
    ({**obj(a=INT), "unevaluatedProperties": False}, {**obj(a=INT), "additionalProperties": False}),
    ({"allOf": [obj(a=INT)], "unevaluatedProperties": False}, {"type": "object", "properties": {"b": False}}),
    ({"type": "array", "items": INT, "minItems": 1}, {"contains": INT}),
    ({"type": "array", "prefixItems": [INT, STR], "items": False}, {"maxItems": 2}),
    ({"type": "array", "maxItems": 1}, {"uniqueItems": True}),
    ({"not": {"type": "number"}}, {"not": INT}),
    ({"if": {"required": ["a"]}, "then": {"required": ["b"]}, "type": "object", "required": ["a"]}, {"required": ["b"]}),
    ({"$ref": "#/$defs/t", "$defs": {"t": obj(v=INT, l={"items": {"$ref": "#/$defs/t"}})}},
     {"$ref": "#/$defs/u", "$defs": {"u": obj(v={"type": "number"}, l={"items": {"$ref": "#/$defs/u"}})}}),
    ({"$ref": "#x", "$defs": {"a": {"$anchor": "x", **INT}}}, INT),
    ({"$schema": D7, "$ref": "#/definitions/a", "minimum": 5, "definitions": {"a": INT}}, INT),
    ({"$schema": D4, "type": "integer", "minimum": 0, "exclusiveMinimum": True}, {"exclusiveMinimum": 0}),
    ({"items": [INT], "additionalItems": False, "type": "array"}, {"maxItems": 1}),
]  # fmt: skip

REFUSED = [
    (True, False, 1),
    (INT, STR, 1),
    ({"type": "number"}, INT, 0.5),
    ({"enum": [1, True]}, {"const": 1}, True),
    ({"const": ["", 1]}, {"const": True}, ["", 1]),
    (obj(["a"], a={"anyOf": [{"const": ["", "string"]}, STR, NULL]}), {"anyOf": [obj(a=STR), obj(a=NULL)]}, {"a": ["", "string"]}),
    ({"minimum": 0, **INT}, {"exclusiveMinimum": 0}, 0),
    ({"maxLength": 3, **STR}, {"maxLength": 2}, "abc"),
    ({"pattern": "^[a-z]+$", **STR}, {"pattern": "^[a-c]+$"}, "z"),
    ({"pattern": "^aaa$", **STR}, {"pattern": "^a{٣}$"}, "aaa"),
    (obj(a=INT), obj(["a"], a=INT), {}),
    (obj(a=INT), {**obj(a=INT), "additionalProperties": False}, {"b": 1}),
    (obj(a=INT), obj(a=INT, b=INT), {"b": "x"}),
    ({"type": "object", "patternProperties": {"^x": INT}}, obj(xy=STR), {"xy": 1}),
    ({"type": "object"}, {"dependentRequired": {"a": ["b"]}}, {"a": 1}),
    ({"type": "object"}, {"propertyNames": {"maxLength": 1}}, {"ab": 1}),
    ({"type": "array"}, {"contains": INT}, []),
    ({"type": "array", "items": INT}, {"uniqueItems": True}, [1, 1]),
    ({"type": "array", "prefixItems": [INT]}, {"items": INT}, [1, "x"]),
    ({"type": "array"}, {"additionalItems": True, "unevaluatedItems": False, "$schema": D2020}, [1]),
    (INT, {"oneOf": [INT, {"minimum": 0}]}, 1),
    (INT, {"not": {"minimum": 5}}, 5),
    (obj(a=INT), {"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": 1}),
    ({"$schema": D7, "type": "object", "dependentRequired": {"a": ["b"]}}, {"$schema": D7, "dependencies": {"a": ["b"]}}, {"a": 1}),
    ({"$schema": D2019, "type": "array", "prefixItems": [STR]}, {"$schema": D2020, "prefixItems": [STR]}, [1]),
    ({"$schema": D6, "if": True, "then": STR}, STR, 1),
    ({"$schema": D4, "const": 1}, {"enum": [1]}, 2),
    ({"$schema": D4, "type": "number", "exclusiveMinimum": 1}, {"exclusiveMinimum": 1}, 0),
    ({"$schema": D7, "type": "object", "required": ["a"], "not": {"required": ["b"]}},
     {"$schema": D7, "not": {"dependentRequired": {"a": ["b"]}}}, {"a": 1}),
    ({"$ref": "urn:x", "$defs": {"d": {"$id": "urn:x", **STR}}, "y": {"$id": "urn:x", **INT}}, INT, "s"),
    ({"anyOf": [{"$ref": "#/$defs/n"}], "$defs": {"n": obj(next={"$ref": "#/$defs/n"}, v=INT)}},
     {"$ref": "#/$defs/n", "$defs": {"n": obj(next={"$ref": "#/$defs/n"}, v=STR)}}, {"next": {"v": 1}}),
]  # fmt: skip


@pytest.mark.parametrize(("writer", "reader"), PROVED, ids=range(len(PROVED)))
def test_what_holds_is_proved(writer, reader):
    assert safe(writer, reader)


@pytest.mark.parametrize(("writer", "reader", "witness"), REFUSED, ids=range(len(REFUSED)))
def test_what_a_value_refutes_is_not_said_to_be_safe(writer, reader, witness):
    assert (
        holds(SchemaDocument(writer).node, witness) is not False
        and holds(SchemaDocument(reader).node, witness) is not True
    )
    assert not safe(writer, reader)


UNDECIDED = [
    (STR, {"$ref": "https://example.com/schema"}),
    (STR, {"$schema": "https://example.com/dialect", "type": "string"}),
    (STR, {"pattern": "(?=a)b"}),
    (INT, {"$ref": "#"}),
    (INT, {"anyOf": [{"$ref": "#"}, STR]}),
    ({"pattern": "^a$", **STR}, {"$dynamicRef": "#x"}),
]


@pytest.mark.parametrize(("writer", "reader"), UNDECIDED, ids=range(len(UNDECIDED)))
def test_what_cannot_be_told_is_neither_safe_nor_a_break(writer, reader):
    found = compare(SchemaDocument(writer), SchemaDocument(reader), OPEN)
    assert found and not all(problem.is_break for problem in found)


@pytest.mark.parametrize(("writer", "reader"), [(w, r) for w, r, *_ in REFUSED] + PROVED, ids=lambda _: "")
def test_every_schema_reads_what_it_writes_itself(writer, reader):
    for schema in (writer, reader):
        assert safe(schema, json.loads(json.dumps(schema, default=float)))


def test_a_closed_writer_emits_only_what_it_declares():
    wider = obj(a=INT, b=INT)
    assert safe(obj(a=INT), wider, CLOSED) and not safe(obj(a=INT), wider, OPEN)
    assert not safe({"type": "object"}, wider, CLOSED), "what lists nothing is open"
    assert not safe({**obj(a=INT), "additionalProperties": True}, wider, CLOSED), "what says it is open is"


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param({"$defs": {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{(n * 7 + k) % 1000}"} for k in range(20)]} for n in range(1000)}, "$ref": "#/$defs/d0"}, id="1000 definitions"),
        pytest.param({"properties": {f"p{n}": {"type": "string", "description": "x" * 100} for n in range(70_000)}}, id="10 MB"),
        pytest.param({"allOf": [{"anyOf": [{"required": [f"a{n}{k}"]} for k in range(20)]} for n in range(20)]}, id="a product of unions"),
        pytest.param({"enum": [f"value {n}" for n in range(20_000)]}, id="many values"),
        pytest.param({"type": "string", "pattern": "(a|b)*a(a|b){200}"}, id="a large pattern"),
    ],
)  # fmt: skip
def test_hostile_schemas_get_an_answer(hostile):
    """How quickly is measured by `make bench-contracts`; here that they do, and claim nothing they cannot prove."""
    other = {**hostile, "title": "other", "maxProperties": 3, "maxLength": 3}
    assert compare(SchemaDocument(hostile), SchemaDocument(other), OPEN)


def test_a_pattern_that_backtracks_is_matched_in_linear_time():
    text = "a" * 5000
    assert not matches("^(a+)+$", text + "!") and matches("^(a+)+$", text)
    assert not safe({"const": "a" * 40 + "!"}, {"$schema": D2020, "pattern": "^(a+)+$"})


def test_a_schema_nested_beyond_all_sense_is_not_compared():
    schema = INT
    for _ in range(400):
        schema = {"not": schema}
    assert [problem.what for problem in compare(SchemaDocument(schema), SchemaDocument({"type": "number"}), OPEN)] == [
        "too-large"
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "ab", 0.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", ""]), inner, max_size=3),
    max_leaves=6,
)


@given(json_values, json_values)
def test_values_compare_as_json_does(one, two):
    """Equal likenesses are equal texts, whole numbers written in one way."""

    def text(value):
        return json.dumps(value, sort_keys=True)

    assert (plain(one) == plain(two)) is (text(one) == text(two))


ATOMS = ["a", "b", "[ab]", "[^a]", ".", "a*", "b+", "(a|b)?", "^", "$", "a{2}", "(?:ab)", "b{1,2}", "\\x61"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(ATOMS), max_size=4), st.lists(st.sampled_from(ATOMS), max_size=4))
def test_patterns_match_and_contain_one_another_as_the_texts_say(one, two):
    first, second = "".join(one), "".join(two)
    texts = ["".join(each) for size in range(4) for each in product("abc", repeat=size)]
    try:
        found = [(matches(first, text), matches(second, text)) for text in texts]
        within = is_within(first, second)
    except Undecidable:
        return
    assert [left for left, _ in found] == [bool(re.search(first, text)) for text in texts]
    if within:
        assert all(right for left, right in found if left)
