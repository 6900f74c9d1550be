"""Runs a command for a gate and never outlives what it serves. Run as a process of its own.

    python -m rollout.gates.guard SECONDS -- COMMAND [ARGUMENT ...]

It ends the command, with all its children, when the time is over or when its own standard input closes, which is what
happens when the controller dies, however it dies. Prints one line of JSON: the exit code and the last words.
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

TAIL_BYTES = 4096
GRACE_S = 2.0


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
    tail, deadline = bytearray(), time.monotonic() + seconds
    with selectors.DefaultSelector() as watch:
        watch.register(child.stdout, selectors.EVENT_READ)
        watch.register(sys.stdin.buffer, selectors.EVENT_READ)
        while (left_s := deadline - time.monotonic()) > 0:
            ready = {key.fileobj for key, _ in watch.select(left_s)}
            if sys.stdin.buffer in ready:
                break  # nobody waits for the answer any more
            if child.stdout in ready:
                written = os.read(child.stdout.fileno(), 65536)
                if not written:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        return child.wait(max(0.0, deadline - time.monotonic())), _text(tail)
                    break
                tail = (tail + written)[-TAIL_BYTES:]
    _end(child)
    return None, _text(tail)


def _end(child: subprocess.Popen[bytes]) -> None:
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
    code, words = run(seconds, command)
    print(json.dumps({"code": code, "words": words}), flush=True)  # noqa: T201  the answer


if __name__ == "__main__":
    main()
