"""One suite, two servers: the fake, and a real kube-apiserver where one is at hand. It is what keeps the fake honest.

A real one is what `make cluster-binaries` builds, or, with USE_EXISTING_CLUSTER=true, that of the current kubeconfig.
"""

from __future__ import annotations

import os
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest

from rollout.adapters.kubernetes.api import HttpApi
from rollout.adapters.kubernetes.elector import Elector
from rollout.adapters.kubernetes.kubeconfig import configured
from rollout.adapters.kubernetes.reflector import Reflector
from rollout.adapters.kubernetes.resources import CONFIG_MAP, EVENT, LEASE, POLICY, ROLLOUT, SERVICE
from rollout.errors import Conflict, NotFound, Rejected
from rollout.model.crd.definitions import definitions
from tests.cluster.server import DEFINITION, Server, missing, skip
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import kubeconfig, serving
from tests.waiting import eventually

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore:Unverified HTTPS")]  # a certificate of its own
EXISTING = os.environ.get("USE_EXISTING_CLUSTER", "").lower() == "true"


@pytest.fixture(scope="module", params=["fake", "real"])
def server(request, tmp_path_factory):
    """A server with our definitions in it: an API client, and whether it is real."""
    path = tmp_path_factory.mktemp("server")
    with ExitStack() as close:
        if request.param == "fake":
            config = kubeconfig(path / "kubeconfig", close.enter_context(serving(FakeCluster(), token="secret-token")))
        elif why := ("" if EXISTING else missing()):
            skip(why)
        else:
            config = None if EXISTING else close.enter_context(Server(path)).kubeconfig
        api = HttpApi(configured(config)[0], agent="rollout-controller")
        api.real = request.param == "real"
        if api.real:
            install(api)
        yield api


def install(api) -> None:
    """Bring our definitions in, as `kubectl apply` would."""
    for definition in definitions():
        name = definition["metadata"]["name"]
        try:
            found = api.get(DEFINITION, "", name)
        except NotFound:
            api.create(DEFINITION, "", definition)
        else:
            changed = {
                **definition,
                "metadata": {**definition["metadata"], "resourceVersion": found["metadata"]["resourceVersion"]},
            }
            api.replace(DEFINITION, "", name, changed)

    def established():
        found = [api.get(DEFINITION, "", each["metadata"]["name"]) for each in definitions()]
        return all(
            any(
                c["type"] == "Established" and c["status"] == "True"
                for c in each.get("status", {}).get("conditions", ())
            )
            for each in found
        )

    eventually(established, 30)
    for definition in definitions():
        found = api.get(DEFINITION, "", definition["metadata"]["name"])
        told = {each["type"]: each for each in found["status"]["conditions"]}
        assert "NonStructuralSchema" not in told, told


@pytest.fixture
def name():
    return f"t-{uuid.uuid4().hex[:8]}"


def rollout(name, **spec):
    return agents.rollout("http://prometheus:9090", name=name, **spec)


