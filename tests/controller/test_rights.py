"""The controller's rights: what the roles grant is what the code calls."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path

import yaml

from rollout.adapters.kubernetes.resources import DEPLOYMENT, ROLLOUT
from tests.controller.steps import LONG, ask, settled
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld

ROOT = Path(__file__).parents[2]


def granted(path, kind):
    """Return what a role allows: (verb, resource, group)."""
    roles = [each for each in yaml.safe_load_all((ROOT / path).read_text()) if each["kind"] == kind]
    return {
        (verb, resource, group)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@contextmanager
def asking(allows, **settings):
    """A world at rest whose controller may call what `allows` says."""
    with ClusterWorld(start=False, policy=LONG, **settings) as world:
        world.cluster.allowed = allows
        world.start()
        settled(world)
        yield world


def test_the_role_in_one_namespace_is_the_role_in_all():
    assert granted("manifests/namespaced/role.yaml", "Role") == granted(
        "manifests/access/controller-role.yaml", "ClusterRole"
    )


def test_the_role_has_what_the_code_calls_and_nothing_more():
    """Releases by every kind of route, a candidate that is woken up, a deletion in mid-flight: each call under RBAC."""
    allowed = granted("manifests/access/controller-role.yaml", "ClusterRole")
    used = set()

    def allows(verb, resource, place):
        name = threading.current_thread().name
        if not name.startswith(("worker", "reflect")):
            return True
        call = (verb, resource.plural + (f"/{place['sub']}" if place["sub"] else ""), resource.group)
        used.add(call)
        return call in allowed

    for kind in ("httpRoute", "grpcRoute", "virtualService"):
        with ClusterWorld(
            kind=kind,
            start=False,
            policy=LONG,
            backends={"service": "$name-$version", "deployment": "$name-$version", "port": 8000},
            conversations={"pin": {"header": "x-agent-version"}},
        ) as world:
            world.cluster.allowed = allows
            world.api.merge(DEPLOYMENT, "default", "agent-v2", {"spec": {"replicas": 0}})
            agents.endpoints(world.api, "v2", ready=0)
            world.start()
            settled(world)
            world.want("v2")
            world.until(
                lambda _, world=world: world.api.get(DEPLOYMENT, "default", "agent-v2")["spec"]["replicas"] == 1
            )
            agents.endpoints(world.api, "v2")
            world.phase("Observing")
            if kind == "httpRoute":
                ask(world, "pause")
                ask(world, "resume")
                again = threading.Thread(
                    target=world.controller._refresh, args=(world.get(),), name="worker-after-a-conflict"
                )
                again.start()
                again.join()
            world.api.delete(world.route_kind, "default", "agent")  # then it is read past the cache
            read = ("get", world.route_kind.plural, world.route_kind.group)
            world.until(lambda _, read=read: read in used)
            pins = "agent-pins-"
            world.until(
                lambda _, world=world, pins=pins: (
                    not [
                        route
                        for route in world.api.list_all(world.route_kind, "default")[0]
                        if route["metadata"]["name"].startswith(pins)
                    ]
                )
            )
    for settings in ({"kind": "virtualService", "backends": agents.SUBSETS}, {"backends": agents.ROLES}):
        with asking(allows, **settings) as world:
            world.want("v2")
            world.phase("Observing")
    with asking(allows) as world:
        world.want("v9")  # nobody has created its Service
        world.until(lambda _: ("get", "services", "") in used)
    with ClusterWorld(
        start=False, backends={"service": "$name-$version", "port": 8000, "namespace": "elsewhere"}
    ) as world:
        world.cluster.allowed = allows
        claim = {"status": {"controller": "elsewhere/rollout-controller"}}  # whose lease is looked at
        world.api.merge(ROLLOUT, "default", "agent", claim, sub="status")
        world.start(lease="default/rollout-controller")
        world.until(lambda status: status.get("reason") == "StableUnknown")
    assert used <= allowed, f"the role lacks {used - allowed}"
    assert allowed <= used, f"the role has more than is used: {allowed - used}"


def test_promotion_of_images_needs_the_right_of_its_example_and_says_so_without_it():
    swap = {**agents.ROLES, "roles": {**agents.ROLES["roles"], "promotion": "swap"}}
    allowed = granted("manifests/access/controller-role.yaml", "ClusterRole")
    example = granted("manifests/examples/image-promoter.yaml", "Role")
    with ClusterWorld(start=False, backends=swap) as world:

        def allows(verb, resource, place):
            call = (verb, resource.plural + (f"/{place['sub']}" if place["sub"] else ""), resource.group)
            return call in allowed or not threading.current_thread().name.startswith("worker")

        world.cluster.allowed = allows
        world.start()
        settled(world)
        world.want("v2")
        world.until(lambda status: status.get("stableVersion") == "v2")
        world.until(lambda _: world.condition("Stalled").get("reason") == "Forbidden")
        assert "cannot patch" in world.condition("Stalled")["message"]
        allowed |= example
        world.until(lambda _: _image(world) == "registry/agent:v2")


def _image(world):
    template = world.api.get(DEPLOYMENT, "default", "web-stable")["spec"]["template"]
    return template["spec"]["containers"][0]["image"]


def test_rights_that_are_missing_are_told_and_stop_no_other():
    with ClusterWorld(start=False) as world:
        world.cluster.allowed = lambda verb, resource, place: (
            not (resource.plural == "services" and threading.current_thread().name.startswith(("worker", "reflect")))
        )
        world.start()
        world.until(lambda _: world.condition("Stalled").get("reason") == "Forbidden")
        assert "cannot get" in world.condition("Stalled")["message"]
