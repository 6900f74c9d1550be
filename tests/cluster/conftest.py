"""The real API server, one for each pytest process; without `make cluster-binaries` everything here skips, and says so."""

from __future__ import annotations

import uuid

import pytest

from tests.cluster.server import NAMESPACE, Server, install_definitions, missing, skip


@pytest.fixture(scope="session")
def bare_server(tmp_path_factory):
    """A server without our definitions."""
    if why := missing():
        skip(why)
    with Server(tmp_path_factory.mktemp("server")) as server:
        install_definitions(server)
        yield server


@pytest.fixture(scope="session")
def server(bare_server):
    """A server as README installs this tool on it."""
    bare_server.kubectl("apply", "--server-side", "-k", "manifests/")
    bare_server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    return bare_server


@pytest.fixture
def namespace(server):
    """A namespace of its own."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    server.api.create(NAMESPACE, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name
