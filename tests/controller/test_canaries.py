"""Nothing of a Secret or of the environment is written anywhere, whatever goes wrong with it.

Each case names a secret where a Rollout or a policy may name one, lets something fail on it, and searches all that the
controller has written: every object of the cluster but the Secrets, and its log.
"""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager

import pytest

from rollout.adapters.egress import Egress
from rollout.adapters.kubernetes.resources import SECRET
from rollout.contracts.samples.postgres import survey
from rollout.contracts.samples.snapshot import Limits
from rollout.controller.policy_faults import ENVIRONMENT_PREFIX
from rollout.controller.secrets import ALLOWED_HOSTS
from tests.controller.steps import settled
from tests.controller.test_state_contracts import BY_MAP, state_contract, with_contracts
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld
from tests.fakes.http import serving
from tests.waiting import eventually

CANARY = "Canary7d1f-x9Q"
PEM = f"-----BEGIN PRIVATE KEY-----\n{CANARY}{CANARY}\n-----END PRIVATE KEY-----"


def secret(world, hosts="127.0.0.1", **data):
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    metadata = {"name": "canary", "annotations": {ALLOWED_HOSTS: hosts}}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}
    world.api.create(SECRET, "default", body)


def key(name):
    return {"secretKeyRef": {"name": "canary", "key": name}}


def everything_written(world, capsys):
    world.controller.stop()
    objects = [body for (_, plural, *_), body in world.cluster.objects.items() if plural != "secrets"]
    assert any(body["kind"] == "Event" for body in objects), "the search looks at what is told as events too"
    return json.dumps(objects) + "".join(capsys.readouterr())


