"""Metrics pages, answers of Prometheus, and contracts, however odd: read, or a problem that is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.adapters.checks.webhooks import read as read_verdict
from rollout.adapters.http import Response
from rollout.adapters.metrics.page import Unreadable, read_page
from rollout.adapters.metrics.prometheus_client import PrometheusClient
from rollout.adapters.metrics.prometheus_connection import Access
from rollout.adapters.metrics.scrape import ScrapeSource
from rollout.adapters.metrics.selector import parse
from rollout.contracts.check import check
from rollout.contracts.contract_text import read
from rollout.contracts.served import no_contract
from rollout.errors import InvalidInput, PageUnavailable
from rollout.model.api.kpi import Kpi
from tests.fuzz.odd import changed, deep, fuzz, tame, values

KPIS = tuple(
    Kpi.model_validate({"margin": {"absolute": "1%"}, **kpi})
    for kpi in (
        {"name": "errors", "bad": 'f_total{version="$version"}', "total": 'n_total{version="$version"}'},
        {"name": "slow", "good": 'd_bucket{le="2.5"}', "total": "d_count"},
    )
)
PIECES = (
    'n_total{version="v1"} 3', 'n_total{version="v2"} 4', 'f_total{version="v1"} 1', "# TYPE n_total counter",
    "# TYPE d histogram", 'd_bucket{le="2.5"} 3', 'd_bucket{le="8k"} 3', 'd_bucket{le=""} 1', "d_bucket 4", "d_count 5",
    "process_start_time_seconds NaN", "process_start_time_seconds x", "n_total 1e400", "n_total -1", "n_total NaN",
    'n_total{version="v1"', "d {count:24,sum:100}", '{"n_total",version="v1"} 9', "n_total{} 0x1", "\ufeff", "\x00",
    'n_total{version="v1",version="v1"} 2', "# HELP n_total \\", 'n_total{a="\\"} 1', "}", "{", 'd_bucket{le="1e999"} 1',
)  # fmt: skip


class Pages:
    """Pages that are there at once."""

    def __init__(self, text):
        self.text = text

    def get(self, url, _):
        if self.text is None:
            raise PageUnavailable(f"{url} is away")
        return self.text


@fuzz
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=30), max_size=12).map("\n".join))
def test_an_odd_page_is_a_round_with_problems_at_most(text):
    source = ScrapeSource("agent", lambda version: (f"http://{version}/metrics",), lambda: None, Pages(text), 1.0)
    try:
        with tame():
            round_ = source.read("v1", "v2", KPIS, "n_total")
            assert set(round_.kpis) == {"errors", "slow"}
            page = read_page(text, "u")
            for name in page.names:
                try:
                    page.series(name)
                except Unreadable as error:
                    assert name in str(error)
    finally:
        source.close()


@fuzz
@given(st.text(alphabet='abc_:{}="~!,\\ 0123(|)*+', max_size=40))
def test_any_text_is_a_selector_or_is_not(text):
    try:
        parse(text).accepts({"a": "b"})
    except ValueError as error:
        assert str(error)


VECTOR = {
    "status": "success",
    "data": {
        "resultType": "vector",
        "result": [{"metric": {"__name__": "n_total", "version": "v1"}, "value": [1700000000.1, "3"]}],
    },
}


class Answering:
    """In place of the library: it has read some JSON."""

    def __init__(self, body):
        self.body = body

    def custom_query(self, _query, params):
        assert params
        return self.body["data"]["result"]


@fuzz
@given(changed(VECTOR) | values)
def test_an_odd_answer_of_prometheus_is_samples_or_a_problem(body):
    client = PrometheusClient(Access("http://p:9090"))
    client._connection = lambda _heard: Answering(body)
    with tame():
        answer = client.query("up")
        assert answer.problem or all(sample.value == sample.value for sample in answer.samples)


@fuzz
@given(st.integers(0, 999), st.text(max_size=40), changed({"passed": True, "message": "x"}) | values)
def test_an_odd_verdict_is_no_verdict(status, location, body):
    with tame():
        text = json.dumps(body, default=str)
        fact = read_verdict(Response(status, location, text), "http://ci/x", "")
        assert fact.passed in (None, True, False)
        fact.message.encode()


STATE = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}, "required": ["a"]}
CONTRACT = {
    "contractVersion": 1,
    "framework": {"name": "langgraph", "version": "1.0"},
    "state": {"kind": "pydantic", "writer": STATE, "reader": STATE},
    "channels": {"a": {"kind": "LastValue"}},
    "nodes": {"n": {"interruptCalls": []}},
    "edges": [["n", "m"]],
    "subgraphs": {},
}


@fuzz
@given(changed(CONTRACT) | changed(STATE) | values, changed(CONTRACT))
def test_an_odd_contract_is_compared_or_refused(one, other):
    with tame():
        texts = [json.dumps(one, default=str), json.dumps(other, default=str)]
        for text in texts:
            no_contract(text)
        check(read(texts[0]), read(texts[1]))


@pytest.mark.parametrize("depth", [100, 1000, 100_000])
def test_a_contract_that_is_nested_deeply_is_refused(depth):
    text = "[" * depth + "]" * depth
    assert no_contract(text)
    with pytest.raises(InvalidInput):
        read(f'{{"contractVersion": 1, "state": {text}}}')
    with tame():
        read(json.dumps(deep(min(depth, 400))))
