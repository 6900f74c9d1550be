"""A metrics page is read line by line: what cannot be read costs its own metric and never the page."""

from __future__ import annotations

import gzip

import pytest

from rollout.adapters.bodies import BodyRefused, read_body
from rollout.adapters.metrics import page as pages
from rollout.adapters.metrics.page import Unreadable, read_page

GOOD = 'requests_total{version="v1"} 3\n'
NATIVE = (
    "# TYPE latency histogram\n"
    "latency {count:24,sum:100,schema:0,zero_threshold:0.001,zero_count:4,positive_spans:[0:2],positive_deltas:[2,1]}\n"
)


@pytest.mark.parametrize(
    "around",
    [
        "\ufeff# HELP a b\n",
        NATIVE,
        'latency_bucket{le="8k"} 1\n',
        '{"my.metric",code="200"} 7\n',
        'other{"my.label"="x"} 1\n',
        "# TYPE other nonsense\n",
        "other 0x10\n",
        'other{unterminated="x 1\n',
        'other{a="1",a="2"} 1\n',
        "other 1 123456\n",
        'other 1 # {trace_id="x"} 0.5 123\n',
        "# EOF\n",
        "\x00\x01\x02\n",
        "other NaN\n",
        "\r\n",
    ],
)
def test_what_is_around_a_metric_never_costs_it(around):
    for text in (around + GOOD, GOOD + around):
        page = read_page(text, "http://a/metrics")
        assert page.problem == "" and page.series("requests_total") == [({"version": "v1"}, 3.0)]


@pytest.mark.parametrize(
    ("text", "name", "series"),
    [
        ('{"my.metric",code="200"} 7\n', "my.metric", [({"code": "200"}, 7.0)]),
        ('other{"my.label"="x"} 1\n', "other", [({"my.label": "x"}, 1.0)]),
        ("# TYPE done counter\ndone 4\n", "done_total", [({}, 4.0)]),
        ("# TYPE done counter\ndone_total 4\n", "done", [({}, 4.0)]),
        ("# TYPE done gauge\ndone 4\n", "done_total", []),
        ('a{b="}"} 1 # {trace_id="x"} 0.5\n', "a", [({"b": "}"}, 1.0)]),
        ('a{b="\\"\\\\\\n"} 1\n', "a", [({"b": '"\\\n'}, 1.0)]),
        (NATIVE + "latency_count 24\n", "latency_count", [({}, 24.0)]),
        (NATIVE, "latency_bucket", []),
        ("a 1\r\nb 2\r\n", "b", [({}, 2.0)]),
    ],
)
def test_every_way_to_write_a_series_is_read(text, name, series):
    assert read_page(text, "u").series(name) == series


def test_a_line_that_cannot_be_parsed_costs_the_metric_that_it_is_of():
    page = read_page(GOOD + 'broken{a="1",a="2"} 1\n', "u")
    with pytest.raises(Unreadable, match="a line of broken cannot be read"):
        page.series("broken")


@pytest.mark.parametrize("text", ["<html><body>login</body></html>", '{"a": 1}', "please log in", "[]", "null"])
def test_what_is_no_metrics_page_says_so(text):
    assert read_page(text, "http://a/metrics").problem == "http://a/metrics is not a metrics page"


def test_a_declared_name_counts_as_there_before_its_first_sample():
    page = read_page("# TYPE a_total counter\n# TYPE h histogram\n", "u")
    assert {"a", "a_total", "h_bucket", "h_count", "h_sum"} <= page.names


def test_a_page_of_too_many_lines_is_refused(monkeypatch):
    monkeypatch.setattr(pages, "LINES_MAX", 100)
    assert "more than 100 lines" in read_page("a 1\n" * 102, "u").problem


# -- bodies ------------------------------------------------------------------------------------------------------------

MIB = 1024 * 1024
BOMB = gzip.compress(b"\0" * 64 * MIB)


def test_a_body_is_bounded_by_what_it_becomes():
    assert len(BOMB) < 0.1 * MIB
    with pytest.raises(BodyRefused, match="larger than 1024 KiB"):
        read_body([BOMB], "gzip", MIB)


def test_what_a_small_body_becomes_is_never_whole_in_memory():
    import tracemalloc

    tracemalloc.start()
    with pytest.raises(BodyRefused):
        read_body([BOMB], "gzip", MIB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,gzip,gzip", "deflate, gzip", "br", "zstd", "deflate", "x"])
def test_no_encoding_is_read_but_gzip_once(encoding):
    with pytest.raises(BodyRefused, match="not read"):
        read_body([gzip.compress(BOMB)], encoding, MIB)


@pytest.mark.parametrize(
    ("chunks", "encoding", "body"),
    [
        ([b"ab", b"c"], "", b"abc"),
        ([b"abc"], "identity", b"abc"),
        ([gzip.compress(b"abc")], "GZIP", b"abc"),
        ([gzip.compress(b"ab") + gzip.compress(b"c")], "x-gzip", b"abc"),
        ([bytes([byte]) for byte in gzip.compress(b"abc" * 100)], "gzip", b"abc" * 100),
        ([], "gzip", b""),
    ],
)
def test_a_body_is_read_whole(chunks, encoding, body):
    assert read_body(chunks, encoding, 1000) == body


def test_what_is_no_gzip_is_told():
    with pytest.raises(BodyRefused, match="not the gzip"):
        read_body([b"plain"], "gzip", 1000)
    with pytest.raises(BodyRefused, match="larger than 0 KiB"):
        read_body([b"12345", b"67890"], "", 9)
