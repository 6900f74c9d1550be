"""Versions that change behind two Services, the stable one and the candidate's: `backends.roles`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rollout.adapters.kubernetes.resources import DEPLOYMENT, POD, SERVICE
from rollout.adapters.workloads.roles import RoleReader, version_of_image
from rollout.adapters.workloads.services import ServiceWorkloads
from rollout.cli.render.status import draw
from rollout.engine.effects import SetWeight
from rollout.errors import ClusterUnavailable, Rejected
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends, Metadata
from rollout.model.documents import rollout_spec
from rollout.model.rollout import Rollout
from rollout.model.status.roles import RoleVersions
from rollout.model.status.status import Status
from rollout.views.summary import overview_of
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.clustered import ClusterWorld
from tests.fakes.server import FakeApi
from tests.statuses import status_with
from tests.unit.test_routes import router, weights
from tests.world import policy, spec

BACKENDS = agents.ROLES
NAMING = Naming("agent", "default", Backends.model_validate(BACKENDS))
RUNNING = replace(NAMING, running={"web-stable": "v1", "web-canary": "v2"})
BOTH = replace(NAMING, running={"web-stable": "v2", "web-canary": "v2"})


def naming(**roles):
    backends = {**BACKENDS, "roles": {**BACKENDS["roles"], **roles}}
    return Naming("agent", "default", Backends.model_validate(backends))


def faults(**backends):
    document = agents.rollout("http://prometheus:9090", version="v1", backends=backends)
    return {str(fault) for fault in rollout_spec(document["spec"])[1]}


@pytest.fixture
def api():
    """A cluster with v1 behind the stable Service, and v2 behind the candidate's."""
    made = FakeApi(FakeCluster(), "test")
    agents.roles(made)
    return made


def workloads(api, over=RUNNING):
    return ServiceWorkloads(api, over, ("HTTPRoute",), roles=RoleReader(api, over, None))


def behind(api, over=NAMING, last=None):
    versions = RoleReader(api, over, last).versions
    return versions.stable, versions.candidate


def test_a_version_is_the_service_it_runs_behind_and_back():
    assert [RUNNING.service(version) for version in ("v1", "v2", "v3")] == ["web-stable", "web-canary", ""]
    assert [RUNNING.version_of(name) for name in ("web-stable", "web-canary", "web")] == ["v1", "v2", None]
    assert BOTH.service("v2") == "web-stable" and BOTH.version_of("web-canary") == "v2"
    assert RUNNING.deployment("v2") == "web-canary" and RUNNING.deployment("v3") is None


def test_what_runs_behind_a_service_is_read_from_its_pods(api):
    assert behind(api) == ("v1", "v2")
    agents.run(api, "web-canary", "v2", "v3")
    reader = RoleReader(api, NAMING, None)
    assert reader.versions.candidate is None
    assert reader.problems == ("default/web-canary runs v2 and v3: wait until its Deployment is rolled out",)


def test_a_pod_that_is_over_or_ends_does_not_count(api):
    agents.run(api, "web-canary", "v2", "v3")
    api.merge(POD, "default", "web-canary-v2", {"status": {"phase": "Succeeded"}})
    assert behind(api) == ("v1", "v3")


def test_a_deployment_that_sleeps_says_its_version_by_what_it_would_make(api):
    agents.run(api, "web-canary")
    assert behind(api) == ("v1", "v2")


def test_the_version_is_what_the_declared_label_or_image_says(api):
    api.merge(POD, "default", "web-canary-v2", {"metadata": {"labels": {"release": "2.0"}}})
    assert behind(api, naming(versionLabel="release")) == (None, "2.0")
    assert behind(api, naming(versionImage="agent")) == ("v1", "v2")
    image = "registry:5000/team/agent"
    assert version_of_image(f"{image}:2.0@sha256:{'ab' * 32}") == "2.0"
    assert version_of_image(f"{image}@sha256:{'ab' * 32}") == "abababababab"
    assert version_of_image(image) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda api: api.delete(SERVICE, "default", "web-canary"), "there is no Service default/web-canary"),
        (lambda api: api.merge(SERVICE, "default", "web-canary", {"spec": {"selector": None}}), "has no selector"),
        (
            lambda api: api.merge(POD, "default", "web-canary-v2", {"metadata": {"labels": {"version": None}}}),
            "do not say their version: give them the label version or app.kubernetes.io/version",
        ),
    ],
)
def test_why_no_version_can_be_told_is_said_with_what_to_do(api, change, said):
    change(api)
    assert said in "".join(RoleReader(api, NAMING, None).problems)
    unready = workloads(api, replace(NAMING, running={"web-stable": "v1"})).ready(("v2",))["v2"]
    assert "v2 has no Service: web-stable runs v1: roll it out behind web-canary" in unready and said in unready


