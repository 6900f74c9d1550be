"""Help and completion: what every verb says of itself, and what a shell offers."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rollout.cli import layout
from rollout.cli.app import command_line
from rollout.cli.commands.init import ready_made_policies
from rollout.cli.help import CLUSTER, MACHINE, commands_of
from rollout.cli.verbs import SUBCOMMANDS, VERBS, examples_of
from tests.dashboard import stores
from tests.rollout_commands import ROOT, command

ALL = [*VERBS, *SUBCOMMANDS]
CLUSTER_OPTIONS = ("--namespace", "--all-namespaces", "--context", "--kubeconfig")


def help_of(verb: str, flag: str = "--help", width: int = 80) -> str:
    done = CliRunner().invoke(command_line(), [*verb.split(), flag], env={"COLUMNS": str(width)}, prog_name="rollout")
    assert done.exit_code == 0, done.output
    return done.stdout


def sections(text: str) -> dict[str, list[str]]:
    """The lines of each section, by its title."""
    parts: dict[str, list[str]] = {}
    title = ""
    for line in text.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            title = line[:-1]
        elif line.startswith("  "):
            parts.setdefault(title, []).append(line)
    return parts


def test_every_verb_is_in_the_module_that_the_table_names_with_the_line_that_it_says_of_itself():
    for module in {verb.module for verb in VERBS.values()}:
        commands = commands_of(module)
        mine = {verb.name: verb for verb in VERBS.values() if verb.module == module}
        assert set(commands) == set(mine)
        for name, verb in mine.items():
            first = " ".join((commands[name].help or "").split("\n\n")[0].split())
            assert first.startswith(verb.summary), f"{name}: {first}"


def test_the_root_lists_every_verb_and_imports_none():
    code = (
        "import sys; sys.argv = ['rollout', '--help']\n"
        "from rollout.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith(('typer', 'pydantic', 'rollout.cli.commands', 'yaml'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[-1] == "[]"
    assert {line.split()[0] for line in lines if re.match(r"  [a-z]+ ", line)} >= set(VERBS)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_root_says_the_same_with_and_without_the_shortcut(flag, tmp_path):
    quick = command(flag, cwd=tmp_path, env={**os.environ, "COLUMNS": "90"}).stdout
    whole = CliRunner().invoke(command_line(), [flag], env={"COLUMNS": "90"}, prog_name="rollout").stdout
    assert quick == whole == layout.root_help(90) + "\n"


@pytest.mark.parametrize("verb", ALL)
def test_every_verb_shows_examples_and_h_is_help(verb):
    text = help_of(verb)
    assert text == help_of(verb, "-h")
    examples = [line.strip() for title in ("Example", "Examples") for line in sections(text).get(title, [])]
    assert any(line.startswith(f"rollout {verb}") for line in examples), text


@pytest.mark.parametrize("verb", ALL)
def test_examples_name_options_that_are_there(verb):
    for example in examples_of(verb):
        words = shlex.split(example.partition("  # ")[0].partition(" | ")[0].partition(" > ")[0])
        named = " ".join(word for word in words[1:] if word in ("contract", "router") or word in SUBCOMMANDS)
        about = max((one for one in ALL if " ".join(words[1:]).startswith(one)), key=len, default=named)
        known = set(re.findall(r"--?[a-zA-Z-]+", help_of(about)))
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known, example


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("verb", ALL)
def test_help_is_aligned_and_nothing_is_cut_off(verb, width):
    text = help_of(verb, width=width)
    assert "..." not in text.replace("]...", "") and "…" not in text.replace("…}", "")
    prose = [line for line in text.splitlines() if not line.strip().startswith(("rollout ", "# ", "-", "Usage"))]
    assert max(map(len, prose)) <= width, text
    starts = {
        match.end(1)
        for title, lines in sections(text).items()
        if not title.startswith("Example")
        for line in lines
        if (match := re.match(r"(  \S+(?: \S+)*  +)\S", line)) and not line.startswith("   ")
    }
    assert len(starts) <= 1, text


@pytest.mark.parametrize("verb", [verb for verb in ALL if "--namespace" in help_of(verb)])
def test_options_of_a_cluster_stand_apart_from_those_of_one_machine(verb):
    parts = sections(help_of(verb))
    for title, lines in parts.items():
        if title not in (CLUSTER, "Example", "Examples"):
            assert not any(option in line.split() for option in CLUSTER_OPTIONS for line in lines), title
    assert any("--namespace" in line for line in parts[CLUSTER])
    assert "--state" not in "".join(parts[CLUSTER]) and "--state" in "".join(parts.get(MACHINE, ["--state"]))


def test_no_value_is_described_by_a_python_type():
    for verb in ALL:
        assert not re.search(r"<(str|int|path|list|bool|float)", help_of(verb)), verb


def test_a_verb_that_is_not_there_is_answered_with_the_one_that_may_be_meant(tmp_path):
    done = command("statsu", cwd=tmp_path)
    assert done.returncode == 2 and "there is no command statsu. Did you mean status?" in done.stderr


# completion


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with two rollouts, a file with addresses, and a kubeconfig with contexts."""
    directory = tmp_path_factory.mktemp("place")
    stores.record(directory / ".rollout", "support-agent", stores.under_way())
    stores.record(directory / ".rollout", "research-agent", stores.under_way())
    answers = ["--name", "a", "--stable", "v8=http://127.0.0.1:1", "--candidate", "v9=http://127.0.0.1:2"]
    assert command("init", *answers, "--policy", "canary-quick", cwd=directory).returncode == 0
    (directory / "kubeconfig").write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: prod\n"
        "contexts: [{name: prod, context: {cluster: c}}, {name: dev, context: {cluster: c}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}]\nusers: []\n"
    )
    return directory


