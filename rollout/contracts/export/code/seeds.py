"""What a store in memory holds once the agent is imported: who reads the store goes by it."""

from __future__ import annotations

from typing import Any

from rollout.contracts.export.code.reading import SourceReading
from rollout.contracts.export.code.values import text_of

IN_MEMORY = "InMemoryStore"
ITEMS_MAX = 1000


def with_store(reading: SourceReading, store: Any) -> SourceReading:
    """Return what was read, with what the graph's store holds where the code may read it."""
    if not reading.reads_store or type(store).__name__ != IN_MEMORY:
        return reading
    try:
        items = store.search((), limit=ITEMS_MAX)
        held = sorted((list(item.namespace), item.key, text_of(item.value)) for item in items)
    except Exception:  # noqa: BLE001  a store may have an index of the agent's own, which may fail in any way
        reading.is_whole = False
        return reading
    texts = [f"store {held}"] if held else []
    reading.texts += texts
    for tool in reading.tool_readings.values():
        if tool.reads_store:
            tool.texts += texts
    return reading