def test_a_write_of_an_old_version_is_refused_and_a_write_of_nothing_is_none(server, name):
    made = server.create(ROLLOUT, "default", rollout(name))
    assert made["metadata"]["generation"] == 1
    after = server.merge(ROLLOUT, "default", name, {"spec": {"version": "v2"}})
    assert after["metadata"]["generation"] == 2
    with pytest.raises(Conflict):
        server.merge(
            ROLLOUT,
            "default",
            name,
            {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "spec": {"version": "v3"}},
        )
    again = server.merge(ROLLOUT, "default", name, {"spec": {"version": "v2"}})
    assert again["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


def test_status_and_spec_are_written_apart(server, name):
    server.create(ROLLOUT, "default", rollout(name))
    patch = {"status": {"phase": "Stable", "stableVersion": "v1"}, "spec": {"version": "v9"}}
    after = server.merge(ROLLOUT, "default", name, patch, sub="status")
    assert (
        after["status"]["stableVersion"] == "v1"
        and after["spec"]["version"] == "v1"
        and after["metadata"]["generation"] == 1
    )
    after = server.merge(ROLLOUT, "default", name, {"status": {"stableVersion": "v7"}})
    assert after["status"]["stableVersion"] == "v1"
    gone = server.merge(ROLLOUT, "default", name, {"status": {"stableVersion": None}}, sub="status")
    assert "stableVersion" not in gone["status"]


def test_a_json_patch_is_all_or_nothing(server, name):
    server.create(ROLLOUT, "default", rollout(name))
    for operations in (
        [{"op": "test", "path": "/spec/version", "value": "v9"}, {"op": "add", "path": "/spec/version", "value": "v2"}],
        [
            {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
            {"op": "add", "path": "/spec/version", "value": "v2"},
        ],
        [{"op": "add", "path": "/spec/routes/7/httpRoute/rule", "value": "x"}],
    ):
        with pytest.raises(Rejected):
            server.patch(ROLLOUT, "default", name, operations)
    assert server.get(ROLLOUT, "default", name)["spec"]["version"] == "v1"


def test_a_finalizer_keeps_what_is_deleted_until_it_is_taken_out(server, name):
    made = rollout(name)
    made["metadata"]["finalizers"] = ["rollout.dev/traffic"]
    server.create(ROLLOUT, "default", made)
    delete(server, ROLLOUT, name)
    kept = server.get(ROLLOUT, "default", name)
    assert kept["metadata"]["deletionTimestamp"] and kept["metadata"]["finalizers"]
    server.merge(
        ROLLOUT,
        "default",
        name,
        {"metadata": {"finalizers": None, "resourceVersion": kept["metadata"]["resourceVersion"]}},
    )
    with pytest.raises(NotFound):
        server.get(ROLLOUT, "default", name)


def delete(api, kind, name):
    """The project deletes nothing, so its client cannot."""
    api._call("DELETE", kind.path("default", name))


REFUSED = {
    "a version with a slash": {"version": "v/1"},
    "no route": {"routes": []},
    "two kinds of one route": {"routes": [{"httpRoute": {"name": "a"}, "grpcRoute": {"name": "a"}}]},
    "neither policy nor reference": {"policyRef": None},
    "no source of metrics": {"metrics": {}},
    "a port that is none": {"backends": {"service": "$name-$version", "port": 0}},
    "a Prometheus that holds others up": {"metrics": {"prometheus": {"url": "http://p:9090", "timeout": "1h"}}},
    "a service without the version in it": {"backends": {"service": "$name"}},
}
BY_RULES = {
    "a Prometheus that holds others up",
    "two kinds of one route",
    "neither policy nor reference",
    "no source of metrics",
    "a service without the version in it",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_definitions_can_hold_is_refused(server, name, case):
    if case in BY_RULES and not server.real:
        pytest.skip("the fake evaluates no CEL")
    made = rollout(name, **REFUSED[case])
    made["spec"] = {key: value for key, value in made["spec"].items() if value is not None}
    with pytest.raises(Rejected):
        server.create(ROLLOUT, "default", made)


POLICIES = {
    "steps that fall": {"canary": {"steps": [{"weight": "50%"}, {"weight": "10%"}]}},
    "two steps of one weight": {"canary": {"steps": [{"weight": "10%"}, {"weight": "10%"}]}},
    "a step of everything": {"canary": {"steps": [{"weight": "100%"}]}},
    "two strategies": {"blueGreen": {}},
    "a KPI without margin or bound": {"kpis": [{"name": "a", "preset": "agent-tasks"}]},
    "a KPI of two kinds": {"kpis": [{"name": "a", "preset": "agent-tasks", "bad": "x", "margin": {"absolute": "1%"}}]},
    "a margin that says nothing": {"kpis": [{"name": "a", "preset": "agent-tasks", "margin": {}}]},
}


@pytest.mark.parametrize("case", POLICIES)
def test_policies_that_contradict_themselves_are_refused(server, name, case):
    if not server.real:
        pytest.skip("the fake evaluates no CEL")
    with pytest.raises(Rejected):
        server.create(POLICY, "default", agents.policy(name, **POLICIES[case]))


def test_every_policy_we_hand_out_is_taken(server):
    import yaml

    for path in sorted((Path(__file__).parents[2] / "policies").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            document["metadata"]["name"] += f"-{uuid.uuid4().hex[:6]}"
            assert server.create(POLICY, "default", document)["spec"] == document["spec"]


def test_a_whole_status_of_ours_comes_back_as_it_was_written(server, name):
    """Nothing that the engine keeps is pruned or refused by the definition."""
    from rollout.adapters.storage.rollout_resource import status_of
    from rollout.engine.conditions import conditions_of
    from rollout.model.status.cluster_status import ClusterStatus, packed
    from rollout.model.status.status import Status
    from tests.world import World

    world = World()
    world.run(400, every_s=5)
    world.command("pause")
    world.run(5)
    status = world.status
    server.create(ROLLOUT, "default", rollout(name))
    conditions = conditions_of(status, "v2", (), generation=1, now=world.clock.at)
    shown = ClusterStatus.of(status, conditions, generation=1)
    server.merge(ROLLOUT, "default", name, {"status": packed(shown)}, sub="status")
    assert status.latest.evidence and status.decisions and status.latest.counters.values
    assert status_of(server.get(ROLLOUT, "default", name)) == Status.model_validate_json(
        status.model_dump_json(by_alias=True)
    )


def test_a_cache_follows_and_lists_anew_when_its_place_is_gone(server, name):
    seen = []
    cache = Reflector(server, ROLLOUT, "default", seen.append)
    cache.start()
    try:
        eventually(cache.synced.is_set)
        server.create(ROLLOUT, "default", rollout(name))
        eventually(lambda: cache.get("default", name) is not None)
        server.merge(ROLLOUT, "default", name, {"spec": {"version": "v5"}})
        eventually(lambda: cache.get("default", name)["spec"]["version"] == "v5")
        delete(server, ROLLOUT, name)
        eventually(lambda: cache.get("default", name) is None)
    finally:
        cache.stop()
        cache.join(60)
    assert not cache._thread.is_alive()


def test_a_phase_can_be_selected(server, name):
    server.create(ROLLOUT, "default", rollout(name))
    server.merge(ROLLOUT, "default", name, {"status": {"phase": "Paused"}}, sub="status")
    found, _ = server.list_all(ROLLOUT, "default", fieldSelector="status.phase=Paused")
    assert name in {each["metadata"]["name"] for each in found}


def test_leases_are_held_by_one_and_asked_for_by_another(server, name):
    one, two = Elector(server, "default", name, "one"), Elector(server, "default", name, "two")
    assert one.acquire() and one.acquire() and not two.acquire()
    two.ask()
    assert one.acquire() and one.leads and one.asked_by == "two"
    one.release()
    assert not one.leads and two.acquire()
    lease = server.get(LEASE, "default", name)
    assert lease["spec"]["holderIdentity"] == "two" and two.asked_by == "", lease


def test_events_and_journals_are_taken(server, name):
    from datetime import UTC, datetime

    from rollout.adapters.kubernetes.events import Events
    from rollout.adapters.storage import history_configmap
    from tests.world import World

    made = server.create(ROLLOUT, "default", rollout(name))
    Events(server, "test-1", lambda: datetime.now(UTC)).tell(made, "Normal", "Promoted", "Promote", "v2 is promoted")
    mine = [each for each in server.list_all(EVENT, "default")[0] if each["metadata"]["name"].startswith(name)]
    assert [each["note"] for each in mine] == ["v2 is promoted"]
    world = World()
    world.run(60)
    history_configmap.write(server, made, world.status.decisions, None)
    history_configmap.write(server, made, world.status.decisions, None)
    assert len(history_configmap.read(server, made)[0]) == 2 * len(world.status.decisions)
    assert (
        server.get(CONFIG_MAP, "default", f"{name}-rollout")["metadata"]["ownerReferences"][0]["uid"]
        == made["metadata"]["uid"]
    )
    with pytest.raises(NotFound):
        server.get(SERVICE, "default", name)