def test_what_cannot_be_read_is_as_it_was_and_no_version_counts_as_ready_by_it(api):
    class Deaf:
        def get(self, *_):
            raise ClusterUnavailable("the API does not answer")

    last = RoleVersions(stable="v1", candidate="v2")
    reader = RoleReader(Deaf(), NAMING, last)
    assert reader.versions == last and "cannot be read: the API does not answer" in reader.problems[0]
    assert "cannot be read" in reader.problem("web-canary", "v2")


def test_a_service_that_runs_another_version_than_the_release_began_with_is_not_ready(api):
    assert workloads(api).ready(("v1", "v2")) == {"v1": "", "v2": ""}
    agents.run(api, "web-canary", "v3")
    assert workloads(api).ready(("v2",))["v2"] == "web-canary runs v3 by now: roll v2 out behind it again"


@pytest.mark.parametrize("kind", ["httpRoute", "grpcRoute", "virtualService"])
def test_a_rule_is_read_and_split_by_role(kind):
    over, api = router(agents.by_role(agents.route(kind=kind), kind), kind=kind, naming=RUNNING)
    assert over.observe().shares == {"v1": 10000, "v2": 0} and over.observe().problem == ""
    over.apply(SetWeight("v1", "v2", 1000, bases=((over.name, 100),)))
    assert weights(api, kind)[1] == [90, 10]


@pytest.mark.parametrize("kind", ["httpRoute", "virtualService"])
def test_where_both_roles_run_a_version_its_traffic_goes_back_to_the_stable_service_in_one_write(kind):
    route = agents.by_role(agents.route(kind=kind, weights=(0, 100)), kind)
    over, api = router(route, kind=kind, naming=BOTH, versions=("v2",))
    facts = over.observe()
    assert facts.shares == {"v2": 10000} and facts.strays == ("v2",) and facts.problem == ""
    over.apply(SetWeight("v2"))
    assert weights(api, kind)[1] == [100, 0] and over.observe().strays == ()


def test_what_roles_go_with_is_checked_before_anything_is_done():
    roles = BACKENDS["roles"]
    assert faults(**BACKENDS) == set()
    assert any("is the stable Service" in fault for fault in faults(roles={**roles, "candidate": "web-stable"}))
    assert any("has no $service" in fault for fault in faults(roles=roles, deployment="web-$version"))
    both = {**roles, "versionLabel": "release", "versionImage": "agent"}
    assert any("versionLabel does too" in fault for fault in faults(roles=both))
    assert any("none are named" in fault for fault in faults(roles={**roles, "promotion": "swap"}))
    assert any("exactly one of" in fault for fault in faults(roles=roles, versions={"v1": "web"}))
    assert any("each has its own" in fault for fault in faults(roles=roles, subset="$version"))


def test_an_image_is_promoted_with_the_label_that_says_the_version_and_nothing_else(api):
    swap = replace(naming(promotion="swap"), running=RUNNING.running)
    before = api.get(DEPLOYMENT, "default", "web-stable")["spec"]
    workloads(api, swap).promote_image("v2")
    after = api.get(DEPLOYMENT, "default", "web-stable")["spec"]
    assert after["template"]["spec"]["containers"] == [{"name": "agent", "image": "registry/agent:v2"}]
    assert after["template"]["metadata"]["labels"] == {"app": "web-stable", "version": "v2"}
    assert {key: value for key, value in after.items() if key != "template"} == {
        key: value for key, value in before.items() if key != "template"
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"template": {"spec": {"containers": [{"name": "agent", "image": "a:2", "env": [{"name": "A"}]}]}}},
            "differ in environment",
        ),
        ({"template": {"spec": {"containers": [{"name": "other", "image": "a:2"}]}}}, "have other containers"),
    ],
)
def test_what_images_alone_would_not_carry_over_stops_the_release_before_any_traffic(api, change, said):
    swap = replace(naming(promotion="swap"), running=RUNNING.running)
    api.merge(DEPLOYMENT, "default", "web-canary", {"spec": change})
    unready = workloads(api, swap).ready(("v1", "v2"))
    assert unready["v1"] == "" and said in unready["v2"] and "promotion: pipeline" in unready["v2"]
    with pytest.raises(Rejected, match=said):
        workloads(api, swap).promote_image("v2")


def settled(version):
    return lambda status: status.get("phase") == "Stable" and status.get("stableVersion") == version


