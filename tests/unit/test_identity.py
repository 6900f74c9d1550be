"""What a version is made of: by the content of what it refers to, compared, and watched while it is released."""

from __future__ import annotations

import json

import pytest

from rollout.adapters.kubernetes.resources import CONFIG_MAP, DEPLOYMENT, POD, SECRET
from rollout.adapters.workloads.components import components_in
from rollout.adapters.workloads.contents import Contents
from rollout.adapters.workloads.identity import identity_of, image_digests
from rollout.adapters.workloads.identity_reader import FRESH_S, SETTLED_S, IdentityReader, pods_of
from rollout.engine.identities import changed_parts
from rollout.errors import Forbidden
from rollout.model.status.vocabulary import Phase, Reason, Result
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.clustered import ClusterWorld
from tests.fakes.server import FakeApi
from tests.unit.test_cluster_cli import shell
from tests.world import World, policy

DIGEST = "sha256:" + "ab" * 32
TEMPLATE = {
    "metadata": {"labels": {"app": "agent-v1"}, "annotations": {"model": "m-1"}},
    "spec": {
        "containers": [
            {
                "name": "agent",
                "image": "registry/agent:v1",
                "env": [
                    {"name": "MODEL", "value": "m-1"},
                    {"name": "API_KEY", "value": "in-plain-sight"},
                    {"name": "TONE", "valueFrom": {"configMapKeyRef": {"name": "tone", "key": "text"}}},
                ],
                "envFrom": [{"secretRef": {"name": "keys"}}],
            }
        ],
        "volumes": [
            {"name": "prompts", "configMap": {"name": "prompts-v1"}},
            {"name": "all", "projected": {"sources": [{"configMap": {"name": "tools", "items": [{"key": "a"}]}}]}},
        ],
    },
}
HELD = {"tone": {"text": "kind", "other": "x"}, "prompts-v1": {"system": "Be brief."}, "tools": {"a": "1", "b": "2"}}


@pytest.fixture
def api():
    """A cluster with a Deployment that refers to three ConfigMaps and a Secret, and one pod of it."""
    made = FakeApi(FakeCluster(), "test")
    for name, data in HELD.items():
        made.create(CONFIG_MAP, "default", {"metadata": {"name": name}, "data": data})
    made.create(SECRET, "default", {"metadata": {"name": "keys"}, "data": {"TOKEN": "c2VjcmV0"}})
    deployment(made, "agent-v1", TEMPLATE)
    status = {"containerStatuses": [{"name": "agent", "imageID": f"registry/agent@{DIGEST}"}]}
    metadata = {"name": "agent-v1-x", "labels": {"app": "agent-v1"}}
    made.create(POD, "default", {"metadata": metadata, "spec": {}, "status": status})
    return made


def deployment(api, name, template):
    body = {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": name}}, "template": template}}
    api.create(DEPLOYMENT, "default", body)


def identity(api, name="agent-v1"):
    found = api.get(DEPLOYMENT, "default", name)
    return identity_of(found, Contents(api, "default").digest, image_digests(pods_of(api, found)))


def changed(api, change):
    before = identity(api)
    change(api)
    return changed_parts(before, identity(api))


def hold(kind, name, data):
    return lambda api: api.merge(kind, "default", name, {"data": data})


def template(**spec):
    return lambda api: api.merge(DEPLOYMENT, "default", "agent-v1", {"spec": {"template": {"spec": spec}}})


def annotate(annotations):
    changed = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    return lambda api: api.merge(DEPLOYMENT, "default", "agent-v1", changed)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (hold(CONFIG_MAP, "prompts-v1", {"system": "Be long."}), ["ConfigMap prompts-v1"]),
        (hold(CONFIG_MAP, "tone", {"text": "stern"}), ["ConfigMap tone"]),
        (hold(CONFIG_MAP, "tone", {"other": "y"}), []),  # a key that nobody takes
        (hold(CONFIG_MAP, "tools", {"a": "3"}), ["ConfigMap tools"]),
        (hold(CONFIG_MAP, "tools", {"b": "3"}), []),
        (hold(SECRET, "keys", {"TOKEN": "b3RoZXI="}), ["Secret keys"]),
        (lambda api: api.delete(CONFIG_MAP, "default", "prompts-v1"), ["ConfigMap prompts-v1"]),
        (lambda api: api.merge(CONFIG_MAP, "default", "tone", {"metadata": {"labels": {"a": "b"}}}), []),
        (annotate({"kubectl.kubernetes.io/restartedAt": "now"}), []),  # a restart is no other version
        (annotate({"model": "m-2"}), ["annotations"]),
        (
            template(containers=[{**TEMPLATE["spec"]["containers"][0], "env": [{"name": "MODEL", "value": "m-2"}]}]),
            ["environment"],
        ),
        (lambda api: api.delete(POD, "default", "agent-v1-x"), []),  # a version that sleeps is the same version
        (template(containers=[{**TEMPLATE["spec"]["containers"][0], "image": "registry/agent:v1.1"}]), ["image agent"]),
        (
            lambda api: api.merge(
                POD,
                "default",
                "agent-v1-x",
                {"status": {"containerStatuses": [{"name": "agent", "imageID": "registry/agent@sha256:" + "cd" * 32}]}},
            ),
            ["digest of agent"],
        ),
    ],
)
def test_a_version_is_another_one_once_what_it_takes_is_and_names_the_part(api, change, parts):
    assert changed(api, change) == parts


