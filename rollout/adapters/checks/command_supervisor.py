"""Runs a command for a gate and never outlives what it serves. Run as a process of its own.

    python -m rollout.adapters.checks.command_supervisor SECONDS -- COMMAND [ARGUMENT ...]

It ends the command, with all of its session, when the time is over or when its own standard input closes, which is
what happens when the controller dies, however it dies. What the command starts in a session of its own (setsid) is not
ended.
Prints one line of JSON: the exit code and the last words.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from typing import IO

TAIL_BYTES = 4096
GRACE_S = 2.0
_POLL_S = 0.05


def run(seconds: float, command: list[str]) -> tuple[int | None, str]:
    """Return the exit code (None if it was ended) and the end of what the command wrote."""
    try:
        child = subprocess.Popen(  # noqa: S603  what the policy says, without a shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return 127, f"{command[0]} cannot be run: {error.strerror or error}"
    assert child.stdout is not None
    os.set_blocking(child.stdout.fileno(), False)
    tail, deadline, code = bytearray(), time.monotonic() + seconds, None
    with selectors.DefaultSelector() as watch:
        watch.register(sys.stdin.buffer, selectors.EVENT_READ)
        watch.register(child.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            ready = {key.fileobj for key, _ in watch.select(_POLL_S)}
            if sys.stdin.buffer in ready:
                break  # nobody waits for the answer any more
            if child.stdout in ready and not _read(child.stdout, tail):
                watch.unregister(child.stdout)
            if (code := child.poll()) is not None:
                _read(child.stdout, tail)
                break
    _end(child)
    return code, _text(tail)


def _read(pipe: IO[bytes], tail: bytearray) -> bool:
    """Add what was written to the tail, and keep only its end; return whether more may come."""
    try:
        while written := os.read(pipe.fileno(), 65536):
            tail += written
            del tail[:-TAIL_BYTES]
    except BlockingIOError:
        return True
    return False


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the command and its session, also what it left in the background."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_S)


def _text(tail: bytearray) -> str:
    lines = [line.strip() for line in tail.decode("utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def main() -> None:
    seconds, command = float(sys.argv[1]), sys.argv[3:]
    code, output = run(seconds, command)
    print(json.dumps({"code": code, "output": output}), flush=True)  # noqa: T201  the answer


if __name__ == "__main__":
    main()
