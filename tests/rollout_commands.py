"""`rollout` as a process of its own, for tests that call it often: forked from one that has the imports behind it.

A command is what a shell would start: its own process, streams, folder, environment, signals and exit code. What it does
not go through is the start of Python and the imports; tests of the start itself use `python -m rollout`.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def command(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None, timeout: float = 180.0
) -> subprocess.CompletedProcess[str]:
    """Run `rollout` to its end, without input. Raises TimeoutExpired, and ends it then."""
    ours, theirs = socket.socketpair()
    request = {"argv": ["rollout", *arguments], "cwd": str(cwd), "env": dict(os.environ if env is None else env)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull, "rb") as none, ours:
        with theirs:
            streams = [theirs.fileno(), none.fileno(), out.fileno(), err.fileno()]
            socket.send_fds(_parent(), [b"!"], streams)
        ours.settimeout(timeout)
        ours.sendall(json.dumps(request).encode() + b"\n")
        with ours.makefile("r") as answers:
            pid = int(answers.readline())
            try:
                code = int(answers.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, timeout) from None
        texts = [_text(file) for file in (out, err)]
    return subprocess.CompletedProcess(list(arguments), code, *texts)


def _text(file) -> str:
    file.seek(0)
    return file.read().decode()


@functools.cache
def _parent() -> socket.socket:
    """Start the process that commands are forked from; it ends with this one, when its socket closes."""
    ours, theirs = socket.socketpair()
    with theirs:
        parent = subprocess.Popen(
            [sys.executable, "-m", "tests.rollout_commands", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        parent.wait(60)

    atexit.register(end)
    return ours


def _serve(requests: socket.socket) -> None:
    """Fork a process for each command until nobody asks any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever waits for a command is forked, and nobody waits for it
    while True:
        asked, streams, _, _ = socket.recv_fds(requests, 1, 4)  # a byte for each command; what it is comes by its own
        if not asked:
            return
        if os.fork() == 0:
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _run(streams)
            return
        for stream in streams:
            os.close(stream)


def _run(streams: list[int]) -> None:
    """Become a command, or whoever waits for it and tells how it has ended."""
    answer = socket.socket(fileno=streams[0])
    with answer.makefile("r") as requests:
        request = json.loads(requests.readline())
    if (pid := os.fork()) != 0:
        answer.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        answer.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        return
    answer.close()
    for number, stream in enumerate(streams[1:]):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["argv"]
    random.seed()
    from rollout.cli.app import main

    main()


def _prepare() -> None:
    """Import what commands need."""
    from rollout.cli.app import command_line
    from rollout.cli.follow import carry_out, drained, follower, local_handover, takeover, until  # noqa: F401
    from rollout.cli.help import commands_of
    from rollout.cli.render import live, result, status  # noqa: F401
    from rollout.cli.verbs import VERBS
    from rollout.local import run_one, wiring  # noqa: F401
    from rollout.model.base import build

    command_line()
    for module in {verb.module for verb in VERBS.values()}:
        commands_of(module)
    build()
    gc.freeze()


if __name__ == "__main__":
    import rollout.adapters.kubernetes.api
    import rollout.adapters.storage.kubernetes  # noqa: F401

    _prepare()
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        _serve(asked)
