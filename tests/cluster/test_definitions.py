"""What the definitions tell, and whom they refuse, on a real API server."""

from __future__ import annotations

import json

import pytest

from rollout.adapters.kubernetes.resources import POLICY, ROLLOUT
from rollout.errors import Rejected
from tests.fakes import agents

pytestmark = pytest.mark.real


def fields(schema, path=""):
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from fields(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from fields(schema[key], f"{path}[]")


def test_every_field_is_described(server):
    raw = server.kubectl("get", "--raw", "/openapi/v3/apis/rollout.dev/v1alpha1").stdout
    schemas = json.loads(raw)["components"]["schemas"]
    mine = {name: each for name, each in schemas.items() if name.startswith("dev.rollout.v1alpha1.")}
    assert {name.rpartition(".")[2] for name in mine} >= {"Rollout", "RolloutPolicy"}
    for name, schema in mine.items():
        if name.endswith("List"):
            continue
        bare = [
            path
            for path, each in fields(schema)
            if not each.get("description") and "$ref" not in each and "allOf" not in each
        ]
        assert bare == [], name


def test_kubectl_explains_a_field(server):
    told = server.kubectl("explain", "rollout.spec.routes.httpRoute.rule").stdout
    assert "the only rule that names both versions" in told


@pytest.mark.parametrize(
    "spec",
    [
        {"backends": {"service": "$name"}},
        {"routes": []},
        {"routes": [{"httpRoute": {"name": "a"}, "grpcRoute": {"name": "a"}}]},
        {"metrics": {"prometheus": {"url": "http://p:9090", "timeout": "1h"}}},
        {"metrics": {"prometheus": {"url": "http://p:9090", "staleAfter": "0s"}}},
        {"contract": {"http": {}, "inline": {"v1": {}}}},
        {"contract": {}},
        {"backends": {"service": "$name-$version", "port": "8000"}},
        {"policy": {"kpis": [], "canary": {"steps": [{"weight": "10%"}]}}, "policyRef": None},
    ],
    ids=str,
)
def test_what_the_definition_can_hold_is_refused(server, namespace, spec):
    made = agents.rollout("http://p:9090", **spec)
    made["spec"] = {key: value for key, value in made["spec"].items() if value is not None}
    with pytest.raises(Rejected):
        server.api.create(ROLLOUT, namespace, made)


def test_a_contract_inline_is_taken_and_kept_as_it_is(server, namespace):
    inline = {"v1": {"type": "object", "properties": {"a": {"const": None}}}, "v2": {"anything": [1, {"b": 2}]}}
    made = server.api.create(ROLLOUT, namespace, agents.rollout("http://p:9090", contract={"inline": inline}))
    assert made["spec"]["contract"]["inline"] == inline


def test_a_name_that_no_service_could_have_is_refused(server, namespace):
    made = agents.rollout("http://p:9090", name="my.agent")
    with pytest.raises(Rejected):
        server.api.create(ROLLOUT, namespace, made)


def test_services_may_be_named_one_by_one_and_no_two_versions_have_one(server, namespace):
    named = {"v1": "web", "v2": "web-next"}
    document = agents.rollout("http://prometheus:9090", backends={"versions": named, "deployment": "$service"})
    server.api.create(ROLLOUT, namespace, document)
    for backends, words in (
        ({"versions": {"v1": "web", "v2": "web"}}, "no two versions may have one Service"),
        ({"versions": named, "service": "$name-$version"}, "exactly one of service, versions"),
        ({"versions": named, "deployment": "web"}, "must have $version or $service"),
    ):
        with pytest.raises(Rejected, match=words.replace("$", "[$]")):
            server.api.create(ROLLOUT, namespace, agents.rollout("http://p:9090", name="other", backends=backends))


def test_subsets_are_of_one_service_and_only_a_virtual_service_knows_them(server, namespace):
    subsets = {"service": "web", "subset": "$version", "deployment": "web-$version"}
    document = agents.rollout("http://prometheus:9090", kind="virtualService", backends=subsets)
    server.api.create(ROLLOUT, namespace, document)
    for kind, backends, told in (
        ("httpRoute", subsets, "only a virtualService knows subsets"),
        ("virtualService", {**subsets, "service": "web-$version"}, "take $version out of it"),
        ("virtualService", {**subsets, "deployment": "$service"}, "deployment must have $version in it"),
        ("virtualService", {**subsets, "subset": "stable"}, "subset must have $version in it"),
        ("virtualService", {"subset": "$version", "versions": {"v1": "web"}}, "name it in service"),
    ):
        with pytest.raises(Rejected, match=told.replace("$", "[$]")):
            server.api.create(
                ROLLOUT, namespace, agents.rollout("http://p:9090", name="other", kind=kind, backends=backends)
            )


def test_roles_are_two_services_and_one_thing_says_the_version(server, namespace):
    roles = agents.ROLES["roles"]
    server.api.create(ROLLOUT, namespace, agents.rollout("http://prometheus:9090", backends=agents.ROLES))
    for backends, told in (
        ({"roles": {**roles, "candidate": "web-stable"}}, "each role has a Service of its own"),
        ({"roles": {**roles, "versionLabel": "a", "versionImage": "b"}}, "keep one of versionLabel and versionImage"),
        ({"roles": roles, "deployment": "web-$version"}, "with roles, deployment must have $service in it"),
        ({"roles": {**roles, "promotion": "swap"}}, "promotion: swap needs deployment"),
        ({"roles": {**roles, "promotion": "other"}}, "Unsupported value"),
        ({"roles": roles, "service": "web-$version"}, "needs exactly one of"),
    ):
        with pytest.raises(Rejected, match=told.replace("$", "[$]")):
            server.api.create(ROLLOUT, namespace, agents.rollout("http://p:9090", name="other", backends=backends))


SECRET_KEY = {"secretKeyRef": {"name": "told", "key": "key"}}


@pytest.mark.parametrize(
    "target",
    [
        {"apprise": {"url": SECRET_KEY}},
        {"webhook": {"url": "https://events.example.com/x", "key": SECRET_KEY}, "events": ["rolledBack", "promoted"]},
        {"github": {"repository": "acme/agent", "ref": "v$version", "token": SECRET_KEY}},
    ],
    ids=lambda target: next(iter(target)),
)
def test_each_kind_of_target_of_notifications_is_taken(server, namespace, target):
    notifications = {"link": "https://r.example.com/$namespace/$name", "targets": [{"name": "a", **target}]}
    server.api.create(POLICY, namespace, agents.policy(notifications=notifications))


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ({}, "exactly one"),
        ({"apprise": {"url": SECRET_KEY}, "github": {"repository": "a/b", "token": SECRET_KEY}}, "exactly one"),
        ({"apprise": {"url": {}}}, "needs secretKeyRef"),
        ({"apprise": {"url": SECRET_KEY}, "events": ["nonsense"]}, "Unsupported value"),
        ({"github": {"repository": "a/..", "token": SECRET_KEY}}, "repository"),
    ],
    ids=str,
)
def test_a_target_that_could_never_be_told_is_refused(server, namespace, target, why):
    targets = [{"name": "a", **target}]
    with pytest.raises(Rejected, match=why):
        server.api.create(POLICY, namespace, agents.policy(notifications={"targets": targets}))
