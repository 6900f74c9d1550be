"""The reference of fields, made from the model: `make reference` writes it, and a test keeps it current.

What it says is what `kubectl explain` and an editor say: the descriptions in the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rollout.model.crd.definitions import definitions
from rollout.model.crd.editor import editor_schema
from rollout.model.crd.output import output_schema
from tests.outputs import SCHEMA as OUTPUT

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference.md"
SCHEMA = ROOT / "docs" / "rollout.schema.json"

Schema = dict[str, Any]


def fields(schema: Schema, path: str, defs: dict[str, Schema]) -> Iterator[tuple[str, Schema]]:
    """Yield every field of an object with its path, depth first, in the model's order."""
    schema = resolved(schema, defs)
    for name, field in schema.get("properties", {}).items():
        where = f"{path}.{name}" if path else name
        inner = resolved(field, defs)
        items = resolved(inner["items"], defs) if inner.get("type") == "array" and "items" in inner else None
        yield where + ("[]" if items else ""), {**inner, **field}
        yield from fields(items or inner, where + ("[]" if items else ""), defs)


def resolved(schema: Schema, defs: dict[str, Schema]) -> Schema:
    while "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    return schema


def type_of(field: Schema) -> str:
    """Return a field's type in a word, or its values where there are few."""
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " ".join(f"`{value}`" for value in field["enum"]) if len(field["enum"]) <= 6 else "word"
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(type_of(branch) for branch in field["anyOf"] if "$ref" not in branch))
    pattern = str(field.get("pattern", ""))
    if "(h|m|s|ms)" in pattern:
        return "duration"
    if pattern.endswith("%$"):
        return "percentage"
    if field.get("format") in ("date", "date-time"):
        return {"date": "date", "date-time": "time"}[field["format"]]
    if field.get("type") == "array":
        return "list"
    return str(field.get("type", "object"))


def table(schema: Schema, path: str, defs: dict[str, Schema]) -> str:
    lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
    required = required_in(schema, path, defs)
    for where, field in fields(schema, path, defs):
        default = field.get("default")
        shown = "required" if where in required else "" if default in (None, "", [], {}) else f"`{as_text(default)}`"
        meaning = field.get("description", "").replace("\n", " ").replace("|", "\\|")
        lines.append(f"| `{where}` | {type_of(field)} | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"


def as_text(default: object) -> str:
    return default if isinstance(default, str) else json.dumps(default)


def required_in(schema: Schema, path: str, defs: dict[str, Schema]) -> set[str]:
    """Return the paths of the fields without which their object is refused."""
    schema = resolved(schema, defs)
    paths = {f"{path}.{name}" if path else name for name in schema.get("required", ())}
    for where, field in fields(schema, path, defs):
        inner = resolved(field, defs)
        items = resolved(inner["items"], defs) if inner.get("type") == "array" and "items" in inner else inner
        paths |= {f"{where}.{name}" for name in items.get("required", ())}
    return {found + suffix for found in paths for suffix in ("", "[]")}


def tables() -> dict[str, str]:
    """Return the table of each kind, by the name of its place in the page."""
    editor, (rollouts, _) = editor_schema(), definitions()
    status = rollouts["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    defs = editor["$defs"]
    return {
        "Rollout": table(defs["RolloutSpec"], "spec", without_policy(defs)),
        "RolloutPolicy": table(defs["PolicySpec"], "spec", defs),
        "Status": table(status, "status", {}),
    }


def without_policy(defs: dict[str, Schema]) -> dict[str, Schema]:
    """Return definitions in which a policy has no fields: an inline one has those of a RolloutPolicy."""
    return {**defs, "PolicySpec": {"type": "object"}}


def page() -> str:
    text = PAGE.read_text()
    for name, rows in tables().items():
        place = re.compile(rf"(<!-- fields: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = place.sub(lambda found, rows=rows: found.group(1) + rows + found.group(2), text)
    return text


def schema() -> str:
    return json.dumps(editor_schema(), indent=2) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    SCHEMA.write_text(schema())
    OUTPUT.write_text(json.dumps(output_schema(), indent=2) + "\n")
