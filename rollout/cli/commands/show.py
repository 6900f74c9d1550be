"""The verbs that only read: status, list, explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli import streams
from rollout.cli.location import Place
from rollout.cli.options import (
    AllNamespaces,
    Context,
    Files,
    Kubeconfig,
    Namespace,
    OptionalName,
    Output,
    OutputAs,
    StateDir,
)
from rollout.cli.render.table import hanging, table, terminal_width
from rollout.cli.say import say

if TYPE_CHECKING:
    from rollout.adapters.storage.base import RolloutStore, Row
    from rollout.model.status.decision import Decision, KpiFigures
    from rollout.model.status.finished_release import FinishedRelease


RELEASES_MAX = 100_000


def register(app: typer.Typer) -> None:
    app.command()(status)
    app.command(name="list")(list_)
    app.command()(explain)


def status(
    name: OptionalName = None,
    files: Files = None,
    state: StateDir = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it until it is over, or Ctrl-C.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the statistics and every gate too.")] = False,
    output: OutputAs = Output.TEXT,
) -> None:
    """Show a rollout: its weight, its evidence, and what it waits for."""
    from rollout.cli.options import pick
    from rollout.cli.render.documents import print_document, rollout_document

    store = Place(files, state, namespace, context=context, kubeconfig=kubeconfig).store()
    row = pick(store, name)
    interrupted = False
    if watch:
        interrupted = not _follow(store, row, verbose=verbose)
        row = pick(store, row.rollout.metadata.name)
    if output is Output.JSON:
        print_document(rollout_document(row.rollout, problem=row.problem))
    else:
        _draw(row, verbose=verbose)
    if interrupted:
        raise typer.Exit(streams.INTERRUPTED)


def _draw(row: Row, *, verbose: bool) -> None:
    import shutil
    from datetime import UTC, datetime

    from rollout.cli.render.ansi import print_lines
    from rollout.cli.render.status import draw
    from rollout.views.summary import overview_of

    width = shutil.get_terminal_size((100, 24)).columns
    now = datetime.now(UTC)
    overview = overview_of(row.rollout, now)
    print_lines(draw(overview, now.timestamp(), width, verbose=verbose, holder=row.holder, problem=row.problem))


def _follow(store: RolloutStore, row: Row, *, verbose: bool) -> bool:
    """Show every change until nothing is under way any more; False if Ctrl-C came first."""
    from rollout.cli.follow.follower import Follower
    from rollout.cli.render.live import watcher

    follower = Follower(store, row)
    name = row.rollout.metadata.name
    with watcher(name, follower.load, transient=True, verbose=verbose, holder=lambda: follower.holder) as watching:
        return follower.until(lambda plan: not plan.status.is_active, watching.show) is not None


def list_(
    files: Files = None,
    state: StateDir = None,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    output: OutputAs = Output.TEXT,
) -> None:
    """List all rollouts of this machine, or of a cluster."""
    from rollout.cli.render.documents import list_document, print_document, rollout_document

    place = Place(files, state, namespace, all_namespaces, context, kubeconfig)
    rows = place.store().all()
    if output is Output.JSON:
        print_document(list_document("Rollout", (rollout_document(row.rollout, problem=row.problem) for row in rows)))
        return
    head = ("NAME", "STABLE", "CANDIDATE", "PHASE", "WEIGHT", "REASON")
    for line in table(head, [_row(row, wide=all_namespaces) for row in rows], terminal_width()):
        say(line)


def _row(row: Row, *, wide: bool) -> tuple[str, ...]:
    from rollout.engine import messages
    from rollout.model.status.cluster_status import PENDING
    from rollout.model.status.vocabulary import Phase

    status, metadata = row.rollout.status, row.rollout.metadata
    shown = status.is_active or status.phase is Phase.ROLLED_BACK
    reason = row.problem.splitlines()[0] if row.problem else str(status.reason)
    return (
        f"{metadata.namespace}/{metadata.name}" if wide else metadata.name,
        status.stable_version or "-",
        (status.candidate_version or "-") if shown else "-",
        str(status.phase) if status.stable_version else PENDING,
        messages.weight(status.latest.traffic.wanted_bp) if shown else "-",
        f"{reason} (no controller)" if status.is_active and not (row.holder or row.uid) else reason,
    )


def explain(
    name: OptionalName = None,
    files: Files = None,
    state: StateDir = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    samples: Annotated[
        bool, typer.Option("--samples", "--looks", help="Every sample too, not only what changed.")
    ] = False,
    release: Annotated[int | None, typer.Option("--release", help="Only of one release: its # in history.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=50_000, help="At most this many decisions.")] = 50,
    output: OutputAs = Output.TEXT,
) -> None:
    """List the decisions of a rollout, each with its numbers."""
    from rollout.cli.options import pick
    from rollout.cli.render.documents import list_document, print_document
    from rollout.cli.render.live import sentence

    store = Place(files, state, namespace, context=context, kubeconfig=kubeconfig).store()
    row = pick(store, name)
    name = row.rollout.metadata.name
    of = _release(store, name, release) if release is not None else None
    decisions = store.decisions(name, samples=samples, limit=limit, of=of)
    if output is Output.JSON:
        items = (decision.model_dump(mode="json", by_alias=True, exclude_none=True) for decision in decisions)
        print_document(list_document("Decision", items))
        return
    _tell_all(decisions)
    say(f"\n{of.message if of else sentence(row.rollout.status)}")


def _release(store: RolloutStore, name: str, number: int) -> FinishedRelease:
    """Return a release by its number in history. Raises InvalidInput with the numbers there are."""
    from rollout.errors import Fault, InvalidInput

    releases = store.releases(name, RELEASES_MAX)
    if not 1 <= number <= len(releases):
        remedy = f"use 1 to {len(releases)}; see rollout history" if releases else "none is over yet"
        raise InvalidInput([Fault("--release", "there is no release with this number", remedy, number)])
    return releases[number - 1]


def _tell_all(decisions: list[Decision]) -> None:
    """Tell each decision once, and its figures where they have changed."""
    figures: dict[str, KpiFigures] = {}
    for decision in decisions:
        if decision.kind == "command" and not decision.refused and decision.verb not in ("promote", "approve"):
            continue  # the transition it caused says it
        _tell(decision, {} if decision.kpis == figures else decision.kpis)
        figures = decision.kpis or figures
    say("\nworse, no worse: evidence (docs/statistics.md); phi: how much failures cluster, 1 is not at all")


def _tell(decision: Decision, figures: dict[str, KpiFigures]) -> None:
    from rollout.engine import messages

    moment = f"{decision.at:%Y-%m-%d %H:%M:%S}Z"
    _wrapped(f"{moment}  {decision.phase:<11} {messages.weight(decision.weight_bp):>6}  {decision.message}", 42)
    for name, kpi in figures.items():
        if kpi.all_c + kpi.all_s > 0:
            shown = messages.mean if kpi.asymptotic else messages.rate
            columns = (
                f"{name}: candidate {shown(kpi.bad_c, kpi.all_c)}, stable {shown(kpi.bad_s, kpi.all_s)}",
                f"worse {messages.evidence(kpi.harm_e)}, no worse {messages.evidence(kpi.proof_e)}, phi {kpi.phi:.1f}",
                kpi.verdict + (" (reference: frozen)" if kpi.reference == "frozen" else ""),
                *([_excess(kpi)] if kpi.excess_low is not None else []),
            )
            _wrapped(f"{'':22}{'; '.join(columns)}", 22)


def _wrapped(text: str, indent: int) -> None:
    for line in hanging(text, indent, terminal_width()):
        say(line)


def _excess(kpi: KpiFigures) -> str:
    from rollout.engine import messages

    low, high = kpi.excess_low, kpi.excess_high
    assert low is not None
    assert high is not None
    return f"difference {messages.between(low, high, relative=kpi.asymptotic)}"
