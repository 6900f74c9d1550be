"""Showing a rollout while it runs: a live picture on a terminal, one line per change anywhere else."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rollout.cli.plain import fitting, plain
from rollout.cli.render.line import Line, line
from rollout.cli.render.status import draw
from rollout.cli.say import say
from rollout.engine import messages
from rollout.engine.planned import Plan
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.views.summary import overview_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from rollout.model.status.decision import Decision

HEARTBEAT_S = 60.0
"""On a pipe something is printed at least this often, so that no CI takes us for dead."""


REDRAW_S = 0.2
"""The live picture is drawn at most five times a second."""


class Watcher(Protocol):
    """Shows plans as they are made; a context, so that a terminal is always given back in order."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def show(self, plan: Plan) -> None: ...


class Lines:
    """Where it stands at first, one line per change on stderr, and a heartbeat each minute."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._printed_at: datetime | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to give back."""

    def show(self, plan: Plan) -> None:
        status, now = plan.status, datetime.now(UTC)
        for decision in plan.decisions:
            if decision.kind != "sample":
                self._print(decision.at, f"{_where(decision.phase, decision.weight_bp)}: {decision.message}")
        if self._printed_at is None:
            self._printed_at = now
            if status.is_active:
                self._print(now, f"{_where(status.phase, status.latest.traffic.wanted_bp)}: {status.message}")
        elif (now - self._printed_at).total_seconds() >= HEARTBEAT_S:
            self._print(now, f"{_where(status.phase, status.latest.traffic.wanted_bp)}: still {status.message}")

    def _print(self, at: datetime, text: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads it any more: the release goes on
            say(f"{at:%H:%M:%S} {self._name} {text}", err=True)
        self._printed_at = datetime.now(UTC)


def _where(phase: Phase, weight_bp: int) -> str:
    return str(phase) if phase in (Phase.STABLE, Phase.PREFLIGHT) else f"{phase} {messages.weight(weight_bp)}"


EMPTY = Line()

BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: a terminal that knows it shows nothing half-drawn; the others ignore it."""


@contextlib.contextmanager
def _at_once(console: Console) -> Iterator[None]:
    """Let a terminal show what is drawn meanwhile all at once."""
    console.file.write(BEGIN_FRAME)
    try:
        yield
    finally:
        console.file.write(END_FRAME)
        console.file.flush()


def _sentence_of(decision: Decision) -> str:
    return f"{decision.at:%H:%M:%S}  {decision.phase:<11} {decision.message}"


def _drawing(lines: list[Line], end: str = "\n") -> Text:
    """Return lines as rich draws them."""
    from rich.text import Text

    drawing = Text()
    for one in lines:
        for piece in one.pieces:
            drawing.append(fitting(plain(piece.text), sys.stderr), style=piece.style or None)
        drawing.append(end)
    return drawing


class Live:
    """A picture that is redrawn at most five times a second; the terminal is restored whatever happens."""

    def __init__(
        self,
        name: str,
        load: Callable[[], Rollout],
        footer: Callable[[], str],
        *,
        transient: bool = False,
        verbose: bool = False,
        holder: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Draw nothing yet.

        Args:
            transient: whether the picture is taken away in the end, because the last one is printed by somebody else.
            verbose: whether it has the statistics too.
            holder: returns who carries the rollout out, as `draw` has it.
        """
        from rich.console import Console
        from rich.live import Live as RichLive

        self._name = name
        self._load = load
        self._footer = footer
        self._verbose, self._holder = verbose, holder
        self._picture: list[Line] = []
        self._live = RichLive(console=Console(stderr=True), auto_refresh=False, transient=transient)
        self._size = self._live.console.size
        self._drawn_at: datetime | None = None

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, plan: Plan) -> None:
        with contextlib.suppress(OSError):  # as above
            self._show(plan)

    def _show(self, plan: Plan) -> None:
        """Draw one frame: what was decided, for good, and the picture below it, in place of the one before."""
        now, console = datetime.now(UTC), self._live.console
        decisions = [decision for decision in plan.decisions if decision.kind != "sample"]
        if self._drawn_at is not None and (now - self._drawn_at).total_seconds() < REDRAW_S and not decisions:
            return
        self._drawn_at = now
        resized, self._size = console.size != self._size, console.size
        picture = self._lines(now)
        if picture == self._picture and not resized and not decisions:
            return
        self._picture = picture
        with _at_once(console):
            if resized:  # what was drawn has been broken into other lines: no moving back up
                console.clear()
            for decision in decisions:
                console.print(_drawing([line(_sentence_of(decision), "dim")], end=""))
            self._live.update(_drawing(picture), refresh=True)

    def _lines(self, now: datetime) -> list[Line]:
        """Return the picture, no higher than the terminal: what is drawn again must not have scrolled away."""
        columns, rows = self._size
        footer = self._footer()
        below = [EMPTY, line(f"  {footer}", "dim").cut(columns)] if footer else []
        room = max(4, rows - 3 - len(below))
        overview = overview_of(self._load(), now)
        holder = self._holder()
        lines = draw(overview, now.timestamp(), columns, verbose=self._verbose, holder=holder)
        if len(lines) > room:
            lines = draw(overview, now.timestamp(), columns, compact=True, holder=holder)
        if len(lines) > room:
            more = f"… {len(lines) - room + 1} more lines: make the terminal higher, or use rollout status"
            lines = [*lines[: room - 1], line(more, "dim").cut(columns)]
        return [EMPTY, *lines, *below]


def watcher(
    name: str,
    load: Callable[[], Rollout],
    footer: Callable[[], str] = lambda: "",
    *,
    transient: bool = False,
    verbose: bool = False,
    holder: Callable[[], str | None] = lambda: None,
) -> Watcher:
    """Return what suits where stderr goes.

    Args:
        transient: whether a live picture is taken away in the end.
        verbose: whether it has the statistics too.
        holder: returns who carries the rollout out; None where that is not known.
    """
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return Live(name, load, footer, transient=transient, verbose=verbose, holder=holder)
    return Lines(name)


def sentence(status: Status) -> str:
    """Say how it ended, and why."""
    stable, candidate = status.stable_version, status.candidate_version
    if status.blocked is not None:
        return status.blocked.message
    if stable is None:
        return status.message or "which version is stable is not known yet"
    match status.latest.result:
        case None if status.is_active:
            return f"{candidate} stays at {messages.weight(status.latest.traffic.wanted_bp)}: {status.message}"
        case None:
            return status.message or f"{stable} is stable"
        case "promoted":
            return status.message
        case "aborted":
            return f"{candidate} was {status.message}; all new conversations are on {stable}"
        case "stopped-by-a-gate":
            return f"{candidate} was stopped by a gate. All conversations are on {stable}. Reason: {status.message}"
        case "undone":
            return f"{candidate} was {status.message}; all new conversations are on {stable}"
        case _:
            return f"{candidate} was rolled back. All new conversations go to {stable}. Reason: {status.message}"
