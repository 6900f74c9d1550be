"""Conversations in a cluster: objects of ours beside the user's route, entries in a VirtualService, drains, taken back."""

from __future__ import annotations

import hashlib

import pytest

from rollout.adapters.kubernetes.resources import DEPLOYMENT, GRPC_ROUTE, HTTP_ROUTE, ROLLOUT, VIRTUAL_SERVICE
from rollout.adapters.routers.route_pins import PINS
from tests.controller.steps import abort, gone, observing, released, restart, settled
from tests.fakes import agents
from tests.fakes.clustered import ClusterWorld

PINNED = {"pin": {"header": "x-agent-version"}}
GAUGE = {"census": {"gauge": 'agent_conversations_open{version="$version"}'}}
LONG = agents.policy(canary={"steps": [{"weight": "50%", "for": "10m"}], "bake": {"for": "1s"}})


def pinned(kind="httpRoute", **options):
    conversations = {**PINNED, **GAUGE, **options.pop("conversations", {})}
    return ClusterWorld(kind=kind, conversations=conversations, **options)


def ours(world):
    kind = HTTP_ROUTE if world.kind == "httpRoute" else GRPC_ROUTE
    routes = world.api.list_all(kind, "default")[0]
    return [route for route in routes if route["metadata"]["name"].startswith("agent-pins-")]


def open_conversations(world, **counts):
    for version, count in counts.items():
        world.prometheus.set("agent_conversations_open", count, version=version, pod=f"agent-{version}")


def told(route):
    """By what each rule of ours tells a request, and where it sends it."""
    return [
        (header["name"], header["value"], {key: backend[key] for key in ("name", "port")})
        for rule in route["spec"]["rules"]
        for header, backend in [(rule["matches"][0]["headers"][-1], rule["backendRefs"][0])]
    ]


@pytest.mark.parametrize("kind", ["httpRoute", "grpcRoute"])
def test_a_route_of_ours_keeps_started_conversations_beside_the_users_which_is_not_touched(kind):
    with pinned(kind, policy=LONG) as world:
        before = world.api.get(world.route_kind, "default", "agent")["spec"]
        observing(world)
        (route,) = ours(world)
        backend = {"name": "agent-v1", "port": 8000}
        assert told(route) == [
            ("x-agent-version", "v1", backend),
            ("x-agent-version", "v2", {**backend, "name": "agent-v2"}),
            ("x-thread-id", ".+", backend),
        ]
        user = world.api.get(world.route_kind, "default", "agent")["spec"]
        assert route["spec"]["parentRefs"] == user["parentRefs"]
        assert route["spec"].get("hostnames") == user.get("hostnames")
        assert all(rule["filters"] == user["rules"][1]["filters"] for rule in route["spec"]["rules"])
        owner = route["metadata"]["ownerReferences"][0]
        assert owner["uid"] == world.get()["metadata"]["uid"] and owner["controller"]
        assert user["rules"][0] == before["rules"][0] and len(user["rules"]) == len(before["rules"])


def test_no_weight_before_the_gateway_has_accepted_the_pins():
    with pinned(policy=LONG, start=False) as world:
        world.gateway.programmed = lambda found: world.gateway_saw.append(found["metadata"]["name"])
        world.gateway_saw = []
        world.start()
        settled(world)
        weights = []
        original = world.gateway._take_up

        def take_up(kind, found):
            if found["metadata"]["name"].startswith("agent-pins-"):
                weights.append(dict(world.shares()))
                return
            original(kind, found)

        world.gateway._take_up = take_up
        world.want("v2")
        world.until(lambda status: status.get("reason") == "PinsPending" and weights)
        assert world.shares() == {"v1": 100, "v2": 0}
        assert "not pinned yet" in world.until(lambda status: "not pinned yet" in status["message"])["message"]
        world.gateway._take_up = original
        route = ours(world)[0]
        world.api.merge(HTTP_ROUTE, "default", route["metadata"]["name"], {"metadata": {"labels": {"seen": "again"}}})
        original(HTTP_ROUTE, world.api.get(HTTP_ROUTE, "default", route["metadata"]["name"]))
        world.phase("Observing")


