"""Odd values, and odd changes of good documents; each case in bounded time.

Seconds in CI; longer with FUZZ_EXAMPLES (make fuzz).
"""

from __future__ import annotations

import copy
import os
import time
from contextlib import contextmanager

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from rollout.errors import RolloutError

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
CPU_MAX_S = 1.0

fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**30, 10**309, -1, 0, 2**63, 1e308, 1e-308, float("inf"), float("nan"), -0.0])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["", "$", "${", "$version", "\ud800", "\x00", "\x1b[31m", "0%", "101%", "9h", "x" * 5000, "2026-13-45"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
) | st.sampled_from([{}, [], [[]], {"": {}}, [None], {"a": 10**309}])


def deep(depth):
    value = "x"
    for _ in range(depth):
        value = [value]
    return value


def places(value, path=()):
    """Every place in a document, as the keys that lead there."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from places(inner, (*path, key))


@st.composite
def changed(draw, document, times=3):
    """A good document with some of its parts replaced, taken out, or joined by others."""
    made = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, times))):
        path = draw(st.sampled_from(sorted(places(made), key=repr)))
        if not path:
            continue
        parent = made
        for key in path[:-1]:
            parent = parent[key]
        what = draw(st.sampled_from(["replace", "remove", "add"]))
        if what == "replace":
            parent[path[-1]] = copy.deepcopy(draw(values))
        elif what == "remove":
            del parent[path[-1]]
        elif isinstance(parent, dict):
            parent[draw(st.text(max_size=8))] = copy.deepcopy(draw(values))
        else:
            parent.append(copy.deepcopy(draw(values)))
    return made


@contextmanager
def tame():
    """Whatever is done with odd input: it ends soon, and raises nothing outside the tree of errors."""
    before = time.process_time()
    try:
        yield
    except RolloutError as error:
        assert str(error)  # it says what happened
    assert time.process_time() - before < CPU_MAX_S
