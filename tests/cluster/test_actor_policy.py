"""Nobody gives a command in another's name: the admission policy on a real API server."""

from __future__ import annotations

import json
import time

import pytest

from rollout.adapters.kubernetes.resources import CONFIG_MAP, ROLLOUT
from rollout.adapters.storage.command_annotations import ABORT, COMMAND
from rollout.errors import Rejected
from tests.fakes import agents

pytestmark = pytest.mark.real


def command(**more):
    return json.dumps({"id": "x1", "verb": "pause", "actor": "ada", "reason": "", **more}, sort_keys=True)


@pytest.fixture(scope="module")
def ada(server):
    """Somebody who may edit rollouts, and is not an administrator."""
    server.kubectl("create", "clusterrolebinding", "ada-edits", "--clusterrole=rollout-edit", "--user=ada", check=False)
    server.kubectl("create", "clusterrolebinding", "ada-views", "--clusterrole=rollout-view", "--user=ada", check=False)
    return server.api_of(server.kubeconfig_of("ada", "ada-token"), "kubectl")


@pytest.fixture
def rollout(server, namespace, ada):
    """A Rollout, once the policy is in force."""
    server.api.create(ROLLOUT, namespace, agents.rollout("http://p:9090"))
    end = time.monotonic() + 60
    while True:
        try:
            ada.merge(ROLLOUT, namespace, "agent", {"metadata": {"annotations": {COMMAND: command(actor="bob")}}})
        except Rejected:
            return namespace
        assert time.monotonic() < end, "the admission policy does not get in force"
        time.sleep(0.2)


REFUSED = {
    "in another's name": {COMMAND: command(actor="bob")},
    "without an actor": {COMMAND: json.dumps({"id": "x1", "verb": "pause"})},
    "with two actors": {COMMAND: '{"id": "x1", "verb": "pause", "actor": "ada", "actor": "bob"}'},
    "with an actor inside another value": {COMMAND: '{"id": "x1", "verb": "pause", "expect": {"actor": "bob"}}'},
    "with an escaped actor": {COMMAND: '{"id": "x1", "verb": "pause", "\\u0061ctor": "bob", "actor": "ada"}'},
    "that is too long": {COMMAND: command(reason="x" * 5000)},
    "with an actor that is too long": {COMMAND: command(actor="a" * 5000)},
    "an abort in another's name": {ABORT: json.dumps({"id": "x", "actor": "bob"})},
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_command_is_refused(rollout, ada, case):
    with pytest.raises(Rejected):
        ada.merge(ROLLOUT, rollout, "agent", {"metadata": {"annotations": REFUSED[case]}})


@pytest.mark.parametrize("case", REFUSED)
def test_a_command_is_refused_in_a_rollout_that_is_created(rollout, ada, case):
    made = agents.rollout("http://p:9090", name="second")
    made["metadata"]["annotations"] = REFUSED[case]
    with pytest.raises(Rejected):
        ada.create(ROLLOUT, rollout, made)


def test_a_command_in_ones_own_name_is_taken_and_an_abort_however_it_is_written(rollout, ada):
    ada.merge(ROLLOUT, rollout, "agent", {"metadata": {"annotations": {COMMAND: command()}}})
    ada.merge(ROLLOUT, rollout, "agent", {"metadata": {"annotations": {ABORT: "it burns"}}})
    annotations = ada.get(ROLLOUT, rollout, "agent")["metadata"]["annotations"]
    assert annotations.keys() >= {COMMAND, ABORT} and annotations[ABORT] == "it burns"


def test_nobody_but_the_controller_writes_status(rollout, ada):
    from rollout.errors import Forbidden

    with pytest.raises(Forbidden):
        ada.merge(ROLLOUT, rollout, "agent", {"status": {"phase": "Stable"}}, sub="status")


def test_the_controller_writes_no_config_map_but_the_journal_and_the_roles_of_a_rollout(server, rollout):
    controller = server.api_of(server.service_account("rollout-system", "rollout-controller"))
    owner = server.api.get(ROLLOUT, rollout, "agent")
    reference = {"apiVersion": owner["apiVersion"], "kind": "Rollout", "name": "agent", "uid": owner["metadata"]["uid"]}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
    server.api.create(CONFIG_MAP, rollout, settings)
    with pytest.raises(Rejected, match="no ConfigMap but the journal"):
        controller.merge(CONFIG_MAP, rollout, "settings", {"data": {"a": "2"}})
    owned = {"metadata": {"ownerReferences": [reference]}, "data": {"a": "2"}}
    with pytest.raises(Rejected, match="no ConfigMap but the journal"):
        controller.merge(CONFIG_MAP, rollout, "settings", owned)
    with pytest.raises(Rejected, match="no ConfigMap but the journal"):
        controller.create(CONFIG_MAP, rollout, {**settings, "metadata": {"name": "agent-rollout"}})
    journal = {"name": "agent-rollout", "ownerReferences": [reference]}
    controller.create(CONFIG_MAP, rollout, {**settings, "metadata": journal})
    controller.merge(CONFIG_MAP, rollout, "agent-rollout", {"data": {"a": "2"}})
    controller.create(CONFIG_MAP, rollout, {**settings, "metadata": {**journal, "name": "agent-roles"}})
    assert server.api.get(CONFIG_MAP, rollout, "settings")["data"] == {"a": "1"}
