"""How a verb ends: the result on stdout, the exit code and what it means on stderr."""

from __future__ import annotations

import shutil
import sys
import textwrap

from rollout.cli.options import Output
from rollout.cli.render.documents import print_document, rollout_document
from rollout.cli.render.live import sentence
from rollout.cli.say import say
from rollout.engine import messages
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Result


def meaning(code: int, status: Status, superseded_by: str = "") -> str:
    """Say what an exit code means for this rollout."""
    if code == 5 and status.blocked is not None:
        return "the traffic could not be moved back"
    if code == 4 and status.blocked is not None and not status.is_active:
        return "the weights of the route were changed after the release"
    if code == 4 and superseded_by:
        return f"superseded by {superseded_by}"
    if code == 4:
        ended = {Result.ABORTED: "aborted by a human", Result.UNDONE: "undone by a human"}
        if status.declined_version is not None and not status.is_active and status.latest.result not in ended:
            return "aborted by a human"
        return ended.get(status.latest.result, "waiting for a human") if status.latest.result else "waiting for a human"
    if code == 0:
        return "promoted" if status.latest.result is Result.PROMOTED else "done"
    known = {3: "rolled back, or stopped by a gate", 130: "interrupted"}
    return known.get(code, "an unexpected error")


def exit_code(status: Status | None, declared: str | None = None, wanted: str | None = None) -> int:
    """Return the exit code that a status stands for; None means a signal came first.

    Args:
        declared: the version that is declared by now.
        wanted: the one that was asked for. If that is stable all is well, whatever happened to another; if another one
            is declared by now, it was superseded.
    """
    if status is None:
        return 130
    if status.blocked is not None and status.phase in (Phase.ROLLING_BACK, Phase.SUPERSEDING):
        return 5
    if status.blocked is not None and not status.is_active:
        return 4
    settled = not status.is_active or status.phase is Phase.DRAINING
    if wanted is not None and wanted == status.stable_version and settled:
        return 0
    if wanted is not None and declared != wanted:
        return 4
    if wanted in status.failed and settled:
        return 3
    if wanted is not None and wanted == status.declined_version:
        return 4
    if status.latest.result is Result.PROMOTED or (status.latest.result is None and status.phase is Phase.STABLE):
        return 0
    if status.latest.result in (Result.ROLLED_BACK, Result.STOPPED):
        return 3
    return 4


def finish(rollout: Rollout, code: int, output: Output, wanted: str | None = None) -> int:
    """Print the result and what the exit code means; return the code.

    Args:
        wanted: the version that was asked for.
    """
    status, declared = rollout.status, rollout.spec.version or ""
    superseded_by = declared if wanted not in (None, declared) else ""
    last = sentence(status)
    if code == 0 and status.latest.result is not Result.PROMOTED and status.blocked is None:
        last = f"{status.stable_version} is stable and has all conversations"
    if output is Output.JSON:
        print_document(rollout_document(rollout, exitCode=code, sentence=last))
    else:
        width = shutil.get_terminal_size().columns
        say(textwrap.fill(last, width) if sys.stdout.isatty() else last)
    if status.draining and code == 0:
        named = (f"{name}: {messages.open_conversations(drain.open)}" for name, drain in status.draining.items())
        one = next(iter(status.draining)) if len(status.draining) == 1 else "VERSION"
        say(f"draining {', '.join(named)}. To follow it: rollout drain {one}", err=True)
    if status.next and code:
        say(f"next: {status.next}", err=True)
    say(f"(exit {code}: {meaning(code, status, superseded_by)})", err=True)
    return code
