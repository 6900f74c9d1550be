"""Whom documents of tenants may have the controller ask: what the operator lists, and the namespace's own Services."""

from __future__ import annotations

import pytest

from rollout.adapters.checks.webhooks import ask
from rollout.adapters.egress import Egress
from rollout.adapters.hosts import host_of
from rollout.adapters.http import Services
from rollout.model.api.gates import Webhook
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld
from tests.fakes.http import serving


@pytest.mark.parametrize("named", ["metrics", "webhook"])
def test_no_host_is_asked_but_those_that_the_operator_lists_and_those_of_the_namespace(named):
    """Whoever may write a Rollout does not get to ask the metadata service of the node through the controller."""
    asked = []

    def answer(path, _form, _headers):
        asked.append(path)
        return "{}"

    with serving(answer, with_headers=True) as address:
        hook = {"name": "h", "url": f"http://{address}/x"}
        policy = agents.policy(gates={"webhooks": [hook]}) if named == "webhook" else None
        with ClusterWorld(start=False, policy=policy) as world:
            world.want(
                "v2", **({"metrics": {"prometheus": {"url": f"http://{address}"}}} if named == "metrics" else {})
            )
            prometheus = () if named == "metrics" else (host_of(world.url),)
            world.start(egress=Egress({}, ("prometheus.monitoring", *prometheus)))
            world.until(lambda _: world.condition("Stalled").get("reason") == "InvalidSpec")
            told = world.condition("Stalled")["message"]
    assert f"has not listed {address}" in told and f"--allow-host {address}" in told
    assert asked == []


def test_a_release_under_way_asks_nobody_whom_the_operator_no_longer_lists():
    """Its policy is pinned, with the hosts that were allowed then."""
    hook, question = Webhook(name="h", url="http://tenant.example/x"), {"id": "1", "namespace": "agents"}
    fact = ask(Services(), Egress({}, ()), hook, question, "")
    assert fact.passed is None and "has not listed tenant.example:80" in fact.message


def test_services_of_the_own_namespace_are_asked_whatever_the_operator_lists():
    egress = Egress({}, ())
    assert egress.refusal("http://prometheus.agents.svc:9090", "agents") == ""
    assert egress.refusal("http://prometheus.agents.svc.cluster.local:9090", "agents") == ""
    for elsewhere in ("http://prometheus.other.svc:9090", "http://evil.agents", "http://agents.svc.evil.com"):
        assert "has not listed" in egress.refusal(elsewhere, "agents")
