"""`rollout history`: what was released here, when, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.commands.show import RELEASES_MAX
from rollout.cli.location import Place
from rollout.cli.options import Context, Files, Kubeconfig, Namespace, OptionalName, Output, OutputAs, StateDir
from rollout.cli.render.table import table, terminal_width
from rollout.cli.say import say

if TYPE_CHECKING:
    from rollout.model.status.finished_release import FinishedRelease


def register(app: typer.Typer) -> None:
    @app.command()
    def history(
        name: OptionalName = None,
        files: Files = None,
        state: StateDir = None,
        namespace: Namespace = None,
        context: Context = None,
        kubeconfig: Kubeconfig = None,
        limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most this many releases.")] = 20,
        output: OutputAs = Output.TEXT,
    ) -> None:
        """List the releases of a rollout that are over, the newest last."""
        from rollout.cli.options import pick
        from rollout.cli.render.documents import list_document, print_document

        store = Place(files, state, namespace, context=context, kubeconfig=kubeconfig).store()
        row = pick(store, name)
        releases = store.releases(row.rollout.metadata.name, RELEASES_MAX)
        first = max(1, len(releases) - limit + 1)
        releases = releases[-limit:]
        if output is Output.JSON:
            dumped = (release.model_dump(mode="json", by_alias=True, exclude_none=True) for release in releases)
            items = ({"number": number, **release} for number, release in enumerate(dumped, first))
            print_document(list_document("Release", items))
            return
        if not releases:
            say(f"{row.rollout.metadata.name}: no release is over yet")
            return
        head = ("#", "STARTED", "TOOK", "PAUSED", "FROM", "TO", "RESULT", "WHY")
        for line in table(
            head, [_row(number, release) for number, release in enumerate(releases, first)], terminal_width()
        ):
            say(line)


def _row(number: int, release: FinishedRelease) -> tuple[str, ...]:
    from rollout.engine import messages

    took = messages.span((release.ended_at - release.started_at).total_seconds())
    paused = messages.span(release.paused_s) if release.paused_s else "-"
    kind = f"{release.result}{' (undo)' if release.undoing and release.result == 'promoted' else ''}"
    started = f"{release.started_at:%Y-%m-%d %H:%M}Z"
    return str(number), started, took, paused, release.previous, release.candidate, kind, release.message