@pytest.mark.parametrize("kind", ["httpRoute", "virtualService"])
def test_the_old_version_is_drained_by_its_census_and_then_nothing_of_ours_is_left(kind):
    with pinned(kind) as world:
        open_conversations(world, v1=2, v2=1)
        before = world.api.get(world.route_kind, "default", "agent")["spec"]
        released(world)
        world.until(lambda status: status.get("draining", {}).get("v1", {}).get("open") == 2)
        assert world.condition("Draining")["status"] == "True" and world.condition("Drained")["status"] == "False"
        assert pin_versions(world) == {"v1"}
        open_conversations(world, v1=0)
        world.until(lambda status: not status.get("draining"))
        assert pin_versions(world) == set()
        assert world.condition("Drained")["status"] == "True"
        after = world.api.get(world.route_kind, "default", "agent")["spec"]
        assert len(after["http" if kind == "virtualService" else "rules"]) == 2
        key = ("http", "route") if kind == "virtualService" else ("rules", "backendRefs")
        for entry in (*after[key[0]][1][key[1]], *before[key[0]][1][key[1]]):
            entry.pop("weight", None)
        assert after == before


def pin_versions(world):
    if world.kind == "virtualService":
        http = world.api.get(VIRTUAL_SERVICE, world.namespace, "agent")["spec"]["http"]
        return {rule["name"].rpartition("/")[2] for rule in http if rule["name"].startswith("rollout.dev/pin/")}
    return {value for route in ours(world) for _, value, _ in told(route) if value != ".+"}


def test_entries_of_ours_stand_right_before_the_rule_of_a_virtual_service():
    with pinned("virtualService", policy=LONG) as world:
        observing(world)
        http = world.api.get(VIRTUAL_SERVICE, "default", "agent")["spec"]["http"]
        mark = hashlib.sha256(b"virtualService/agent/chat").hexdigest()[:8]
        assert [rule["name"] for rule in http] == [
            "health",
            f"rollout.dev/pin/agent/{mark}/v1",
            f"rollout.dev/pin/agent/{mark}/v2",
            f"rollout.dev/started/agent/{mark}/v1",
            "chat",
        ]
        assert http[2]["match"] == [{"headers": {"x-agent-version": {"exact": "v2"}}}]
        assert http[2]["timeout"] == "30s" and len(http[2]["route"]) == 1
        abort(world)
        world.phase("RolledBack")
        world.until(lambda _: pin_versions(world) == {"v2"})
        assert world.shares() == {"v1": 100, "v2": 0}


def test_pins_follow_edits_of_the_rule_and_come_back_where_somebody_deletes_them():
    with pinned(policy=LONG) as world:
        observing(world)
        matches = [{"path": {"type": "PathPrefix", "value": "/chat"}}]
        patch = [{"op": "add", "path": "/spec/rules/1/matches", "value": matches}]
        world.api.patch(HTTP_ROUTE, "default", "agent", patch)
        world.until(
            lambda _: ours(world) and ours(world)[0]["spec"]["rules"][0]["matches"][0].get("path") == matches[0]["path"]
        )
        world.api.delete(HTTP_ROUTE, "default", ours(world)[0]["metadata"]["name"])
        world.until(lambda _: len(ours(world)) == 1)
        assert PINS in ours(world)[0]["metadata"]["annotations"]


def test_a_controller_that_dies_in_between_leaves_pins_that_the_next_one_goes_on_with():
    with pinned(policy=LONG) as world:
        observing(world)
        before = ours(world)[0]
        restart(world)
        world.until(lambda status: status.get("phase") == "Observing")
        assert ours(world)[0]["metadata"]["uid"] == before["metadata"]["uid"]


def test_pins_that_may_not_be_written_hold_the_release_and_are_told_in_the_servers_words():
    with pinned(policy=LONG) as world:
        settled(world)
        world.cluster.allowed = lambda verb, resource, _: not (verb == "create" and resource.plural == "httproutes")
        world.want("v2")
        status = world.until(lambda status: status.get("reason") == "PinsPending" and "forbidden" in status["message"])
        assert 'cannot create resource "httproutes"' in status["message"]
        assert world.shares() == {"v1": 100, "v2": 0}


def test_an_object_of_somebody_elses_with_our_name_is_left_alone_and_told():
    name = f"agent-pins-{hashlib.sha256(b'httpRoute/agent/chat').hexdigest()[:8]}"
    with pinned(policy=LONG, start=False) as world:
        theirs = {**agents.route(), "metadata": {"name": name}}
        world.api.create(HTTP_ROUTE, "default", theirs)
        before = world.api.get(HTTP_ROUTE, "default", name)["spec"]
        world.start()
        settled(world)
        world.want("v2")
        status = world.until(lambda status: status.get("reason") == "PinsRefused")
        assert f"{name} is there and not this Rollout's" in status["message"]
        assert world.api.get(HTTP_ROUTE, "default", name)["spec"] == before


def test_a_rollout_that_is_deleted_takes_its_pins_out_of_a_virtual_service():
    with pinned("virtualService", policy=LONG) as world:
        observing(world)
        world.api.delete(ROLLOUT, "default", "agent")
        gone(world)
        assert pin_versions(world) == set()