ADDRESSES = {
    "any text": CANARY,
    "a private key": PEM,
    "a URL with a broken escape": f"postgresql://app:{CANARY}%zz@127.0.0.1:1/agents",
    "a password that the server does not see": f"postgresql://app:{CANARY}@127.0.0.1:1/agents",
    "a host that is not there": f"postgresql://app:pw@{CANARY.lower()}.invalid/agents",
    "a port that is none": f"postgresql://app:pw@127.0.0.1:{CANARY}/agents",
    "an unknown parameter": f"postgresql://app:pw@127.0.0.1/agents?{CANARY}=1",
    "a bad value": f"postgresql://app:pw@127.0.0.1:1/agents?sslmode={CANARY}",
    "words of libpq": f"host=127.0.0.1 port=1 password={CANARY} nonsense",
    "another server's URL": f"https://{CANARY}@127.0.0.1/",
    "a file of the controller": f"postgresql://127.0.0.1:1/agents?passfile=/{CANARY}",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_nothing_of_an_address_is_told_by_whoever_reads_the_store(address):
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'agent-rollout[state]'")
    problem = survey(address, Limits(time_s=1.0), may_name_files=False).problem
    assert problem and CANARY.lower() not in problem.lower()


WRITTEN = ("a private key", "a URL with a broken escape", "a password that the server does not see")


@pytest.mark.parametrize("case", WRITTEN)
def test_nothing_of_a_secret_that_is_named_as_a_store_is_written(case, capsys):
    address = ADDRESSES[case]
    store = {"stateStore": {"postgres": key("url")}}
    with ClusterWorld(start=False, **BY_MAP, **store) as world:
        secret(world, url=address)
        with_contracts(world, v1=state_contract("plan"), v2=state_contract("plan"))
        world.start()
        world.want("v2")
        world.until(lambda status: status.get("reason") == "StateUnknown" and "the store" in status.get("message", ""))
        assert CANARY.lower() not in everything_written(world, capsys).lower()


TOKENS = {
    "with a line break": f"{CANARY}\nX-Other: {CANARY}",
    "a private key": PEM,
    "not ASCII": f"{CANARY}ß",
    "good, to a server that quotes it": CANARY,
}


@pytest.mark.parametrize(
    ("form", "token"), [*(("bearer", token) for token in TOKENS.values()), ("basic", PEM)], ids=[*TOKENS, "basic"]
)
def test_nothing_of_a_token_for_prometheus_is_written(token, form, capsys):
    auth = {
        "bearer": {"bearer": key("token")},
        "basic": {"basic": {"username": key("token"), "password": key("token")}},
    }
    with quoting() as url, ClusterWorld(start=False) as world:
        secret(world, token=token)
        world.start()
        settled(world)
        world.want("v2", metrics={"prometheus": {"url": url, "auth": auth[form]}})
        world.until(lambda status: status.get("reason") == "SourceError")
        assert CANARY not in everything_written(world, capsys)


@pytest.mark.parametrize("field", ["ca", "cert"])
def test_nothing_of_a_certificate_that_is_none_is_written(field, capsys):
    tls = {"ca": {"ca": key("pem")}, "cert": {"cert": key("pem"), "key": key("pem")}}[field]
    with ClusterWorld(start=False) as world:
        secret(world, pem=PEM)
        world.start()
        settled(world)
        world.want("v2", metrics={"prometheus": {"url": "https://127.0.0.1:1", "tls": tls}})
        world.until(lambda status: status.get("reason") == "SourceError")
        assert CANARY not in everything_written(world, capsys)


@contextmanager
def quoting():
    """A server that says back what it was told, as an error of Prometheus or as the verdict of a webhook."""

    def answer(_method, _path, _body, headers):
        said = headers.get("Authorization", "nothing")
        return json.dumps({"status": "error", "errorType": "x", "error": said, "passed": False, "message": said})

    with serving(answer, status=400, with_headers=True) as address:
        yield f"http://{address}"


@pytest.mark.parametrize("status", [200, 500])
def test_nothing_of_a_token_for_a_webhook_is_written(status, capsys, monkeypatch):
    name = f"{ENVIRONMENT_PREFIX}CANARY"
    monkeypatch.setenv(name, CANARY)
    said = []

    def answer(_method, _path, _body, headers):
        said.append(headers["Authorization"])
        return json.dumps({"passed": False, "message": f"who is {said[-1]}?"})

    with serving(answer, status=status, with_headers=True) as address:
        hook = {"name": "h", "url": f"http://{address}", "auth": {"bearer": {"env": name}}, "pollEvery": "1s"}
        policy = agents.policy(gates={"webhooks": [{**hook, "timeout": "3s"}]})
        with ClusterWorld(start=False, policy=policy) as world:
            world.start(egress=Egress({name: ("127.0.0.1",)}))
            settled(world)
            world.want("v2")
            world.phase("RolledBack")
            assert said[0] == f"Bearer {CANARY}"
            assert CANARY not in everything_written(world, capsys)


def test_nothing_of_a_token_is_kept_in_the_place_that_a_webhook_names(capsys, monkeypatch):
    name = f"{ENVIRONMENT_PREFIX}CANARY"
    monkeypatch.setenv(name, CANARY)
    asked = []

    def answer(_method, _path, _body, headers):
        asked.append(headers["Authorization"])
        return json.dumps({"message": "under way"})

    location = {"Location": f"/run?token={CANARY}"}
    with serving(answer, status=202, with_headers=True, headers=location) as address:
        hook = {"name": "h", "url": f"http://{address}", "auth": {"bearer": {"env": name}}, "timeout": "3s"}
        with ClusterWorld(
            start=False, policy=agents.policy(gates={"webhooks": [{**hook, "pollEvery": "1s"}]})
        ) as world:
            world.start(egress=Egress({name: ("127.0.0.1",)}))
            settled(world)
            world.want("v2")
            world.phase("RolledBack")
            assert asked and CANARY not in everything_written(world, capsys)


def test_a_secret_is_sent_to_no_host_but_those_that_its_owner_names():
    received = []

    def answer(_method, _path, _body, headers):
        received.append(dict(headers))
        return "{}"

    with serving(answer, with_headers=True) as address, ClusterWorld(start=False) as world:
        secret(world, hosts="prometheus.monitoring:9090", token=CANARY)
        world.start()
        settled(world)
        prometheus = {"url": f"http://{address}", "auth": {"bearer": key("token")}}
        world.want("v2", metrics={"prometheus": prometheus})
        status = world.until(lambda status: status.get("reason") == "SourceError")
        assert f"does not say that it is meant for {address}" in status["message"]
        assert ALLOWED_HOSTS in status["message"]
        assert received == [], "not even asked without it"


def test_a_variable_is_sent_to_no_host_but_those_that_the_operator_lists(monkeypatch):
    name = f"{ENVIRONMENT_PREFIX}CANARY"
    monkeypatch.setenv(name, CANARY)
    hook = {"name": "h", "url": "https://tenant.example/x", "auth": {"bearer": {"env": name}}}
    with ClusterWorld(start=False, policy=agents.policy(gates={"webhooks": [hook]})) as world:
        world.start(egress=Egress({name: ("ci.example",)}))
        world.until(lambda _: world.condition("Stalled").get("reason") == "InvalidSpec")
        assert f"has not listed {name} for tenant.example:443" in world.condition("Stalled")["message"]


@pytest.mark.parametrize("refused", [False, True])
def test_nothing_of_a_chats_address_is_written(refused, capsys):
    """The address is the service's token: neither a message that was taken nor one that was not may show it."""
    pytest.importorskip("apprise", reason="apprise is not installed")
    asked = []
    chat = {"targets": [{"name": "team", "apprise": {"url": key("url")}}]}
    with (
        serving(lambda *told: asked.append(told) or f"no: {CANARY}", status=500 if refused else 200) as address,
        ClusterWorld(start=False, policy=agents.policy(notifications=chat)) as world,
    ):
        secret(world, hosts="", url=f"json://{CANARY}:{CANARY}@{address}/{CANARY}")
        world.start()
        settled(world)
        world.want("v2")
        world.until(lambda status: status.get("stableVersion") == "v2")
        eventually(lambda: asked, 60, "nobody was told")
        assert CANARY not in everything_written(world, capsys)


def test_a_key_of_notifications_proves_nothing_to_a_host_that_its_owner_does_not_name(capsys):
    asked = []
    with serving(lambda *told: asked.append(told) or "{}") as address:
        bus = {"targets": [{"name": "bus", "webhook": {"url": f"http://{address}/x", "key": key("token")}}]}
        with ClusterWorld(start=False, policy=agents.policy(notifications=bus)) as world:
            secret(world, hosts="events.example.com", token=f"{CANARY}{CANARY}")
            world.start()
            settled(world)
            world.want("v2")
            world.until(lambda status: status.get("stableVersion") == "v2")
            assert world.status()["notices"] and asked == []
            written = everything_written(world, capsys)
    assert f"does not say that it is meant for {address}" in written and CANARY not in written


def test_a_host_that_the_operator_has_not_listed_is_no_target():
    bus = {"targets": [{"name": "bus", "webhook": {"url": "https://tenant.example/x", "key": key("token")}}]}
    with ClusterWorld(start=False, policy=agents.policy(notifications=bus)) as world:
        world.start(egress=Egress({}, ("127.0.0.1",)))
        world.until(lambda _: world.condition("Stalled").get("reason") == "InvalidSpec")
        assert "notifications.targets[0].webhook.url" in world.condition("Stalled")["message"]
