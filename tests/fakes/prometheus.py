"""A fake Prometheus over HTTP: evaluates the terms that our source writes, over counters that a test sets."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from rollout.adapters.metrics.selector import parse

TERM = re.compile(
    r'label_replace\((max by\([a-z0-9_,]+\)\(timestamp\()?(.*?)(\)\))?,"rollout_term","(t\d+@?)","",""\)(?: or |$)'
)


def accepts(selector, labels):
    """As Prometheus matches: `le` is text like any other label."""
    bounds = [each for each in selector.matchers if each.label == "le" and each.operator == "="]
    return selector.accepts(labels) and all(labels.get("le") == each.value for each in bounds)


class FakePrometheus:
    """series: by (name, labels as sorted pairs). answer: instead of evaluating: (code, type, body). age_s: of samples."""

    def __init__(self):
        self.series = {}
        self.answer = None
        self.age_s = 0.0
        self.warnings = []
        self.asked = []
        self.headers = []

    def add(self, name, value, **labels):
        key = (name, tuple(sorted(labels.items())))
        self.series[key] = self.series.get(key, 0.0) + value

    def set(self, name, value, **labels):
        """A gauge."""
        self.series[name, tuple(sorted(labels.items()))] = value

    def matching(self, selector):
        """The series that a selector selects: (labels as sorted pairs, value)."""
        return [
            (labels, value)
            for (name, labels), value in list(self.series.items())
            if name == selector.name and accepts(selector, dict(labels))
        ]

    def evaluate(self, query):
        now, found = time.time(), []
        for timestamp, text, _, term in TERM.findall(query) or [("", query, "", "")]:
            selector = parse(text)
            matching = self.matching(selector)
            if timestamp and matching:
                by = timestamp.partition("(")[2].partition(")")[0].split(",")
                groups = {
                    tuple((label, dict(labels)[label]) for label in by if label in dict(labels))
                    for labels, _ in matching
                }
                found += [
                    {"metric": {"rollout_term": term, **dict(group)}, "value": [now, str(now - self.age_s)]}
                    for group in sorted(groups)
                ]
            elif not timestamp:
                found += [
                    {
                        "metric": {"__name__": selector.name, **dict(labels), "rollout_term": term},
                        "value": [now, str(value)],
                    }
                    for labels, value in matching
                ]
        return {
            "status": "success",
            "data": {"resultType": "vector", "result": found},
            **({"warnings": self.warnings} if self.warnings else {}),
        }


@contextmanager
def serving(prometheus):
    """Serve it; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

        def do_GET(self):
            self.answer(urlsplit(self.path).query)

        def answer(self, parameters):
            query = parse_qs(parameters).get("query", [""])[0]
            prometheus.asked.append(query)
            prometheus.headers.append(dict(self.headers))
            answer = prometheus.answer
            if callable(answer):
                answer = answer()
            code, kind, body = answer or (200, "application/json", json.dumps(prometheus.evaluate(query)))
            raw = body.encode()
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
