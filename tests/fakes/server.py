"""The fake API server's two faces: HTTP on loopback, and the `Api` protocol in process."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from rollout.adapters.kubernetes.errors import error_for, lost
from tests.fakes.cluster import FakeCluster
from tests.fakes.resources import Refusal

UNKNOWN_KIND = "404 page not found"
"""A real server answers with a plain page where it does not know the kind."""


class FakeApi:
    """The `Api` protocol over a FakeCluster, without a socket. agent: who writes."""

    def __init__(self, cluster: FakeCluster, agent="rollout-controller"):
        self.cluster, self.agent = cluster, agent
        self.manager = agent

    def _call(self, method, path, parameters=None, content_type=None, body=None):
        try:
            lose = self.cluster.fault(method, path) if self.cluster.fault else None
            _, answer = self.cluster.handle(method, path, parameters, content_type, body, self.agent)
            if lose == "after":
                raise TimeoutError("the answer was lost")
            return answer
        except Refusal as refusal:
            page = refusal.body["message"] == UNKNOWN_KIND
            raw = UNKNOWN_KIND if page else json.dumps(refusal.body)
            raise error_for(method, path, refusal.code, raw.encode(), refusal.headers) from refusal
        except OSError as error:
            raise lost(method, path, error) from error

    def get(self, kind, namespace, name):
        return self._call("GET", kind.path(namespace, name))

    def list_all(self, kind, namespace, **selectors):
        page = self._call("GET", kind.path(namespace), selectors)
        return page["items"], page["metadata"]["resourceVersion"]

    def pages(self, kind, namespace, **selectors):
        yield self.list_all(kind, namespace, **selectors)

    def create(self, kind, namespace, body):
        return self._call("POST", kind.path(namespace), body=body)

    def replace(self, kind, namespace, name, body):
        return self._call("PUT", kind.path(namespace, name), body=body)

    def merge(self, kind, namespace, name, patch, *, sub=""):
        return self._call("PATCH", kind.path(namespace, name, sub), None, "application/merge-patch+json", patch)

    def patch(self, kind, namespace, name, operations):
        return self._call("PATCH", kind.path(namespace, name), None, "application/json-patch+json", operations)

    def delete(self, kind, namespace, name, version=""):
        body = {"preconditions": {"resourceVersion": version}} if version else None
        return self._call("DELETE", kind.path(namespace, name), None, "application/json", body)

    def watch(self, kind, namespace, version, timeout_s, **selectors):
        parameters = {"resourceVersion": version, "timeoutSeconds": timeout_s, "allowWatchBookmarks": "true"}
        parameters |= selectors
        if self.cluster.fault:
            try:
                self.cluster.fault("WATCH", kind.path(namespace))
            except Refusal as refusal:
                raise error_for("WATCH", "", refusal.code, json.dumps(refusal.body).encode(), {}) from refusal
            except OSError as error:
                raise lost("WATCH", "", error) from error
        return _Watch(self.cluster, kind.path(namespace), parameters)


class _Watch:
    def __init__(self, cluster, path, parameters):
        self.stopped = threading.Event()
        self.cluster, self.path, self.parameters = cluster, path, parameters

    def __iter__(self):
        from rollout.errors import ClusterUnavailable, Expired

        for event in self.cluster.events(self.path, self.parameters, self.stopped):
            if event["type"] == "ERROR":
                kind = Expired if event["object"]["code"] == 410 else ClusterUnavailable
                raise kind(event["object"]["message"])
            yield event

    def stop(self):
        self.stopped.set()


@contextmanager
def serving(cluster: FakeCluster, *, token: str | None = None):
    """Serve a cluster over HTTP; yields its URL.

    cluster.down: no new connection is answered. cluster.silent: connections are taken and nothing is said.
    """
    ending = threading.Event()
    cluster.down = cluster.silent = cluster.drop = False

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        wbufsize = 65_536
        disable_nagle_algorithm = True

        def _handle(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode() if length else None
            if cluster.down:
                self.close_connection = True
                self.connection.close()
                return
            while cluster.silent and not ending.is_set():
                time.sleep(0.05)
            parts = urlsplit(self.path)
            parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
            try:
                if token is not None and self.headers.get("Authorization") != f"Bearer {token}":
                    raise Refusal(401, "Unauthorized", "Unauthorized")
                lose = cluster.fault(self.command, parts.path) if cluster.fault else None
                if parameters.get("watch"):
                    self._watch(parts.path, parameters)
                    return
                kind = (self.headers.get("Content-Type") or "").partition(";")[0] or None
                code, answer = cluster.handle(
                    self.command, parts.path, parameters, kind, body, self.headers.get("User-Agent", "unknown")
                )
                if lose == "after":
                    self.close_connection = True
                    self.connection.close()
                    return
            except Refusal as refusal:
                code, answer = refusal.code, refusal.body
                if refusal.body["message"] == "404 page not found":
                    answer = "404 page not found\n"
                self._send(code, answer, refusal.headers)
                return
            except OSError:
                self.close_connection = True
                self.connection.close()
                return
            self._send(code, answer, {})

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

        def _send(self, code, answer, headers):
            raw = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
            self.send_header("Content-Length", str(len(raw)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def _watch(self, path, parameters):
            stopped = threading.Event()
            events = cluster.events(path, parameters, stopped)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            try:
                for event in events:
                    if ending.is_set() or cluster.down or cluster.drop:
                        break
                    while cluster.silent and not ending.is_set():
                        time.sleep(0.05)
                    raw = json.dumps(event).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                pass
            finally:
                stopped.set()
                self.close_connection = True

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
        ending.set()
        cluster.silent = False
        server.shutdown()
        server.server_close()
        thread.join(5)


def kubeconfig(path, url, token="secret-token", namespace="default"):
    """Write a kubeconfig for a server; return its path."""
    made = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "fake",
        "clusters": [{"name": "fake", "cluster": {"server": url}}],
        "users": [{"name": "fake", "user": {"token": token}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake", "namespace": namespace}}],
    }
    path.write_text(json.dumps(made))
    return path
