"""README: short, and nothing in it that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.rollout_commands import command

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
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


def test_its_files_are_there():
    named = [word for line in LINES for word in line.split() if word.startswith("manifests/")]
    assert named and all((ROOT / word).exists() for word in named)
