"""The pages: all rollouts, one rollout, a release that is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from rollout.adapters.storage.base import RolloutStore, Row
from rollout.dashboard.seen import digest_of, digest_of_all, moment_of
from rollout.dashboard.sessions import Session, Sessions
from rollout.dashboard.snapshots import Snapshots
from rollout.engine.commands.offered import offered
from rollout.engine.ports import Clock
from rollout.errors import Forbidden, NotFound
from rollout.model.status.decision import Decision
from rollout.model.status.finished_release import FinishedRelease
from rollout.views import listing, release

RELEASES_SHOWN = 20
RELEASES_MAX = 100_000
DECISIONS_SHOWN = 200
SAMPLES_READ = 600


@dataclass(frozen=True)
class PageRenderer:
    """Answers requests of somebody who is signed in."""

    templates: Jinja2Templates
    snapshots: Snapshots
    sessions: Sessions
    clock: Clock

    def everything(self, request: Request, session: Session) -> Response:
        """Return the page of all rollouts."""
        namespace = request.query_params.get("namespace") or None
        rows = self.snapshots.all(session.source, namespace)
        lines = listing.listed((row.rollout, row.problem) for row in rows)
        counts = {
            "all": len(lines),
            "under way": sum(line.active for line in lines),
            "need attention": sum(line.needs for line in lines),
        }
        digest = digest_of_all(rows)
        return self._page(
            request, session, "list.html", lines=lines, counts=counts, namespace=namespace or "", digest=digest
        )

    def one(self, request: Request, session: Session) -> Response:
        """Return the page of one rollout, with the release under way or the last one."""
        row = self._row(request, session)
        metadata, status = row.rollout.metadata, row.rollout.status
        store = session.source.store(metadata.namespace)
        now = self.clock.now()
        began = status.latest.started_at
        record = _record_of(store, row)
        own = _since(began, record.decisions, record.samples)
        return self._page(
            request,
            session,
            "rollout.html",
            row=row,
            view=release.under_way(row.rollout, own, now),
            decisions=[decision for decision in reversed(record.decisions) if decision.kind != "sample"],
            releases=_numbered(record.releases)[:RELEASES_SHOWN],
            lacks=record.lacks,
            offered=offered(status),
            digest=digest_of(row),
            seen=moment_of(row),
            releases_total=len(record.releases),
            decisions_cut=len(record.decisions) >= DECISIONS_SHOWN,
            tone_of=release.result_tone,
        )

    def over(self, request: Request, session: Session) -> Response:
        """Return the page of a release that is over, by its number in the history."""
        row = self._row(request, session)
        name = row.rollout.metadata.name
        store = session.source.store(row.rollout.metadata.namespace)
        written = request.path_params["number"]
        number = int(written) if written.isascii() and written.isdigit() and len(written) < 10 else 0
        releases = store.releases(name, RELEASES_MAX)
        if not 1 <= number <= len(releases):
            raise NotFound(f"{name} has no such release: there are {len(releases)}")
        chosen = releases[number - 1]
        samples = store.decisions(name, samples=True, limit=SAMPLES_READ, of=chosen)
        decisions = store.decisions(name, samples=False, limit=DECISIONS_SHOWN, of=chosen)
        return self._page(
            request,
            session,
            "release.html",
            row=row,
            number=number,
            view=release.ended(chosen, _merged(decisions, samples)),
            decisions=list(reversed(decisions)),
            decisions_cut=len(decisions) >= DECISIONS_SHOWN,
            tone_of=release.result_tone,
        )

    def _row(self, request: Request, session: Session) -> Row:
        return self.snapshots.row(session.source, request.path_params["namespace"], request.path_params["name"])

    def _page(self, request: Request, session: Session, template: str, **context: Any) -> Response:
        shared = {"session": session, "notice": self.sessions.take(session), "now": self.clock.now()}
        return self.templates.TemplateResponse(request, template, {**shared, **context})


@dataclass(frozen=True)
class _Record:
    """What is on record of a rollout, as far as this user may read it.

    Attributes:
        lacks: what is not there, and why.
    """

    decisions: list[Decision]
    samples: list[Decision]
    releases: list[FinishedRelease]
    lacks: str = ""


def _record_of(store: RolloutStore, row: Row) -> _Record:
    """Return the record. In a cluster it is an object of its own, which not everybody may read who sees the rollout."""
    name = row.rollout.metadata.name
    try:
        return _Record(
            store.decisions(name, samples=False, limit=DECISIONS_SHOWN),
            store.decisions(name, samples=True, limit=SAMPLES_READ),
            store.releases(name, RELEASES_MAX),
        )
    except Forbidden:
        lacks = "You may not read the ConfigMap with the record: only the last decisions are shown."
        return _Record(list(row.rollout.status.decisions), [], [], lacks)


def _numbered(releases: list[FinishedRelease]) -> list[tuple[int, FinishedRelease]]:
    """Return releases with their numbers in the history, the newest first."""
    return list(reversed(list(enumerate(releases, 1))))


def _since(began: datetime | None, decisions: list[Decision], samples: list[Decision]) -> list[Decision]:
    return [decision for decision in _merged(decisions, samples) if began is not None and decision.at >= began]


def _merged(decisions: list[Decision], samples: list[Decision]) -> list[Decision]:
    """Return both in the order of time: of the samples only the newest are read, and some of them are decisions too."""
    known = {(decision.at, decision.kind, decision.message) for decision in decisions}
    rest = (sample for sample in samples if (sample.at, sample.kind, sample.message) not in known)
    return sorted([*decisions, *rest], key=lambda decision: decision.at)
