"""The digest of an image, as registries tell it: to anybody, for a token, for a password, or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rollout.adapters.http import Services
from rollout.adapters.registry import image_of, kept_credentials, with_digest
from rollout.errors import InvalidInput, PageUnavailable

MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"})
DIGEST = "sha256:" + hashlib.sha256(MANIFEST.encode()).hexdigest()
SECRET = base64.b64encode(b"ada:pass word").decode()


@contextmanager
def registry(how):
    """A registry with team/agent:2.0. how: what it asks for: nothing, bearer, or basic."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.headers.get("Authorization", "")
            if self.path.startswith("/token"):
                allowed = how != "private" or known == f"Basic {SECRET}"
                self._answer(200 if allowed else 401, json.dumps({"token": "t1"}) if allowed else "no")
            elif how in ("bearer", "private") and known != "Bearer t1":
                realm = f"http://127.0.0.1:{self.server.server_port}/token"
                self._answer(401, "", f'Bearer realm="{realm}",service="r",scope="repository:team/agent:pull"')
            elif how == "basic" and known != f"Basic {SECRET}":
                self._answer(401, "", 'Basic realm="r"')
            elif self.path == "/v2/team/agent/manifests/2.0":
                self._answer(200, MANIFEST)
            else:
                self._answer(404, "none")

        def _answer(self, status, text, challenge=""):
            self.send_response(status)
            if challenge:
                self.send_header("WWW-Authenticate", challenge)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    service = Services()
    try:
        yield f"127.0.0.1:{server.server_port}", service
    finally:
        service.close()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("how", ["open", "bearer", "private", "basic"])
def test_a_tag_becomes_the_digest_of_what_the_registry_has(how):
    with registry(how) as (host, service):
        known = {host: SECRET} if how in ("private", "basic") else {}
        image = f"{host}/team/agent:2.0"
        assert with_digest(image_of(image), service, known) == f"{image}@{DIGEST}"


@pytest.mark.parametrize(
    ("how", "path"), [("open", "team/agent:9.9"), ("private", "team/agent:2.0"), ("basic", "team/agent:2.0")]
)
def test_what_a_registry_does_not_tell_is_said_without_any_secret(how, path):
    with registry(how) as (host, service), pytest.raises(PageUnavailable) as raised:
        with_digest(image_of(f"{host}/{path}"), service, {host: base64.b64encode(b"eve:guess").decode()})
    assert "eve" not in str(raised.value) and "ZXZl" not in str(raised.value)


def test_an_image_with_its_digest_is_asked_nobody_about():
    written = f"registry.example.com/agent:2.0@{DIGEST}"
    assert with_digest(image_of(written), None, {}) == written


@pytest.mark.parametrize(
    ("written", "host", "path", "tag"),
    [
        ("agent", "docker.io", "library/agent", "latest"),
        ("team/agent:2.0", "docker.io", "team/agent", "2.0"),
        ("ghcr.io/team/a/b:x", "ghcr.io", "team/a/b", "x"),
        ("localhost:5000/agent:1", "localhost:5000", "agent", "1"),
    ],
)
def test_images_are_read_as_docker_reads_them(written, host, path, tag):
    image = image_of(written)
    assert (image.host, image.path, image.tag) == (host, path, tag)


@pytest.mark.parametrize("written", ["", "UPPER/Case", "a b", "http://x/y", "agent:", "agent@sha256:12"])
def test_what_is_no_image_is_refused(written):
    with pytest.raises(InvalidInput, match="is no image"):
        image_of(written)


def test_credentials_of_docker_login_are_known_by_their_host(tmp_path):
    auths = {"https://index.docker.io/v1/": {"auth": "a"}, "ghcr.io": {"auth": "b"}, "x": {}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    assert kept_credentials(tmp_path) == {"docker.io": "a", "ghcr.io": "b"}
    assert kept_credentials(tmp_path / "none") == {}