def test_a_secret_that_may_not_be_read_is_a_part_that_is_not_known(api):
    class Denied(FakeApi):
        def get(self, kind, namespace, name):
            if kind is SECRET:
                raise Forbidden("no")
            return super().get(kind, namespace, name)

    read = identity(Denied(api.cluster, "test"))
    assert "Secret keys" not in read and "ConfigMap tone" in read
    assert changed_parts(identity(api), read) == []


def test_nobody_who_reads_a_status_can_try_out_what_a_secret_holds(api):
    before = identity(api)["Secret keys"]
    api.delete(SECRET, "default", "keys")
    api.create(SECRET, "default", {"metadata": {"name": "keys"}, "data": {"TOKEN": "c2VjcmV0"}})
    assert identity(api)["Secret keys"] != before, "the digest is keyed with what only the Secret has"


def test_what_is_held_is_read_again_after_a_while_and_a_changed_deployment_at_once(api):
    now = [0.0]
    reader = IdentityReader(api, lambda: now[0])

    def read():
        return reader.read("default/agent", api.get(DEPLOYMENT, "default", "agent-v1"))

    before = read()
    hold(CONFIG_MAP, "tone", {"text": "stern"})(api)
    now[0] = FRESH_S - 1
    assert read() == before
    now[0] = FRESH_S + 1
    assert changed_parts(before, read()) == ["ConfigMap tone"]
    api.merge(DEPLOYMENT, "default", "agent-v1", {"metadata": {"generation": 7}, "spec": {"template": {"spec": {}}}})
    template(containers=[{**TEMPLATE["spec"]["containers"][0], "image": "registry/agent:v1.1"}])(api)
    assert "image agent" in changed_parts(before, read())
    reader.forget("default/agent")
    assert reader.kept == {}


def test_pods_are_listed_again_once_their_deployment_has_changed_and_seldom_while_it_stands(api):
    now = [0.0]
    reader = IdentityReader(FakeApi(api.cluster), lambda: now[0])

    def lists():
        api.cluster.calls.clear()
        reader.read("default/agent", deployment)
        return sum(call[:2] == ("list", "pods") for call in api.cluster.calls)

    deployment = api.get(DEPLOYMENT, "default", "agent-v1")
    assert lists() == 1
    now[0] = FRESH_S + 1
    assert lists() == 0, "its ready pods are counted in it: none was replaced"
    deployment = api.merge(DEPLOYMENT, "default", "agent-v1", {"status": {"readyReplicas": 7}}, sub="status")
    now[0] += FRESH_S + 1
    assert lists() == 1
    now[0] += SETTLED_S - 1
    assert lists() == 0
    now[0] += 2 + FRESH_S
    assert lists() == 1


def test_components_are_named_by_their_place_and_literals_that_may_be_secrets_are_digests(api):
    found = api.get(DEPLOYMENT, "default", "agent-v1")
    rows = components_in(found, Contents(api, "default").digest, pods_of(api, found))
    assert rows["image agent"] == "registry/agent:v1" and rows["digest of agent"] == DIGEST
    assert rows["env agent MODEL"] == "m-1" and rows["annotation model"] == "m-1"
    assert "in-plain-sight" not in json.dumps(rows) and rows["env agent API_KEY"].startswith("(digest ")
    assert rows["env agent TONE"].startswith("ConfigMap tone [text] ")
    assert rows["volume prompts"].startswith("ConfigMap prompts-v1 ") and rows["envFrom agent 1"].startswith("Secret ")


