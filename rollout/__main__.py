"""Where the command begins. Until everything is imported, Ctrl-C ends the process at once, and without a traceback."""

import _signal  # type: ignore[import-not-found]  # what `signal` wraps: that takes as long as Python's own start
import os

INTERRUPTED = 130


def _leave(_number: int, _frame: object) -> None:
    os._exit(INTERRUPTED)  # nothing has begun that would have to be ended in order


if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _leave)


def main() -> None:
    """Run the command line."""
    from rollout.cli.app import main as run  # noqa: PLC0415  only once Ctrl-C is seen to

    run()


if __name__ == "__main__":
    main()