@pytest.mark.parametrize(
    ("matches", "others", "word"),
    [
        ([{"path": {"type": "PathPrefix", "value": f"/{n}"}} for n in range(60)], [], "pins need 180 matches"),
        (
            [{"path": {"type": "PathPrefix", "value": "/"}}],
            [{"path": {"type": "PathPrefix", "value": "/"}, "queryParams": [{"name": "debug", "value": "1"}]}],
            "a pin would overtake",
        ),
    ],
    ids=["too many matches", "a rule by query"],
)
def test_rules_that_cannot_have_pins_are_refused_before_anything_is_written(matches, others, word):
    with pinned(policy=LONG, start=False) as world:
        patch = [{"op": "add", "path": "/spec/rules/1/matches", "value": matches}]
        if others:
            patch.append({"op": "add", "path": "/spec/rules/0/matches", "value": others})
        world.api.patch(HTTP_ROUTE, "default", "agent", patch)
        world.start()
        settled(world)
        world.want("v2")
        status = world.until(lambda status: status.get("reason") == "PinsRefused")
        assert word in status["message"] and ours(world) == [] and world.shares() == {"v1": 100, "v2": 0}


def test_a_drained_version_is_scaled_to_zero_where_that_is_declared():
    policy = agents.policy(drain={"deadline": "1h", "scaleDown": True})
    with pinned(policy=policy) as world:
        open_conversations(world, v1=0, v2=1)
        released(world)
        world.until(lambda status: not status.get("draining"))
        assert world.api.get(DEPLOYMENT, "default", "agent-v1")["spec"]["replicas"] == 0
        assert world.api.get(DEPLOYMENT, "default", "agent-v2")["spec"]["replicas"] > 0


@pytest.mark.parametrize(
    ("kind", "path", "repeats", "word"),
    [
        (
            "httpRoute",
            "/spec/rules/1/filters/-",
            {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "x", "port": 80}}},
            "mirrors",
        ),
        ("virtualService", "/spec/http/1/retries", {"attempts": 2}, "retries"),
        ("virtualService", "/spec/http/1/mirror", {"host": "shadow"}, "mirrors"),
    ],
)
def test_a_route_that_lets_an_agent_act_twice_is_refused_unless_that_is_declared_harmless(kind, path, repeats, word):
    with ClusterWorld(kind=kind, policy=LONG, start=False) as world:
        world.api.patch(world.route_kind, "default", "agent", [{"op": "add", "path": path, "value": repeats}])
        world.start()
        settled(world)
        world.want("v2")
        status = world.until(lambda status: status.get("reason") == "RouteRefused")
        assert word in status["message"] and "repeatable" in status["message"]
        assert world.shares() == {"v1": 100, "v2": 0}
        world.want("v2", conversations={"repeatable": True})
        world.phase("Observing")


def test_the_split_is_measured_by_new_conversations_where_started_ones_are_pinned():
    with pinned(policy=LONG) as world:
        observing(world)
        world.until(lambda _: any("agent_conversations_started_total" in query for query in world.prometheus.asked))


def test_pins_that_a_gateway_strips_pause_the_release():
    with pinned(policy=LONG) as world:
        observing(world)
        for version in ("v1", "v2"):
            world.prometheus.set("agent_conversations_unpinned_total", 0, version=version, pod=f"agent-{version}")
        asked = len(world.prometheus.asked)
        world.until(lambda _: len(world.prometheus.asked) > asked + 2)
        world.prometheus.set("agent_conversations_unpinned_total", 5000, version="v1", pod="agent-v1")
        status = world.until(lambda status: status.get("reason") == "PinsLost")
        assert status["phase"] == "Paused" and "the header x-agent-version" in status["message"]


def draining(kind="httpRoute", **options):
    world = pinned(kind, **options)
    open_conversations(world, v1=2, v2=1)
    released(world)
    world.until(lambda status: status.get("draining", {}).get("v1", {}).get("open") == 2)
    return world


@pytest.mark.parametrize("kind", ["httpRoute", "virtualService"])
def test_a_rollout_that_is_deleted_while_a_version_is_drained_leaves_nothing(kind):
    with draining(kind) as world:
        assert pin_versions(world) == {"v1"}
        world.api.delete(ROLLOUT, "default", "agent")
        gone(world)
        assert pin_versions(world) == set()


@pytest.mark.parametrize("kind", ["httpRoute", "virtualService"])
def test_pins_that_are_declared_no_more_are_taken_out(kind):
    with draining(kind) as world:
        assert pin_versions(world) == {"v1"}
        world.api.merge(ROLLOUT, "default", "agent", {"spec": {"conversations": {"pin": None}}})
        world.until(lambda _: pin_versions(world) == set())


