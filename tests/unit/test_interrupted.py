"""Ctrl-C at any moment, and an output that nobody takes: an exit code, and never a traceback."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.documents import policy_spec
from rollout.model.rollout import Rollout
from rollout.model.status.release import Release
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from tests.waiting import eventually

AT_IMPORT = """
import os, runpy, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
        return None
sys.meta_path.insert(0, Interrupting())
sys.argv = ["rollout", *{arguments!r}]
runpy.run_module("rollout", run_name="__main__")
"""


def run(*arguments, **options):
    command = [sys.executable, "-m", "rollout", *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=120, check=False, **options)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rollout.cli.app", ["--help"]),
        ("typer", ["lint"]),
        ("rollout.cli.commands.wait", ["wait", "--help"]),
        ("rollout.cli.documents", ["lint"]),
        ("pydantic", ["lint"]),
        ("yaml", ["lint"]),
        ("sqlite3", ["status", "--state", "."]),
        ("kubernetes", ["status", "-n", "x"]),
    ],
)
def test_ctrl_c_while_something_is_imported_is_exit_130(tmp_path, name, arguments):
    code = AT_IMPORT.format(name=name, arguments=arguments)
    (tmp_path / "rollouts.db").write_bytes(b"")
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )
    assert (ended.returncode, ended.stderr) == (130, "")


def test_ctrl_c_while_a_shell_completes_is_exit_130(tmp_path):
    code = AT_IMPORT.format(name="rollout.cli.commands.wait", arguments=[])
    environment = {
        **os.environ,
        "_ROLLOUT_COMPLETE": "complete_bash",
        "COMP_WORDS": "rollout wait --ti",
        "COMP_CWORD": "2",
    }
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert (ended.returncode, ended.stderr) == (130, "")


def test_ctrl_c_at_a_question_of_init_is_exit_130_and_nothing_is_written(tmp_path):
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rollout", "init"],
        stdin=terminal, stdout=terminal, stderr=terminal, cwd=tmp_path, start_new_session=True,
    )  # fmt: skip
    shown = b""
    try:

        def asked():
            nonlocal shown
            os.set_blocking(controller, False)
            with contextlib.suppress(BlockingIOError):
                shown += os.read(controller, 4096)
            return b"called?" in shown

        eventually(asked, 60)
        for _ in range(12):  # one that comes just before Python waits for the answer is not seen: people press again
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
                break
        assert process.returncode == 130
        asked()
    finally:
        process.kill()
        os.close(terminal)
        os.close(controller)
    assert b"Traceback" not in shown and b"Aborted" not in shown and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["crd"], ["schema"]], ids=" ".join)
def test_an_output_that_is_full_is_told_in_one_line(arguments):
    with open("/dev/full", "w") as full:
        ended = run(*arguments, stdout=full)
    assert ended.returncode == 1
    assert ended.stderr == "error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("arguments", [["--help"], ["crd"], ["lint", "nowhere"]], ids=" ".join)
def test_an_output_that_is_closed_is_no_traceback(arguments):
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        command = f"exec {sys.executable} -m rollout {' '.join(arguments)} {closed}"
        ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == (2 if arguments[0] == "lint" else 0), closed
        assert "Traceback" not in ended.stderr + ended.stdout


def test_an_output_that_ends_early_is_no_traceback():
    reading, writing = os.pipe()
    os.close(reading)
    ended = run("crd", stdout=writing)
    os.close(writing)
    assert ended.returncode in (1, 141) and ended.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_log_that_cannot_be_written_costs_its_lines_and_nothing_else():
    code = (
        "from rollout.runtime.logs import configure; import logging, structlog; configure(verbose=True)\n"
        "structlog.get_logger('x').warning('a'); logging.getLogger('y').warning('b'); print('went on')"
    )
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-c", code]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True, timeout=120, check=False)
    assert ended.stdout == "went on\n"


@pytest.mark.parametrize("where", ["raise error", "threading.Thread(target=fail).start()"], ids=["main", "a thread"])
def test_a_traceback_of_a_fault_of_ours_is_without_the_secrets_that_are_known(where):
    code = (
        "import threading; from rollout.cli import streams; from rollout.redaction import SECRETS\n"
        "SECRETS.note('s3cret-value-9'); streams.redact_tracebacks()\n"
        "error = ValueError('Invalid header value: s3cret-value-9')\n"
        f"def fail():\n    raise error\n{where}"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert "ValueError" in ended.stderr and "s3cret" not in ended.stderr.replace("'s3cret-value-9'", "")


def test_ctrl_c_while_a_release_is_watched_is_exit_130_and_leaves_one_picture(tmp_path):
    recorded(tmp_path)
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 60, 0, 0))
    command = [sys.executable, "-m", "rollout", "status", "--watch", "--state", str(tmp_path)]
    inherited = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    environment = {**inherited, "TERM": "xterm-256color"}
    options = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "env": environment, "start_new_session": True}
    with subprocess.Popen(command, **options) as watching:
        os.close(theirs)
        seen = bytearray()
        try:
            while b"support-agent" not in seen:
                seen += read_some(ours)
            watching.send_signal(signal.SIGINT)
            while more := read_some(ours):
                seen += more
            assert watching.wait(60) == 130
        finally:
            watching.kill()
            os.close(ours)
    last = seen.decode(errors="replace").rpartition("\x1b[?25h")[2]
    lines = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line) for line in last.splitlines()]
    assert sum("v1 → v2" in line for line in lines) == 1, "the last picture stands once"
    assert max(map(len, lines)) <= 60, "and no line is wider than the terminal"


def read_some(terminal):
    """Read what is there; nothing once the other side is gone, which a pseudo-terminal says by an error."""
    ready, _, _ = select.select([terminal], [], [], 60)
    assert ready, "nothing is shown"
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def recorded(directory):
    """A release that is under way, and that nobody carries out."""
    policy, _ = policy_spec(
        {"canary": {"steps": [{"weight": "5%", "for": "1m"}], "bake": {"for": "1m"}}, "kpis": [KPI]}
    )
    spec = RolloutSpec.model_validate(SPEC).model_copy(update={"policy": policy})
    status = Status(stable_version="v1", phase=Phase.OBSERVING, release=Release(candidate_version="v2", steps=1))
    SqliteStore(directory, create=True).declare(Rollout(Metadata(name="support-agent"), spec, status))


KPI = {"name": "tasks", "bad": "a", "total": "b", "margin": {"absolute": "1%"}}
SPEC = {
    "version": "v2",
    "backends": {"endpoints": [{"version": v, "url": f"http://127.0.0.1:{at}"} for at, v in ((1, "v1"), (2, "v2"))]},
    "routes": [{"envoy": {"listen": "127.0.0.1:3"}}],
    "metrics": {"scrape": {}},
    "policyRef": {"name": "p"},
}


WAITING_THREAD = """
import atexit, os, sys, threading
class AtTheEnd:
    def __del__(self):
        os.write(2, b"Python ends with a thread alive\\n")
kept = AtTheEnd()
atexit.register(os.write, 2, b"exit functions run\\n")
if {daemon}:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
sys.argv = ["rollout", *{arguments!r}]
from rollout.__main__ import main
main()
"""


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["lint", "/none.yaml"], 2)])
def test_a_thread_that_still_waits_has_no_say_in_how_a_command_ends(arguments, code):
    """Python's own end may crash then: python/cpython#87135."""
    with_thread, without = (
        subprocess.run(
            [sys.executable, "-c", WAITING_THREAD.format(daemon=daemon, arguments=arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        for daemon in (True, False)
    )
    assert with_thread.returncode == without.returncode == code
    assert with_thread.stdout == without.stdout
    assert "exit functions run" in with_thread.stderr
    assert "Python ends" in without.stderr
    assert "Python ends" not in with_thread.stderr
