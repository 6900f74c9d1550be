"""An export in a process of its own: an agent that exits, hangs or prints is one that is told about, and no more."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rollout.contracts.contract import Contract
from rollout.contracts.contract_text import TEXT_MAX_BYTES, read
from rollout.errors import Fault, InvalidInput

PRINTED_MAX_BYTES = 64 * 1024
_POLL_S = 0.02
_ENDING_S = 2.0


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of an export.

    Attributes:
        notes: what whoever asked should know.
        printed: by the agent, the first 64 KiB.
    """

    contract: Contract
    notes: tuple[str, ...] = ()
    printed: str = ""


def export_apart(target: str, timeout_s: float, *, agent: str = "", version: str = "", store: str = "") -> Exported:
    """Export the contract of a target, which is imported in a process of its own. Raises InvalidInput.

    Args:
        timeout_s: after so long the process, and whatever it started, is killed.
    """
    with tempfile.TemporaryDirectory(prefix="rollout-export-") as directory:
        result = Path(directory) / "result.json"
        job = {"target": target, "agent": agent, "version": version, "store": store, "result": str(result)}
        lifeline, held = os.pipe()  # nobody writes there: its end says that we are gone
        child = subprocess.Popen(  # noqa: S603  our own module, no shell
            [sys.executable, "-P", "-m", "rollout.contracts.export.child", json.dumps({**job, "lifeline": lifeline})],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            pass_fds=(lifeline,),
        )  # fmt: skip
        os.close(lifeline)
        assert child.stdout is not None
        printed = _Printed(child.stdout)
        try:
            code = _ended(child, time.monotonic() + timeout_s)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)  # also what the agent has started
            child.wait()
            os.close(held)
            text = printed.end()
        return _result(target, code, result, text, timeout_s)


class _Printed:
    """Reads what a process prints; keeps the beginning, and lets it print on."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe, self._file, self._kept = pipe, pipe.fileno(), bytearray()
        self._thread = threading.Thread(target=self._read, name="printed", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while part := os.read(self._file, PRINTED_MAX_BYTES):
            self._kept += part[: PRINTED_MAX_BYTES - len(self._kept)]

    def end(self) -> str:
        self._thread.join(_ENDING_S)
        if not self._thread.is_alive():
            self._pipe.close()
        return bytes(self._kept).decode(errors="replace")


def imported_mark(result: Path) -> Path:
    """Return the file that says that the agent was imported."""
    return result.with_suffix(".imported")


def _ended(child: subprocess.Popen[bytes], deadline: float) -> int | None:
    """Return how a process has ended; None if it has not."""
    while time.monotonic() < deadline:
        if (code := child.poll()) is not None:
            return code
        time.sleep(_POLL_S)
    return None


def _result(target: str, code: int | None, result: Path, printed: str, timeout_s: float) -> Exported:
    if result.exists() and result.stat().st_size <= TEXT_MAX_BYTES * 2:
        written = json.loads(result.read_text(encoding="utf-8"))
        if "faults" in written:
            raise InvalidInput([Fault(*fault) for fault in written["faults"]])
        return Exported(read(written["contract"], "the export"), tuple(written["notes"]), printed)
    if code is None:
        problem, remedy = (
            f"is not imported after {timeout_s:g} s",
            "name a longer --timeout, or let it do less when it is imported",
        )
        if imported_mark(result).exists():
            problem, remedy = f"was imported, but its code is not read after {timeout_s:g} s", "name a longer --timeout"
    else:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        problem, remedy = (
            f"ended the process while it was imported ({how})",
            "guard what it runs: if __name__ == '__main__'",
        )
    raise InvalidInput([Fault(target, problem, remedy)])
