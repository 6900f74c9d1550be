"""What is asked for most often, answered without the rest of the command line: help, the version, and `status`.

`rollout status` of this machine is drawn from the overview that was kept beside the status. Where there is none, or
anything else is asked for, the whole command line answers, and says the same.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

VERBOSE = frozenset({"-v", "--verbose"})


def answered(arguments: list[str]) -> int | None:
    """Return the exit code of what was answered; None where the whole command line is needed."""
    if "_ROLLOUT_COMPLETE" in os.environ:
        return None
    if arguments in (["--version"], ["version"]):
        return version()
    if arguments in ([], ["--help"], ["-h"], ["help"]):
        from rollout.cli import layout

        print(layout.root_help(layout.columns()))  # noqa: T201
        return 0 if arguments else 2
    verbose = bool(VERBOSE & {*arguments})
    asked_for = [argument for argument in arguments if argument not in VERBOSE]
    if asked_for[:1] == ["status"] and len(asked_for) <= 2 and not asked_for[-1].startswith("-"):
        return _status(asked_for[1] if len(asked_for) > 1 else None, verbose=verbose)
    return None


def version() -> int:
    """Print the version; return the exit code."""
    from rollout import __version__

    print(__version__)  # noqa: T201
    return 0


def _status(name: str | None, *, verbose: bool) -> int | None:
    from rollout.cli.files import state_of
    from rollout.cli.location import Place

    named = os.environ.get("ROLLOUT_STATE")
    place = Place(state=Path(named) if named else None)
    directory = state_of(place.state, None)
    if not (directory / "rollouts.db").exists() or not place.is_local:
        return None
    from rollout.adapters.storage.overviews import kept

    shown = kept(directory, name)
    if shown is None:
        return None
    import shutil
    import time

    from rollout.cli.render.ansi import print_lines
    from rollout.cli.render.status import draw

    width = shutil.get_terminal_size((100, 24)).columns
    print_lines(draw(shown.overview, time.time(), width, verbose=verbose, holder=shown.holder))
    sys.stdout.flush()
    return 0