def completed(line: str, cwd: Path, shell: str = "bash") -> list[str]:
    """What a shell is offered for a line; its last word is being written."""
    words = line.split(" ")
    env = {
        **os.environ,
        "_ROLLOUT_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    env |= {"_TYPER_COMPLETE_ARGS": line, "KUBECONFIG": str(cwd / "kubeconfig")}
    begin = "import sys; sys.argv = ['rollout']; from rollout.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", begin], cwd=cwd, env={**env, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("rollout sta", ["start", "status"]),
        ("rollout status ", ["research-agent", "support-agent"]),
        ("rollout abort sup", ["support-agent"]),
        ("rollout history --state .rollout res", ["research-agent"]),
        ("rollout start v", ["v1", "v2", "v8", "v9"]),
        ("rollout drain v", ["v1", "v2", "v8", "v9"]),
        ("rollout start v2 --rollout s", ["support-agent"]),
        ("rollout status --context ", ["dev", "prod"]),
        ("rollout init --policy canary-", sorted(name for name in ready_made_policies() if name.startswith("canary-"))),
        ("rollout status --outp", ["--output"]),
        ("rollout contract ch", ["check"]),
    ],
)
def test_a_shell_is_offered_what_there_is(line, offered, place):
    assert completed(line, place) == offered


def test_where_nothing_can_be_read_nothing_is_offered_and_nothing_is_said(place, tmp_path):
    (tmp_path / "kubeconfig").write_text("nonsense: [")
    assert completed("rollout status ", tmp_path) == []
    assert completed("rollout status --context prod ", place) == [], "the cluster does not answer"


@pytest.mark.parametrize("line", ["rollout statu --w", "rollout nonsense x ", "rollout status --nonsense x "])
def test_a_line_that_is_wrong_is_no_error_while_a_shell_completes(line, place):
    assert set(completed(line, place)) <= {*VERBS, "research-agent", "support-agent"}


def test_no_program_is_started_to_log_in_while_a_shell_completes(place):
    ran = place / "ran"
    (place / "with-exec").write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}]\n"
        f"users: [{{name: u, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: touch, args: ['{ran}']}}}}}}]\n"
    )
    assert completed(f"rollout status --kubeconfig {place / 'with-exec'} ", place) == []
    assert not ran.exists()


@pytest.mark.parametrize("alias", [["help"], ["version"]])
def test_help_and_version_are_words_too(alias, tmp_path):
    done = command(*alias, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == command(f"--{alias[0]}", cwd=tmp_path).stdout


@pytest.mark.parametrize("line", [["-v"], ["--verbose", "-v"], ["-x"], ["status", "-x"]])
def test_a_line_that_is_none_is_told_without_a_traceback(line, tmp_path):
    done = command(*line, cwd=tmp_path)
    assert done.returncode == 2 and "No such option" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["init", "start"])
def test_an_example_that_is_too_long_is_continued_as_a_shell_reads_it(verb):
    text = help_of(verb, width=60)
    examples = [line for title in ("Example", "Examples") for line in sections(text).get(title, [])]
    assert max(map(len, examples)) <= 66
    joined = re.sub(r" \\\n\s+", " ", "\n".join(examples))
    for example in examples_of(verb):
        assert example.partition("  # ")[0] in joined


def test_what_is_wrong_in_a_line_is_told_with_the_usage_that_help_has(tmp_path):
    done = command("start", cwd=tmp_path)
    assert done.returncode == 2 and "start VERSION [OPTIONS]" in done.stderr
