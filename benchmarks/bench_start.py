"""What a command costs to start: CPU of the process by the kernel's accounts, as a ratio to `python -c pass`.

The median of several runs. A release under way is recorded first, so that `status` has something to say.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.model.api.rollout import Metadata
from rollout.model.rollout import Rollout
from rollout.testing import World

RUNS = 15
COMMANDS = (
    (["--version"], None),
    (["--help"], 8.0),
    (["status"], 20.0),
    (["status", "--verbose"], None),
    (["status", "--help"], None),
    (["list"], None),
)
"""With how many times `python -c pass` each may cost at most, where that is a goal."""


def cpu_s(command: list[str], cwd: Path) -> float:
    """The CPU of a command, in seconds."""
    spent = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            command, cwd=cwd, capture_output=True, check=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(spent)


def record(directory: Path) -> None:
    """Write a release under way down, as its controller does."""
    world = World(rate=40.0)
    world.run(200)
    rollout = world.status_store.rollout
    store = SqliteStore(directory / ".rollout", create=True)
    held = store.hold(Metadata(name="agent"), lambda _: Rollout(Metadata(name="agent"), rollout.spec, rollout.status))
    for plan in world.plans[-3:]:
        held.save(plan)
    held.release()
    (directory / "rollout.yaml").write_text(DOCUMENT)


DOCUMENT = """\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {name: agent}
spec:
  version: v1
  backends:
    endpoints: [{version: v1, url: "http://127.0.0.1:9001"}, {version: v2, url: "http://127.0.0.1:9002"}]
"""

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder))
        start_s = cpu_s([sys.executable, "-c", "pass"], Path(folder))
        print(f"python -c pass      {start_s * 1000:6.1f} ms")
        for arguments, goal in COMMANDS:
            spent_s = cpu_s([str(Path(sys.executable).with_name("rollout")), *arguments], Path(folder))
            aim = f"   (at most {goal:g}x)" if goal else ""
            print(f"rollout {' '.join(arguments):<20}{spent_s * 1000:6.1f} ms   {spent_s / start_s:4.1f}x{aim}")