@pytest.mark.parametrize("kind", ["httpRoute", "virtualService"])
def test_a_rule_that_is_renamed_keeps_its_pins_once(kind):
    with draining(kind) as world:
        lists = "http" if kind == "virtualService" else "rules"
        at = [rule["name"] for rule in world.api.get(world.route_kind, "default", "agent")["spec"][lists]].index("chat")
        rename = {"op": "replace", "path": f"/spec/{lists}/{at}/name", "value": "talk"}
        world.api.patch(world.route_kind, "default", "agent", [rename])
        world.api.merge(ROLLOUT, "default", "agent", {"spec": {"routes": [{kind: {"name": "agent", "rule": "talk"}}]}})
        label = hashlib.sha256(f"{kind}/agent/talk".encode()).hexdigest()[:8]

        def once(_):
            if kind == "httpRoute":
                return [route["metadata"]["name"] for route in ours(world)] == [f"agent-pins-{label}"]
            http = world.api.get(VIRTUAL_SERVICE, "default", "agent")["spec"]["http"]
            names = [rule["name"] for rule in http if rule["name"].startswith("rollout.dev/")]
            return names and all(f"/{label}/" in name for name in names)

        world.until(once)


def test_pins_go_with_the_route_that_they_stand_beside():
    with draining() as world:
        assert len(ours(world)) == 1
        world.api.delete(HTTP_ROUTE, "default", "agent")
        world.until(lambda _: ours(world) == [])


def test_two_rules_of_one_virtual_service_have_pins_of_their_own():
    routes = [{"virtualService": {"name": "agent", "rule": rule}} for rule in ("chat", "voice")]
    with pinned("virtualService", policy=LONG, start=False, routes=routes) as world:
        http = world.api.get(VIRTUAL_SERVICE, "default", "agent")["spec"]["http"]
        voice = {**http[1], "name": "voice", "match": [{"uri": {"prefix": "/voice"}}]}
        world.api.patch(VIRTUAL_SERVICE, "default", "agent", [{"op": "add", "path": "/spec/http/1", "value": voice}])
        world.start()
        observing(world)
        names = [rule["name"] for rule in world.api.get(VIRTUAL_SERVICE, "default", "agent")["spec"]["http"]]
        assert len(names) == 3 + 2 * 3
        assert names[4] == "voice" and names[8] == "chat", names


def test_what_is_taken_away_from_the_rule_is_taken_away_from_the_pins():
    with pinned(policy=LONG) as world:
        observing(world)
        world.api.patch(HTTP_ROUTE, "default", "agent", [{"op": "remove", "path": "/spec/rules/1/filters"}])
        world.until(lambda _: all("filters" not in rule for rule in ours(world)[0]["spec"]["rules"]))


def test_a_rule_that_matches_the_pins_own_header_is_refused():
    with pinned(policy=LONG, start=False) as world:
        headers = [{"headers": [{"name": "X-Thread-Id", "value": "a"}]}]
        world.api.patch(
            HTTP_ROUTE, "default", "agent", [{"op": "add", "path": "/spec/rules/1/matches", "value": headers}]
        )
        world.start()
        settled(world)
        world.want("v2")
        status = world.until(lambda status: status.get("reason") == "PinsRefused")
        assert "matches the header x-thread-id itself" in status["message"]


def test_a_drained_version_that_another_rule_uses_stays_awake():
    policy = agents.policy(drain={"deadline": "1h", "scaleDown": True})
    with pinned(policy=policy, start=False) as world:
        other = {"op": "add", "path": "/spec/rules/0/backendRefs", "value": [{"name": "agent-v1", "port": 8000}]}
        world.api.patch(HTTP_ROUTE, "default", "agent", [other])
        world.start()
        open_conversations(world, v1=0, v2=1)
        released(world)
        world.until(lambda status: not status.get("draining"))
        assert world.api.get(DEPLOYMENT, "default", "agent-v1")["spec"]["replicas"] > 0


def test_an_edit_in_mid_flight_after_which_no_pins_could_be_made_takes_none_away():
    with pinned(policy=LONG) as world:
        observing(world)
        before = told(ours(world)[0])
        by_query = [{"path": {"type": "PathPrefix", "value": "/"}, "queryParams": [{"name": "debug", "value": "1"}]}]
        world.api.patch(
            HTTP_ROUTE, "default", "agent", [{"op": "add", "path": "/spec/rules/0/matches", "value": by_query}]
        )
        status = world.until(lambda status: status.get("reason") == "PinsPending")
        assert "a pin would overtake" in status["message"]
        assert [told(route) for route in ours(world)] == [before], "nobody is cut off"
