"""Selectors of many rollouts are asked for as few, and each series is known for the one that it is of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rollout.adapters.metrics.merging import LISTED_MAX_CHARACTERS, merged
from rollout.adapters.metrics.selector import parse


def test_selectors_of_one_metric_that_differ_in_values_are_one():
    texts = [f'tasks_total{{agent="a{number}",version="{version}"}}' for number in range(3) for version in ("v1", "v2")]
    (group,) = merged(texts)
    assert group.selector == 'tasks_total{agent=~"a0|a1|a2",version=~"v1|v2"}'
    for number in range(3):
        labels = {"agent": f"a{number}", "version": "v2", "pod": "p"}
        assert group.text_of(labels) == f'tasks_total{{agent="a{number}",version="v2"}}'
    assert group.text_of({"agent": "a9", "version": "v1"}) is None


def test_a_combination_that_nobody_asked_for_is_nobodys():
    (group,) = merged(['t{agent="a",version="v1"}', 't{agent="b",version="v2"}'])
    assert group.text_of({"agent": "a", "version": "v2"}) is None


def test_one_selector_alone_is_asked_for_as_it_was_written():
    (group,) = merged(['t{ version = "v1" }'])
    assert group.selector == 't{ version = "v1" }' and group.text_of({"version": "v1"}) == 't{ version = "v1" }'


def test_what_is_matched_otherwise_keeps_selectors_apart():
    texts = ['t{version="v1",code=~"5.."}', 't{version="v1",code!~"5.."}', 't{version="v2",code=~"5.."}', "u"]
    groups = merged(texts)
    assert sorted(sorted(group.texts.values()) for group in groups) == [
        ['t{version="v1",code!~"5.."}'],
        ['t{version="v1",code=~"5.."}', 't{version="v2",code=~"5.."}'],
        ["u"],
    ]  # fmt: skip


def test_bounds_of_buckets_are_never_listed():
    """Prometheus may spell them otherwise: which bucket a series is of could not be told by its label."""
    assert len(merged(['t{le="8000"}', 't{le="4000"}'])) == 2


def test_a_dot_in_a_value_is_no_pattern():
    (group,) = merged(['t{version="1.2"}', 't{version="1.3"}'])
    assert group.selector == 't{version=~"1[.]2|1[.]3"}'


def test_a_list_of_values_is_bounded():
    texts = [f't{{agent="{"x" * 50}{number}"}}' for number in range(200)]
    groups = merged(texts)
    assert [text for group in groups for text in group.texts.values()] == texts
    assert all(len(group.selector) <= LISTED_MAX_CHARACTERS + 50 for group in groups)


VALUES = st.sampled_from(["v1", "v2", "a.b", "a|b", 'q"', "x y", "", "(", "ä"])


@given(st.lists(st.tuples(st.sampled_from(["t", "u"]), VALUES, st.one_of(st.none(), VALUES)), min_size=1, max_size=12))
def test_every_selector_is_in_one_group_which_selects_its_series(asked):
    texts = []
    for name, version, zone in asked:
        matchers = [("version", version), *(() if zone is None else (("zone", zone),))]
        written = ",".join(f'{label}="{value.replace(chr(34), chr(92) + chr(34))}"' for label, value in matchers)
        texts.append(f"{name}{{{written}}}")
    groups = merged(texts)
    assert sorted(text for group in groups for text in group.texts.values()) == sorted(set(texts))
    for group in groups:
        parse(group.selector)
        for text in group.texts.values():
            labels = {matcher.label: matcher.value for matcher in parse(text).matchers}
            assert group.text_of(labels) == text
