"""Small servers on loopback, for tests: pages, webhooks."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serving(answer, *, status=200, with_headers=False, headers=None):
    """Serve on loopback; yields host and port.

    answer: from method, path and body (and headers, if asked for) to a text, or None for a 503.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self):
            sent = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            body = answer(self.command, self.path, sent, *([self.headers] if with_headers else []))
            raw = (body or "").encode()
            self.send_response(503 if body is None else status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(raw)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = _answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def hook(verdict):
    """A webhook: what it says, or nothing that is a verdict. Yields its URL and what it was asked."""
    asked = []

    def answer(_method, _path, body):
        asked.append(json.loads(body))
        return "{}" if verdict is None else json.dumps({"passed": verdict, "message": "said"})

    with serving(answer) as address:
        yield f"http://{address}/check", asked
