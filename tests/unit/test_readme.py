"""README: short, and nothing in it that is not there."""

from __future__ import annotations

import json
import re

import pytest

from tests.dashboard import stores
from tests.readme import ROOT, TEXT, named_in_the_text
from tests.rollout_commands import command

LINES = [
    line.split("#")[0].strip() for block in re.findall(r"```\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()
]
OURS = [line for line in LINES if line.startswith("rollout ")]


def test_it_is_read_in_a_minute():
    assert len(TEXT.splitlines()) < 80


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)", TEXT))))
def test_what_it_links_to_is_there(target):
    assert (ROOT / target).exists()


def test_its_make_targets_are_there():
    targets = set(re.findall(r"`?make ([a-z-]+)", TEXT))
    assert {"demo", "test"} <= targets <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("line", OURS)
def test_its_commands_and_their_options_are_known(line, tmp_path):
    """Each is run in an empty folder: it fails for what is missing there, and never for how it is written."""
    verb, *options = line.removeprefix("rollout ").split()
    asked = command(verb, "--help", cwd=tmp_path)
    assert asked.returncode == 0
    known = set(re.findall(r"--?[a-z-]+", asked.stdout))
    assert {option for option in options if option.startswith("-")} <= known


NAMED = [line for line in named_in_the_text() if line.startswith("rollout ")]


def test_the_text_names_commands():
    assert {"rollout abort", "rollout explain"} <= set(NAMED)


@pytest.mark.parametrize("line", NAMED)
def test_a_command_that_the_text_names_is_run_and_understood(line, recorded):
    """On a release under way, or on two contracts: each does its work, or says what is missing; never "no such option"."""
    done = command(*line.split()[1:], cwd=recorded)
    refused = "refused: no version was promoted here" in done.stdout  # `undo`, after this release
    assert refused or done.returncode in (0, 3, 4), f"{line}: {done.stdout}{done.stderr}"
    assert done.stdout and "Traceback" not in done.stderr


@pytest.fixture
def recorded(tmp_path):
    stores.record(tmp_path / ".rollout", "support-agent", stores.rolled_back())
    for version in ("v1", "v2"):
        (tmp_path / f"{version}.json").write_text(
            json.dumps({"type": "object", "properties": {"a": {"type": "string"}}})
        )
    yield tmp_path
    stores.end_routers(tmp_path)


def test_what_it_says_of_tests_is_what_ci_runs():
    ci = (ROOT / ".ci" / "run").read_text()
    for target in ("test", "cluster-binaries", "test-cluster"):
        assert f"`make {target}`" in TEXT and re.search(rf"make {target}(?![-\w])", ci), target


def test_the_demo_that_it_shows_is_the_one_that_is_tested():
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^demo:.*\n\t@\$\(BIN\)/rollout demo", makefile, re.MULTILINE)
    assert "make demo" in LINES and all(
        line.startswith(("make demo", "make test")) for line in LINES if line.startswith("make")
    )


def test_its_files_are_there():
    named = [word for line in LINES for word in line.split() if word.startswith("manifests/")]
    assert named and all((ROOT / word).exists() for word in named)
