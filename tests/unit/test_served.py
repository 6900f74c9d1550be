"""What is fetched is kept only if it is a contract or a schema, from an endpoint of the version's own Service."""

from __future__ import annotations

import json

import pytest

from rollout.adapters.http import Services
from rollout.adapters.kubernetes.resources import CONFIG_MAP, ENDPOINT_SLICE, REFERENCE_GRANT, SERVICE
from rollout.adapters.statecontracts.fetch import ContractReader
from rollout.adapters.workloads.service_urls import endpoint_urls
from rollout.contracts.served import no_contract
from rollout.errors import PageUnavailable
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends, Metadata
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from tests.fakes.cluster import FakeCluster
from tests.fakes.http import serving
from tests.fakes.server import FakeApi
from tests.world import policy, spec

CANARY = "CanarySecret77"
CONTRACT = json.dumps({"contractVersion": 1, "framework": {"name": "langgraph"}, "nodes": {}})
FOREIGN = {
    "an Alertmanager's configuration": {"cluster": {"status": "ready"}, "config": {"original": CANARY}},
    "an answer of a Prometheus": {"status": "success", "data": {"resultType": "vector", "result": [CANARY]}},
    "a list of a cluster": {"kind": "SecretList", "apiVersion": "v1", "items": [{"data": CANARY}]},
    "a schema with something beside it": {"type": "object", "token": CANARY},
    "a type that is none": {"type": CANARY},
    "a list": [CANARY],
    "a text": CANARY,
    "a contract of nobody": {"contractVersion": CANARY},
    "a contract with a fault": {"contractVersion": 1, "nodes": CANARY},
}


@pytest.mark.parametrize("document", FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_contract_is_not_kept_and_no_word_of_it_is_told(document):
    text = json.dumps(document)
    assert no_contract(text) and CANARY not in no_contract(text)
    with serving(lambda *_: text) as address:
        fetched = fetch(f"http://{address}")
    assert fetched.text == "" and CANARY not in fetched.problem and "no state contract" in fetched.problem


@pytest.mark.parametrize(
    "text",
    [CONTRACT, "true", '{"type": "object", "x-owner": "me"}', '{"$schema": "https://json-schema.org/x", "title": "a"}'],
)
def test_a_contract_or_a_schema_is_kept(text):
    assert no_contract(text) == ""
    with serving(lambda *_: text) as address:
        assert fetch(f"http://{address}").text == text


def fetch(url):
    services = Services()
    try:
        return ContractReader(services, lambda _: [url]).read(rollout(http={}), "v2")
    finally:
        services.close()


def rollout(**contract):
    declared = spec("v2", policy(), contract=contract)
    return Rollout(Metadata(name="agent"), declared, Status())


def test_a_config_map_that_holds_something_else_is_not_kept():
    api = FakeApi(FakeCluster())
    data = {"state-contract.json": json.dumps(FOREIGN["an Alertmanager's configuration"])}
    api.create(
        CONFIG_MAP, "default", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "agent-v2"}, "data": data}
    )
    services = Services()
    fetched = ContractReader(services, lambda _: [], api).read(rollout(configMap={"name": "$name-$version"}), "v2")
    services.close()
    assert fetched.text == "" and CANARY not in fetched.problem


# -- where it is asked for -------------------------------------------------------------------------------------------------


def place(namespace="agents", *, elsewhere="agents", service=None, addresses=("10.0.0.7",), ready=True, port=8000):
    api = FakeApi(FakeCluster())
    spec_ = {"ports": [{"name": "http", "port": 80, "targetPort": port}], "selector": {"app": "a"}, **(service or {})}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "agent-v2"}, "spec": spec_}
    api.create(SERVICE, elsewhere, body)
    api.create(
        ENDPOINT_SLICE,
        elsewhere,
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "agent-v2-x", "labels": {"kubernetes.io/service-name": "agent-v2"}},
            "addressType": "IPv4",
            "ports": [{"name": "metrics", "port": 9000}, {"name": "http", "port": port}],
            "endpoints": [{"addresses": list(addresses), "conditions": {"ready": ready}}],
        },
    )
    backends = Backends(service="$name-$version", port=80, namespace=None if elsewhere == namespace else elsewhere)
    return api, endpoint_urls(api, Naming("agent", namespace, backends), ("HTTPRoute",))


def test_a_version_is_asked_at_the_endpoints_of_its_service_on_the_port_behind_the_services_own():
    _, urls = place()
    assert urls("v2") == ["http://10.0.0.7:8000"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"ready": False}, "no ready endpoint"),
        ({"addresses": ("127.0.0.1", "169.254.169.254", "metadata.internal", "0.0.0.0", "224.0.0.1")}, "no ready"),
        ({"service": {"type": "ExternalName", "externalName": "vault.secrets.svc"}}, "ExternalName"),
        ({"service": {"ports": [{"name": "other", "port": 81}]}}, "has no TCP port 80"),
    ],
)
def test_nothing_else_is_asked_in_its_place(changes, word):
    _, urls = place(**changes)
    with pytest.raises(PageUnavailable, match=word):
        urls("v2")


def test_a_service_of_another_namespace_is_asked_only_where_that_namespace_grants_it():
    api, urls = place(elsewhere="monitoring")
    with pytest.raises(PageUnavailable, match="no ReferenceGrant in monitoring"):
        urls("v2")
    route = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "agents"}
    grant = {"from": [route], "to": [{"group": "", "kind": "Service", "name": "agent-v2"}]}
    body = {
        "apiVersion": REFERENCE_GRANT.api_version,
        "kind": "ReferenceGrant",
        "metadata": {"name": "g"},
        "spec": grant,
    }
    api.create(REFERENCE_GRANT, "monitoring", body)
    assert urls("v2") == ["http://10.0.0.7:8000"]


def test_a_service_that_is_not_there_is_told():
    _, urls = place()
    with pytest.raises(PageUnavailable, match="there is no Service agents/agent-v3"):
        urls("v3")
