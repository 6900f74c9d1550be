"""`-o json`: one document on stdout, whatever happens, and valid by the schema that is published."""

from __future__ import annotations

import json
import shutil

import pytest

from rollout.model.crd.output import output_schema
from tests.dashboard import stores
from tests.outputs import SCHEMA, document
from tests.rollout_commands import command


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    directory = tmp_path_factory.mktemp("outputs") / "state"
    stores.record(directory, "billing-agent", stores.rolled_back())
    stores.record(directory, "travel-agent", stores.promoted())
    stores.record(directory, "research-agent", stores.under_way(rate=40.0))
    return directory


@pytest.fixture
def directory(recorded, tmp_path):
    yield shutil.copytree(recorded, tmp_path / "state")
    stores.end_routers(tmp_path)


def run(directory, *arguments, expect=0):
    done = command(*arguments, "-o", "json", "--state", str(directory), cwd=directory.parent)
    assert done.returncode == expect, done
    return done.stdout


@pytest.mark.parametrize("name", ["billing-agent", "travel-agent", "research-agent"])
def test_a_rollout_is_one_document_with_its_status(recorded, name):
    read = document(run(recorded, "status", name), "Rollout")
    assert read["metadata"]["name"] == name and read["status"]["candidateVersion"] == "v2"


def test_a_release_under_way_has_its_evidence(recorded):
    status = document(run(recorded, "status", "research-agent"), "Rollout")["status"]
    assert status["evidence"]["errors"]["verdict"] in ("undecided", "acceptable")
    assert status["traffic"]["wantedBp"] == 5000


def test_lists_are_all_of_one_shape(recorded):
    rollouts = document(run(recorded, "list"), "RolloutList")["items"]
    assert [item["metadata"]["name"] for item in rollouts] == ["billing-agent", "research-agent", "travel-agent"]
    releases = document(run(recorded, "history", "billing-agent"), "ReleaseList")["items"]
    assert [(item["number"], item["result"]) for item in releases] == [(1, "rolled-back")]
    assert releases[0]["kpis"]["tasks"]["figures"]["verdict"] == "worse"
    decisions = document(run(recorded, "explain", "billing-agent", "--samples"), "DecisionList")["items"]
    assert {"transition", "sample"} <= {item["kind"] for item in decisions}
    assert document(run(recorded, "history", "research-agent"), "ReleaseList")["items"] == []


def test_a_command_says_what_became_of_it(directory):
    taken = document(run(directory, "pause", "research-agent", "--actor", "ada"), "CommandOutcome")
    assert (taken["verb"], taken["actor"], taken["accepted"]) == ("pause", "ada", True)
    refused = document(run(directory, "pause", "research-agent", expect=2), "CommandOutcome")
    assert refused["accepted"] is False and "paused already" in refused["message"]


def test_an_error_is_a_document_too(recorded, tmp_path):
    unknown = document(run(recorded, "status", "nobody", expect=2), "Error")
    assert unknown["exitCode"] == 2 and "nobody" in unknown["faults"][0]["message"]
    missing = document(run(tmp_path / "none", "status", "agent", expect=5), "Error")
    assert missing["exitCode"] == 5 and "nothing was started there" in missing["message"]


@pytest.mark.parametrize("wrong", [["status", "--nope"], ["nothing"], ["list", "--limit"], ["status", "a", "b"]])
def test_a_command_line_that_is_wrong_is_a_document_too(tmp_path, wrong):
    done = command(*wrong, "--output=json", cwd=tmp_path)
    read = document(done.stdout, "Error")
    assert (done.returncode, read["exitCode"]) == (2, 2) and "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")


def test_without_json_a_wrong_command_line_is_told_as_ever(tmp_path):
    done = command("status", "--nope", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and "No such option" in done.stderr


def test_faults_of_documents_are_listed_with_their_places(tmp_path):
    (tmp_path / "rollout.yaml").write_text("kind: Rollout\napiVersion: rollout.dev/v1alpha1\nspec: {verson: v1}\n")
    done = command("lint", "rollout.yaml", "-o", "json", cwd=tmp_path)
    faults = document(done.stdout, "LintResult")["faults"]
    assert done.returncode == 2 and any("verson" in fault["path"] for fault in faults)


def test_a_verdict_on_state_is_a_document(tmp_path):
    for name, kind in (("old", "integer"), ("new", "string")):
        (tmp_path / f"{name}.json").write_text(json.dumps({"type": kind}))
    done = command("contract", "check", "old.json", "new.json", "-o", "json", cwd=tmp_path)
    read = document(done.stdout, "StateVerdict")
    assert read["backward"] == "break" and read["findings"]


def test_definitions_are_a_list_as_kubectl_has_it(tmp_path):
    assert len(document(command("crd", "-o", "json", cwd=tmp_path).stdout, "List")["items"]) >= 2


def test_the_published_schema_is_the_one_that_the_command_prints(tmp_path):
    printed = json.loads(command("schema", "output", cwd=tmp_path).stdout)
    assert printed == json.loads(SCHEMA.read_text()) == output_schema()


def test_a_document_with_another_word_for_a_phase_would_be_noticed(recorded):
    read = json.loads(run(recorded, "status", "research-agent"))
    read["status"]["phase"] = "Looking"
    with pytest.raises(AssertionError, match="phase"):
        document(json.dumps(read), "Rollout")


def test_without_arguments_the_help_is_shown(tmp_path):
    done = command(cwd=tmp_path)
    assert (
        done.returncode == 2
        and "Usage: " in done.stdout
        and "dashboard" in done.stdout
        and "Traceback" not in done.stderr
    )
