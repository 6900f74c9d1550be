"""The pictures of README: `make pictures` takes them, of releases that the engine has carried out. It needs Chromium."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.cli.render.status import draw
from rollout.dashboard.access import OneToken
from rollout.dashboard.app import dashboard
from rollout.dashboard.local_source import LocalSource
from rollout.dashboard.server import DashboardServer, bound
from rollout.dashboard.sessions import Sessions
from rollout.model.api.rollout import Metadata
from rollout.model.rollout import Rollout
from rollout.views.summary import overview_of
from tests.dashboard import browser, stores
from tests.world import Behaviour, World

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
COLUMNS = 112
NAME = "support-agent"


def worse() -> World:
    """Return a release that is just being rolled back: v2 fails one task in five, with HTTP 200."""
    world = World(rate=40.0)
    world.behaviour["v2"] = Behaviour(tasks=0.2)
    world.run(stores.HOUR_S, until="RollingBack", every_s=2.0)
    assert world.status.phase == "RollingBack", world.status
    return world


def terminal(world: World) -> str:
    """Return the terminal's picture of a release, as a page."""
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ rollout status {NAME}\n", style="bold"))
    shown = Rollout(Metadata(name=NAME), world.status_store.rollout.spec, world.status)
    for line in draw(overview_of(shown, world.clock.at), world.clock.at.timestamp(), COLUMNS):
        console.print(Text.assemble(*((piece.text, piece.style) for piece in line.pieces)))
    body = console.export_html(theme=MONOKAI, inline_styles=True, code_format="{code}")
    style = f"background:#14181f;color:#e6e9ef;padding:18px;margin:0;font:14px/1.45 monospace;width:{COLUMNS}ch"
    return f"<body style='margin:0'><pre id=picture style='{style}'>{body}</pre></body>"


def take(shoot: Callable[[Any, World], None]) -> None:
    world = worse()
    with browser.chromium() as chromium:
        page = chromium.new_page(viewport={"width": 1240, "height": 1180})
        shoot(page, world)


def shoot(page: Any, world: World) -> None:
    """Take both pictures."""
    page.set_content(terminal(world))
    page.locator("#picture").screenshot(path=str(PICTURES / "terminal.png"))
    with tempfile.TemporaryDirectory() as directory:
        store = stores.record(Path(directory), NAME, world)
        sessions = Sessions(world.clock)
        access = OneToken(LocalSource(SqliteStore(store.directory), "ada"), sessions)
        server = DashboardServer(dashboard(access, sessions, world.clock), bound("127.0.0.1", 0, "--listen"))
        server.start()
        row = store.get(NAME)
        assert row is not None
        held = store.hold(row.rollout.metadata, lambda recorded: recorded or row.rollout)  # as a controller does
        try:
            page.goto(f"http://127.0.0.1:{server.port}/?token={access.token}")
            page.goto(f"http://127.0.0.1:{server.port}/rollouts/default/{NAME}")
            page.evaluate("document.querySelector('.where').textContent = 'agents'")  # the folder is of this machine
            page.screenshot(path=str(PICTURES / "dashboard.png"))
        finally:
            held.release()
            server.close()


if __name__ == "__main__":
    take(shoot)
