"""Structural schemas as an API server applies them: prune, fill in defaults, validate. CEL is not evaluated: a schema
may carry `predicates` instead, Python functions with the rule's message.
"""

from __future__ import annotations

import copy
import re

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "number": (int, float)}


def prune(value, schema, path=""):
    """Take unknown fields out in place; return their paths."""
    gone = []
    if schema.get(PRESERVE) or not schema:
        return gone
    if isinstance(value, dict) and "properties" in schema:
        for key in list(value):
            if key not in schema["properties"]:
                del value[key]
                gone.append(f"{path}.{key}".lstrip("."))
            else:
                gone += prune(value[key], schema["properties"][key], f"{path}.{key}")
    elif isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for key, inner in value.items():
            gone += prune(inner, schema["additionalProperties"], f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            gone += prune(inner, schema.get("items", {}), f"{path}[{index}]")
    return gone


def fill(value, schema):
    """Fill in defaults in place."""
    if isinstance(value, dict):
        for key, inner in schema.get("properties", {}).items():
            if key not in value and "default" in inner:
                value[key] = copy.deepcopy(inner["default"])
            if key in value:
                fill(value[key], inner)
    elif isinstance(value, list):
        for inner in value:
            fill(inner, schema.get("items", {}))


def faults(value, schema, path=""):
    """Return what is wrong as (reason, field)."""
    at = path.lstrip(".")
    kind = schema.get("type")
    if schema.get(INT_OR_STRING):
        return [] if isinstance(value, (int, str)) else [("FieldValueTypeInvalid", at)]
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind in ("integer", "number"))):
        return [("FieldValueTypeInvalid", at)]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(("FieldValueNotSupported", at))
    bounds = (("minimum", lambda v, b: v < b), ("maximum", lambda v, b: v > b))
    found += [("FieldValueInvalid", at) for key, beyond in bounds if key in schema and beyond(value, schema[key])]
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(("FieldValueInvalid", at))
    lengths = {
        str: ("minLength", "maxLength"),
        list: ("minItems", "maxItems"),
        dict: ("minProperties", "maxProperties"),
    }
    least, most = lengths.get(type(value), ("", ""))
    if type(value) in lengths and (len(value) < schema.get(least, 0) or len(value) > schema.get(most, float("inf"))):
        found.append(("FieldValueTooMany" if isinstance(value, list) else "FieldValueInvalid", at))
    if isinstance(value, dict):
        found += [
            ("FieldValueRequired", f"{path}.{key}".lstrip("."))
            for key in schema.get("required", ())
            if key not in value
        ]
        for key, inner in value.items():
            known = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if isinstance(known, dict):
                found += faults(inner, known, f"{path}.{key}")
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += faults(inner, schema.get("items", {}), f"{path}[{index}]")
    return found


def broken_rules(value, schema, path=""):
    """Return the messages of predicates that do not hold, as (message, field)."""
    found = [(message, path.lstrip(".")) for holds, message in schema.get("predicates", ()) if not holds(value)]
    if isinstance(value, dict):
        for key, inner in schema.get("properties", {}).items():
            if key in value:
                found += broken_rules(value[key], inner, f"{path}.{key}")
    return found


_NAMED = re.compile(r"\bself\.([A-Za-z_]\w*)")


def unseen_by_rules(schema, path=""):
    """Return the fields that a rule in CEL names and cannot see, as a real server refuses the whole definition for.

    A field is seen if it is declared with a type, or is int-or-string.
    """
    gone = []
    properties = schema.get("properties", {})
    for rule in schema.get("x-kubernetes-validations", ()):
        for name in _NAMED.findall(rule["rule"]) if schema.get("type") == "object" else ():
            field = properties.get(name)
            if name != "metadata" and (field is None or not (field.get("type") or field.get(INT_OR_STRING))):
                gone.append(f"{path}.{name}: {rule['rule']}")
    for name, inner in properties.items():
        gone += unseen_by_rules(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            gone += unseen_by_rules(schema[key], f"{path}[]")
    return gone


WIDGET = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["version"],
            "properties": {
                "version": {"type": "string"},
                "weight": {"type": "integer", "minimum": 0, "maximum": 100, "default": 10},
                "mode": {"type": "string", "enum": ["canary", "blueGreen"]},
            },
            "predicates": [
                (
                    lambda spec: spec.get("mode") != "blueGreen" or spec.get("weight") == 100,
                    "blueGreen needs weight 100",
                )
            ],
        },
        "status": {"type": "object", PRESERVE: True},
    },
}

_BACKEND = {
    "type": "object",
    PRESERVE: True,
    "properties": {
        "group": {"type": "string", "default": ""},
        "kind": {"type": "string", "default": "Service"},
        "weight": {"type": "integer", "minimum": 0, "maximum": 1_000_000, "default": 1},
    },
}
_PATH = {
    "type": "object",
    "default": {"type": "PathPrefix", "value": "/"},
    "properties": {
        "type": {"type": "string", "default": "PathPrefix"},
        "value": {"type": "string", "default": "/"},
    },
}
_MATCH = {"type": "object", PRESERVE: True, "properties": {"path": _PATH}}
_RULE = {
    "type": "object",
    PRESERVE: True,
    "properties": {
        "backendRefs": {"type": "array", "items": _BACKEND},
        "matches": {"type": "array", "items": _MATCH, "default": [{"path": {"type": "PathPrefix", "value": "/"}}]},
    },
}
_PARENT = {
    "type": "object",
    PRESERVE: True,
    "properties": {
        "group": {"type": "string", "default": "gateway.networking.k8s.io"},
        "kind": {"type": "string", "default": "Gateway"},
    },
}
HTTP_ROUTE = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            PRESERVE: True,
            "properties": {
                "parentRefs": {"type": "array", "items": _PARENT},
                "rules": {"type": "array", "items": _RULE},
            },
        },
        "status": {
            "type": "object",
            PRESERVE: True,
            "properties": {
                "parents": {
                    "type": "array",
                    "items": {"type": "object", PRESERVE: True, "properties": {"parentRef": _PARENT}},
                }
            },
        },
    },
}
FREE = {
    "type": "object",
    PRESERVE: True,
    "properties": {"spec": {"type": "object", PRESERVE: True}, "status": {"type": "object", PRESERVE: True}},
}