def drifting(reaction: str, version: str = "v2") -> World:
    """A world in which a version becomes another one in the midst of its release."""
    world = World(policy(reactions={"drift": reaction}))
    world.workloads.made_of = {name: {"image agent": f"agent:{name}"} for name in ("v1", "v2")}
    world.run(300, until=Phase.OBSERVING)
    world.run(30)
    world.workloads.made_of[version] = {"image agent": "agent:other"}
    world.run(60)
    assert world.status.latest.identity_drift == f"{version}: image agent"
    return world


def test_drift_is_told_and_stops_nothing_unless_the_policy_says_so():
    assert drifting("warn").status.phase is Phase.OBSERVING


def test_a_candidate_that_drifts_is_rolled_back_where_the_policy_says_so():
    world = drifting("rollback")
    assert world.status.phase is Phase.ROLLED_BACK and world.status.latest.result is Result.ROLLED_BACK
    assert world.status.reason is Reason.IDENTITY_CHANGED and "v2: image agent" in world.status.message


def test_a_stable_version_that_drifts_is_no_place_to_go_back_to_so_a_human_is_asked():
    world = drifting("rollback", "v1")
    assert world.status.phase is Phase.PAUSED and world.router.share_of("v2") > 0


def test_whoever_resumes_accepts_what_the_version_is_now_and_the_next_change_pauses_again():
    world = drifting("pause")
    assert world.status.phase is Phase.PAUSED and world.status.reason is Reason.IDENTITY_CHANGED
    world.command("resume")
    world.run(60)
    assert world.status.phase is Phase.OBSERVING and world.status.latest.identity_drift == ""
    world.workloads.made_of["v2"] = {"image agent": "agent:third"}
    world.run(60)
    assert world.status.phase is Phase.PAUSED


def test_in_a_cluster_a_prompt_in_a_config_map_that_changes_is_drift(monkeypatch):
    monkeypatch.setattr("rollout.adapters.workloads.identity_reader.FRESH_S", 0.1)
    held = agents.policy(canary={"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "1s"}})
    held["spec"]["reactions"] = {"drift": "pause"}
    with ClusterWorld(policy=held, backends=BACKENDS) as world:
        with_prompts(world)
        world.until(lambda status: status.get("stableVersion") == "v1" and status["phase"] == "Stable")
        world.want("v2")
        world.phase("Observing")
        world.until(lambda status: "ConfigMap prompts" in status["identities"]["v2"])
        hold(CONFIG_MAP, "prompts", {"system": "Be long."})(world.api)
        assert world.phase("Paused")["reason"] == "IdentityChanged"
        assert "v2: ConfigMap prompts" in world.condition("IdentityDrift")["message"]


BACKENDS = {"service": "agent-$version", "port": 8000, "deployment": "agent-$version"}


def with_prompts(world):
    """Let v2 take its prompts from a ConfigMap."""
    world.api.create(CONFIG_MAP, "default", {"metadata": {"name": "prompts"}, "data": {"system": "Be brief."}})
    spec = {"volumes": [{"name": "prompts", "configMap": {"name": "prompts"}}]}
    world.api.merge(DEPLOYMENT, "default", "agent-v2", {"spec": {"template": {"spec": spec}}})


def test_two_versions_are_compared_side_by_side(tmp_path):
    with shell(tmp_path, backends=BACKENDS) as rollout:
        with_prompts(rollout.world)
        out, _ = rollout("diff", "v1", "v2", "-n", "default")
        lines = out.splitlines()
        assert lines[0].split() == ["COMPONENT", "V1", "V2"]
        assert ["image", "agent", "registry/agent:v1", "registry/agent:v2"] in [line.split() for line in lines]
        assert any(line.startswith("volume prompts") and "ConfigMap prompts" in line for line in lines)
        assert "MODEL" not in out and "MODEL" in rollout("diff", "v1", "v2", "--all", "-n", "default")[0]
        told = json.loads(rollout("diff", "v1", "v2", "-n", "default", "-o", "json")[0])
        assert told["differs"] and told["components"]["image agent"] == {
            "v1": "registry/agent:v1",
            "v2": "registry/agent:v2",
        }
        assert "made of the same" in rollout("diff", "v1", "v1", "-n", "default")[0]
        err = rollout("diff", "v1", "v9", "-n", "default", expect=2)[1]
        assert "there is no Deployment default/agent-v9" in err and "bring v9 up" in err
