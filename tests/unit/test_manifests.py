"""What is applied to a cluster: whole, restricted, and the same names everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from rollout.adapters.storage.command_annotations import ABORT, COMMAND
from rollout.controller.manager import LEASE_NAME
from rollout.controller.shards import lease_names

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"


def documents(directory: str) -> list[dict]:
    """Everything that a kustomization brings in."""
    path = MANIFESTS / directory
    found = []
    for resource in yaml.safe_load((path / "kustomization.yaml").read_text())["resources"]:
        target = (path / resource).resolve()
        assert target.exists(), f"{directory}: {resource} is not there"
        if target.is_dir():
            found += documents(str(target.relative_to(MANIFESTS)))
        else:
            found += [each for each in yaml.safe_load_all(target.read_text()) if each]
    return found


def patched(kustomization: str, number: int = 0) -> list[dict]:
    """The operations of a kustomization's patch; the first is the Deployment's."""
    return yaml.safe_load(yaml.safe_load((MANIFESTS / kustomization).read_text())["patches"][number]["patch"])


def one(kind: str, directory: str = ".", name: str = "") -> dict:
    (found,) = [
        each for each in documents(directory) if each["kind"] == kind and name in ("", each["metadata"]["name"])
    ]
    return found


def test_every_file_is_brought_in_by_a_kustomization_or_is_an_example():
    named = {
        path for path in MANIFESTS.rglob("*.yaml") if path.name != "kustomization.yaml" and "examples" not in path.parts
    }
    brought = set()
    for kustomization in MANIFESTS.rglob("kustomization.yaml"):
        for resource in yaml.safe_load(kustomization.read_text())["resources"]:
            brought.add((kustomization.parent / resource).resolve())
    assert named <= brought


def test_the_pod_is_restricted_as_pod_security_has_it():
    assert one("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = one("Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all({"emptyDir"} >= volume.keys() - {"name"} for volume in pod["volumes"])


def test_two_replicas_stay_up_and_apart():
    deployment = one("Deployment")["spec"]
    assert deployment["replicas"] == 2 and deployment["template"]["spec"]["topologySpreadConstraints"]
    assert one("PodDisruptionBudget")["spec"]["minAvailable"] == 1
    selector = deployment["selector"]["matchLabels"]
    for kind, path in (
        ("PodDisruptionBudget", ("selector", "matchLabels")),
        ("NetworkPolicy", ("podSelector", "matchLabels")),
        ("Service", ("selector",)),
    ):
        found = one(kind)["spec"]
        for key in path:
            found = found[key]
        assert found == selector, kind


def test_the_arguments_are_those_that_the_command_knows():
    import typer.testing

    from rollout.cli.app import command_line

    told = typer.testing.CliRunner().invoke(command_line(), ["daemon", "--help"]).stdout
    for directory in (".", "namespaced", "sharded"):
        (container,) = one("Deployment", directory)["spec"]["template"]["spec"]["containers"]
        options = [word for word in container["args"] if word.startswith("--")]
        options += [word for word in patched("namespaced/kustomization.yaml")[0]["value"] if word.startswith("--")]
        options.append(patched("dashboard/kustomization.yaml")[0]["value"])
        options.append(patched("sharded/kustomization.yaml")[1]["value"].partition("=")[0])
        assert options and all(option in told for option in options), options


def test_each_shard_has_a_replica_and_a_lease_that_the_role_names():
    replicas, shards = (operation["value"] for operation in patched("sharded/kustomization.yaml"))
    names = patched("sharded/kustomization.yaml", 1)[0]["value"]
    assert shards == f"--shards={replicas}"
    assert set(lease_names(LEASE_NAME, replicas)) <= set(names)


def test_probes_ask_what_is_answered_and_where():
    (container,) = one("Deployment")["spec"]["template"]["spec"]["containers"]
    assert (
        container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        and container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    )
    port = container["ports"][0]["containerPort"]
    assert f"0.0.0.0:{port}" in container["args"]
    assert one("NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"] == port


def test_the_dashboards_port_is_the_one_that_it_listens_on_and_that_is_let_in():
    _, address, port = (operation["value"] for operation in patched("dashboard/kustomization.yaml"))
    assert address == f"0.0.0.0:{port['containerPort']}"
    assert one("NetworkPolicy", "dashboard")["spec"]["ingress"][0]["ports"][0]["port"] == port["containerPort"]
    assert one("Service", "dashboard")["spec"]["ports"][0]["targetPort"] == port["name"]
    selector = one("Deployment")["spec"]["selector"]["matchLabels"]
    assert one("Service", "dashboard")["spec"]["selector"] == selector


def test_the_lease_is_the_one_that_the_role_names():
    rules = [rule for rule in one("Role", "controller")["rules"] if "resourceNames" in rule]
    assert [rule["resourceNames"] for rule in rules] == [[LEASE_NAME]]


def test_no_right_is_a_star_and_no_secret_is_read_by_default():
    for path in MANIFESTS.rglob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text()):
            for rule in (document or {}).get("rules", ()):
                if not isinstance(rule, dict) or "verbs" not in rule:
                    continue
                assert "*" not in str(rule), path
                assert "secrets" not in rule["resources"] or rule.get("resourceNames"), path


def test_nobody_but_the_controller_writes_status():
    roles = [
        each
        for each in documents("access")
        if each["kind"] == "ClusterRole" and each["metadata"]["name"] != "rollout-controller"
    ]
    assert roles and all("status" not in str(role["rules"]) for role in roles)


def test_the_admission_policy_is_about_the_annotations_that_are_read():
    policy = yaml.safe_dump(one("ValidatingAdmissionPolicy", "admission", "rollout-actor"))
    assert COMMAND in policy and ABORT in policy and "request.userInfo.username" in policy
    binding = one("ValidatingAdmissionPolicyBinding", "admission", "rollout-actor")
    assert (
        binding["spec"]["policyName"]
        == one("ValidatingAdmissionPolicy", "admission", "rollout-actor")["metadata"]["name"]
    )


def test_the_image_runs_as_nobody_with_its_bytecode_compiled():
    text = (ROOT / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", text, re.MULTILINE)
    assert len(stages) == 2 and "compileall" in text[: text.rindex("FROM ")]
    final = text[text.rindex("FROM ") :]
    assert re.search(r"^USER 65532:65532$", final, re.MULTILINE) and "COPY --from=build" in final
    assert "RUN" not in final, "nothing is built in the image that runs"
    assert yaml.safe_load(re.search(r"^ENTRYPOINT (.*)$", final, re.MULTILINE).group(1)) == ["rollout"]


@pytest.mark.parametrize("word", ["python:", "agent-rollout:"])
def test_no_image_is_called_latest(word):
    for path in (ROOT / "Dockerfile", MANIFESTS / "controller/deployment.yaml"):
        assert ":latest" not in path.read_text(), word


@pytest.mark.parametrize("install", [".", "namespaced", "sharded"])
def test_commands_and_config_maps_are_guarded_in_every_install(install):
    names = {each["metadata"]["name"] for each in documents(install) if each["kind"] == "ValidatingAdmissionPolicy"}
    bound = {
        each["spec"]["policyName"] for each in documents(install) if each["kind"] == "ValidatingAdmissionPolicyBinding"
    }
    assert names == bound == {"rollout-actor", "rollout-journal", "rollout-pins"}


def test_the_guard_of_config_maps_is_about_the_account_that_the_controller_has():
    account = one("ServiceAccount", "controller")["metadata"]
    user = f"system:serviceaccount:{account.get('namespace', 'rollout-system')}:{account['name']}"
    policy = one("ValidatingAdmissionPolicy", "admission", "rollout-journal")
    assert user in policy["spec"]["matchConditions"][0]["expression"]
