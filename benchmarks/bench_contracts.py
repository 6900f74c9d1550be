"""How long it takes to compare schemas: ordinary ones, and such as are made to take for ever.

python benchmarks/bench_contracts.py
"""

from __future__ import annotations

import time
from typing import Any

from rollout.contracts.schema.document import SchemaDocument
from rollout.contracts.schema.relation import Options, compare


def ordinary() -> dict[str, Any]:
    inner = {"type": "object", "properties": {f"k{n}": {"type": ["string", "null"]} for n in range(10)}}
    messages = {"type": "array", "items": {"$ref": "#/$defs/message"}}
    return {"type": "object", "properties": {"a": inner, "b": inner, "m": messages}, "$defs": {"message": inner}}


def definitions(count: int) -> dict[str, Any]:
    each = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{k}"} for k in range(0, count, 50)]} for n in range(count)}
    return {"$ref": "#/$defs/d0", "$defs": each}


SCHEMAS: dict[str, dict[str, Any]] = {
    "an ordinary state": ordinary(),
    "1000 definitions, all entangled": definitions(1000),
    "10 MB of properties": {"properties": {f"p{n}": {"type": "string", "title": "x" * 100} for n in range(70_000)}},
    "unions multiplied": {"allOf": [{"anyOf": [{"required": [f"a{n}{k}"]} for k in range(20)]} for n in range(20)]},
    "20,000 values": {"enum": [f"value {n}" for n in range(20_000)]},
    "500 patterns": {
        "properties": {f"p{n}": {"type": "string", "pattern": f"(a|b)*a(a|b){{9}}{n}"} for n in range(500)}
    },
    "nested 400 deep": {},
}
for _ in range(400):
    SCHEMAS["nested 400 deep"] = {"properties": {"x": SCHEMAS["nested 400 deep"]}}


def main() -> None:
    print(f"{'schema, against one that is narrower':<40} {'seconds':>8}  answer")
    for name, schema in SCHEMAS.items():
        narrower = {**schema, "minProperties": 1, "title": "other"}
        began = time.perf_counter()
        found = compare(SchemaDocument(schema), SchemaDocument(narrower), Options())
        took = time.perf_counter() - began
        print(f"{name:<40} {took:8.3f}  {found[0].what if found else 'safe'}")


if __name__ == "__main__":
    main()
