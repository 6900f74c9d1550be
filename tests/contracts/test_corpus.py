"""Verdicts that others have come to, on pairs of schemas that they have made. The corpus is not ours to copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.contracts.contract_text import load
from rollout.contracts.schema.document import SchemaDocument
from rollout.contracts.schema.relation import Options, compare

CORPUS = Path(__file__).parents[3] / "shared" / "data" / "jsoncompat"

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus of schema pairs is not here: {CORPUS}")

DISAGREED = {
    # format is asserted: pydantic refuses what is no uuid, whatever 2020-12 says of annotations
    ("format_annotation_changed", "deserializer"): False,
    ("format_annotation_changed", "serializer"): False,
    # an open object may hold an "x" that is no integer, and the new schema refuses that
    ("pattern_properties_fall_back_to_additional_properties", "deserializer"): False,
    # only a name of one control character may be there, and the old schema takes any name but x
    ("unsupported_subset_pattern_properties_additional_fallback", "serializer"): True,
}
"""Where we say something else than the corpus, and why (docs/state.md)."""


def pairs():
    for place in sorted(CORPUS.iterdir()) if CORPUS.is_dir() else ():
        if place.is_dir():
            old, new, expect = (load((place / f"{name}.json").read_text(), name) for name in ("old", "new", "expect"))
            yield place.name, "deserializer", old, new, expect["deserializer"]
            yield place.name, "serializer", new, old, expect["serializer"]


@needs_corpus
@pytest.mark.parametrize("closed_writer", [True, False])
def test_the_checker_agrees_with_the_corpus_but_where_the_docs_say_why(closed_writer):
    differs = {}
    found = list(pairs())
    for name, axis, writer, reader, expected in found:
        said = not compare(SchemaDocument(writer), SchemaDocument(reader), Options(closed_writer=closed_writer))
        if said is not expected:
            differs[name, axis] = said
    assert len(found) == 126 and differs == DISAGREED


@needs_corpus
def test_no_example_of_the_corpus_contradicts_a_verdict_that_says_safe():
    """The examples beside a pair are values: one that the old schema takes and the new one refuses is a proof."""
    from rollout.contracts.schema.values import holds

    checked = 0
    for place in sorted(CORPUS.iterdir()):
        if not (place / "examples.json").is_file():
            continue
        old, new, examples = (load((place / f"{n}.json").read_text(), n) for n in ("old", "new", "examples"))
        documents = SchemaDocument(old), SchemaDocument(new)
        for writer, reader, only in ((*documents, "old_only"), (*reversed(documents), "new_only")):
            safe = not compare(writer, reader, Options(closed_writer=False))
            for value in examples.get(only, []):
                if holds(writer.node, value) and holds(reader.node, value) is False:
                    checked += 1
                    assert not safe, (place.name, only, value)
    assert checked > 30