def is_home(version):
    return lambda status: status.get("roleVersions") == {"stable": version, "candidate": "v2", "serving": "stable"}


@pytest.mark.parametrize("kind", ["httpRoute", "virtualService"])
def test_a_release_is_promoted_and_goes_back_behind_the_stable_service_once_it_runs_there(kind):
    with ClusterWorld(kind=kind, backends=BACKENDS) as world:
        world.until(settled("v1"))
        world.want("v2")
        status = world.until(settled("v2"))
        assert status["result"] == "promoted" and world.shares() == {"web-stable": 0, "web-canary": 100}
        status = world.until(lambda status: (status.get("roleVersions") or {}).get("serving") == "candidate")
        assert world.condition("Ready")["status"] == "True" and world.condition("RolesSettled")["status"] == "False"
        assert "once v2 is rolled out behind the stable one" in world.condition("RolesSettled")["message"]
        assert status["next"] == "roll v2 out behind web-stable: its traffic goes back there"
        world.run("web-stable", "v2")
        world.until(is_home("v2"))
        assert world.shares() == {"web-stable": 100, "web-canary": 0}
        assert world.condition("RolesSettled")["status"] == "True"


def test_the_status_says_what_is_behind_each_service_and_which_one_serves_after_a_promotion():
    versions = RoleVersions(stable="v1", candidate="v2")
    drawn = []
    for serving in ("stable", "candidate"):
        status = status_with(Status(stable_version="v2"), role_versions=versions.changed(serving=serving))
        rollout = Rollout(Metadata(name="agent"), spec("v2", policy()), status)
        drawn.append(" ".join(line.text.strip() for line in draw(overview_of(rollout, datetime.now(UTC)), 0.0, 120)))
    assert "v1 behind the stable Service, v2 behind the candidate's" in drawn[0] and "which serves" not in drawn[0]
    assert "v2 behind the candidate's, which serves" in drawn[1]


def test_a_stable_service_that_is_rolled_out_anew_serves_all_the_same():
    with ClusterWorld(backends=BACKENDS) as world:
        world.until(settled("v1"))
        agents.run(world.api, "web-stable", "v1", "v1.1")
        world.want("v9")  # which makes it look again
        world.until(lambda status: (status.get("roleVersions") or {}).get("stable", "") == "")
        assert world.status()["roleVersions"]["serving"] == "stable"


def test_a_worse_version_is_sent_back_to_the_stable_service():
    with ClusterWorld(backends=BACKENDS) as world:
        world.fails["v2"] = 0.6
        world.until(settled("v1"))
        world.want("v2")
        world.phase("RolledBack")
        assert world.shares() == {"web-stable": 100, "web-canary": 0}


def test_a_candidate_that_becomes_a_third_version_in_mid_flight_is_sent_back():
    policy = agents.policy(canary={"steps": [{"weight": "10%", "for": "1h"}], "bake": {"for": "1s"}})
    with ClusterWorld(backends=BACKENDS, policy=policy) as world:
        world.until(settled("v1"))
        world.want("v2")
        world.phase("Observing")
        world.run("web-canary", "v3")
        status = world.phase("RolledBack")
        assert "web-canary runs v3 by now" in status["message"]
        assert world.shares() == {"web-stable": 100, "web-canary": 0}


def test_a_version_that_is_behind_neither_service_moves_nothing_and_says_which_are():
    with ClusterWorld(backends=BACKENDS) as world:
        world.until(settled("v1"))
        world.want("v3")
        status = world.until(lambda status: status.get("reason") == "BackendNotFound")
        assert "web-stable runs v1, web-canary runs v2: roll it out behind web-canary" in status["message"]
        world.run("web-canary", "v3")
        world.until(settled("v3"))
        assert world.shares() == {"web-stable": 0, "web-canary": 100}


def test_with_swap_the_controller_rolls_the_image_out_and_gives_the_weight_back():
    backends = {**BACKENDS, "roles": {**BACKENDS["roles"], "promotion": "swap"}}
    with ClusterWorld(backends=backends) as world:
        world.until(settled("v1"))
        world.want("v2")
        world.until(settled("v2"))
        world.until(lambda _: _image(world) == "registry/agent:v2")
        assert world.shares() == {"web-stable": 0, "web-canary": 100}, "nobody is sent to what is not rolled out yet"
        world.run("web-stable", "v2")  # as the Deployment's controller does
        world.until(is_home("v2"))
        assert world.shares() == {"web-stable": 100, "web-canary": 0}


def _image(world):
    found = world.api.get(DEPLOYMENT, "default", "web-stable")
    return found["spec"]["template"]["spec"]["containers"][0]["image"]
