"""How a verb ends: the result on stdout, the exit code and what it means on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

from rollout.cli.options import Output
from rollout.cli.watch import sentence
from rollout.model.rollout import Rollout
from rollout.model.status import Phase, Result, Status

MEANINGS = {
    0: "promoted",
    2: "usage or invalid input",
    3: "rolled back, or stopped by a gate",
    4: "waiting for a human, superseded, or aborted by one",
    5: "the router or the records cannot be reached",
    124: "timed out",
    130: "interrupted",
}


def exit_code(status: Status | None) -> int:
    """Return the exit code that a status stands for; None means a signal came first."""
    if status is None:
        return 130
    if status.result is Result.PROMOTED or (status.result is None and status.phase is Phase.STABLE):
        return 0
    if status.result in (Result.ROLLED_BACK, Result.STOPPED):
        return 3
    return 4


def as_json(rollout: Rollout) -> dict[str, Any]:
    """Return a rollout as a versioned document."""
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": rollout.metadata.model_dump(mode="json", by_alias=True),
        "spec": rollout.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
        "status": rollout.status.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def finish(rollout: Rollout, code: int, output: Output) -> int:
    """Print the result and what the exit code means; return the code."""
    last = sentence(rollout.status)
    if output is Output.JSON:
        document = {**as_json(rollout), "exitCode": code, "sentence": last}
        print(json.dumps(document, indent=2, sort_keys=True), flush=True)  # noqa: T201
    else:
        print(last, flush=True)  # noqa: T201
    if rollout.status.next:
        print(f"next: {rollout.status.next}", file=sys.stderr, flush=True)  # noqa: T201
    meaning = MEANINGS[code] if code or rollout.status.result else "done"
    print(f"(exit {code}: {meaning})", file=sys.stderr, flush=True)  # noqa: T201
    return code
