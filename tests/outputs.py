"""What `-o json` prints, held against the schema that is published."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = Path(__file__).parents[1] / "docs" / "output.schema.json"


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def document(printed: str, kind: str) -> dict[str, Any]:
    """Return the one document that was printed; it is of its kind, and valid."""
    read = json.loads(printed)
    assert read["kind"] == kind, read
    definitions = json.loads(SCHEMA.read_text())["$defs"]
    own = _validator().evolve(schema={"$ref": f"#/$defs/{kind}Document", "$defs": definitions})
    faults = [f"{error.json_path}: {error.message[:200]}" for error in own.iter_errors(read)]
    assert not faults, faults
    assert _validator().is_valid(read)
    return read
