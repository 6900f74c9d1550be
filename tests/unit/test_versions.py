"""Versions as people write them, and the form that they have in names of objects."""

from __future__ import annotations

import re

import pytest

from rollout.adapters.routers.envoy_config import cluster_name, clusters
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends
from rollout.model.documents import rollout_spec
from rollout.model.units import VERSION_PATTERN, object_form

COMMIT = "9fceb02d0ae598e95dc970b74767f19372d61af8"


@pytest.mark.parametrize(
    ("version", "form"),
    [
        ("v2", "v2"),
        ("a--b", "a--b"),
        ("1.4.2", "1-4-2"),
        ("v1.2.3-rc.1", "v1-2-3-rc-1"),
        ("1.0.0+build.5", "1-0-0-build-5"),
        ("Release_7", "release-7"),
        (COMMIT, COMMIT),
        ("2026.11.26", "2026-11-26"),
    ],
)
def test_a_version_is_accepted_and_has_a_form_for_names(version, form):
    assert re.match(VERSION_PATTERN, version) and object_form(version) == form


def test_a_long_version_has_a_short_form_that_is_its_own():
    one, other = f"feature-{'x' * 50}-1", f"feature-{'x' * 50}-2"
    assert len(object_form(one)) <= 40 and object_form(one) != object_form(other)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", object_form(one))


@pytest.mark.parametrize("version", ["", "-v1", "v1-", "v 1", "v1/2", "v1\n", "$version", "x" * 64, "ä", ".."])
def test_what_is_no_version_is_refused(version):
    raw = {
        "version": version,
        "backends": {"service": "$name-$version"},
        "routes": [{"httpRoute": {"name": "agent"}}],
        "metrics": {"prometheus": {"url": "http://p:9090"}},
        "policyRef": {"name": "p"},
    }
    assert [fault.path for fault in rollout_spec(raw)[1]] == ["spec.version"]


def test_a_service_is_known_by_the_version_that_it_is_of_and_not_by_its_form():
    backends = Backends(service="$name-$version", deployment="$name-$version")
    naming = Naming("agent", "default", backends, ("1.4.2", "v2"))
    assert naming.service("1.4.2") == naming.deployment("1.4.2") == "agent-1-4-2"
    assert [naming.version_of(name) for name in ("agent-1-4-2", "agent-v2", "agent-v3", "other-v2")] == [
        "1.4.2",
        "v2",
        "v3",
        None,
    ]


def test_two_versions_of_one_form_are_refused_on_one_machine():
    raw = {
        "version": "1.4.2",
        "backends": {"endpoints": [{"version": v, "url": f"http://h:{n}"} for n, v in ((1, "1.4.2"), (2, "1-4-2"))]},
        "routes": [{"envoy": {"listen": "127.0.0.1:8080"}}],
        "metrics": {"scrape": {}},
        "policyRef": {"name": "p"},
    }
    (fault,) = rollout_spec(raw)[1]
    assert fault.path == "spec.backends.endpoints[1].version" and "1-4-2" in fault.message


def test_a_cluster_of_envoy_has_no_dot_in_its_name_which_would_end_its_label():
    assert cluster_name("agent", "1.4.2") == "agent/1-4-2"
    (made,) = clusters("agent", {"1.4.2": ("http://127.0.0.1:1",)})["resources"]
    assert made["name"] == "agent/1-4-2"


@pytest.mark.parametrize(
    ("endpoint", "scrape", "page"),
    [
        ({}, {}, "http://127.0.0.1:9001/metrics"),
        ({}, {"port": 9464}, "http://127.0.0.1:9464/metrics"),
        ({"url": "http://[::1]:9001"}, {"port": 9464, "path": "/m"}, "http://[::1]:9464/m"),
        ({"metrics": "http://127.0.0.1:9999/other"}, {"port": 9464}, "http://127.0.0.1:9999/other"),
    ],
)
def test_metrics_are_read_where_they_are_and_not_only_at_the_agents_port(endpoint, scrape, page):
    raw = {
        "version": "v1",
        "backends": {"endpoints": [{"version": "v1", "url": "http://127.0.0.1:9001", **endpoint}]},
        "routes": [{"envoy": {"listen": "127.0.0.1:8080"}}],
        "metrics": {"scrape": scrape},
        "policyRef": {"name": "p"},
    }
    spec, faults = rollout_spec(raw)
    assert faults == []
    declared = spec.metrics.scrape
    assert spec.backends.pages_of("v1", declared.path, declared.port) == (page,)
