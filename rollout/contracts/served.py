"""Whether a text that was fetched is a state contract, or a JSON Schema, and nothing else. Pure.

Any JSON object is a JSON Schema that allows everything. So what is fetched must say that it is one: whatever else some
server answers with (its configuration, say) is not kept, and no word of it is told.
"""

from __future__ import annotations

from typing import Any

from rollout.contracts.contract_text import load, read
from rollout.contracts.schema.keywords import MANY, NAMED, ONE
from rollout.errors import InvalidInput

_ASSERTING = ONE | MANY | NAMED | {
    "type", "enum", "const", "$ref", "required", "multipleOf", "maximum", "minimum", "exclusiveMaximum",
    "exclusiveMinimum", "maxLength", "minLength", "pattern", "format", "maxItems", "minItems", "uniqueItems",
    "maxContains", "minContains", "maxProperties", "minProperties", "dependentRequired", "$dynamicRef", "$recursiveRef",
}  # fmt: skip
_DESCRIBING = frozenset({
    "$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$comment", "$vocabulary", "title",
    "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "contentEncoding",
    "contentMediaType", "discriminator",
})  # fmt: skip


def no_contract(text: str) -> str:
    """Return why a text is no contract, without a word of what it says but the names of fields."""
    try:
        raw = load(text, "it")
    except InvalidInput:
        return "it is not JSON"
    if not (isinstance(raw, dict) and "contractVersion" in raw) and not _is_schema(raw):
        return "it is JSON, but neither has a contractVersion nor is it a JSON Schema"
    try:
        read(text, "it")
    except InvalidInput as error:
        first = error.faults[0]
        more = f" ({len(error.faults)} faults)" if len(error.faults) > 1 else ""
        return f"{first.path.removeprefix('it').lstrip(': ')} {first.message}{more}".strip()
    return ""


def _is_schema(raw: Any) -> bool:
    """Whether a document says at its root that it is a schema: something is asserted, and nothing is unknown."""
    if isinstance(raw, bool):
        return True
    if not isinstance(raw, dict):
        return False
    unknown = [key for key in raw if key not in _ASSERTING | _DESCRIBING and not key.startswith("x-")]
    return not unknown and ("$schema" in raw or bool(raw.keys() & _ASSERTING))
