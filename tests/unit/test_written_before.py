"""What earlier releases wrote in the middle of a release is read by this one, and the release goes on from there.

The fixtures were written by the code of November 2026, at the second of three steps.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.engine.planned import Plan
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase, Result
from tests.world import World

FIXTURES = Path(__file__).parents[1] / "fixtures"

CALLED_OTHERWISE = {"lookedAt", "nextLookAt", "looksInWindow", "unreadyLooks", "stableDownLooks"}
"""Fields that have another name by now."""


def going_on_from(status: Status) -> World:
    """Return a world in which the release stands where the status says, with counters that began anew."""
    world = World(rate=60)
    world.clock.at = status.latest.sampled_at or world.clock.at
    status_store = world.status_store.rollout
    world.status_store.rollout = Rollout(status_store.metadata, status_store.spec, status)
    return world


def is_in_mid_release(status: Status) -> bool:
    seen = status.latest.evidence["tasks"]
    return status.phase is Phase.OBSERVING and status.latest.step == 1 and seen.all_c > 0 and len(status.decisions) > 2


def test_a_status_in_mid_release_is_read_whole_and_the_release_goes_on_to_its_end():
    written = json.loads((FIXTURES / "status-2026-11.json").read_text())
    status = Status.model_validate(written)
    assert is_in_mid_release(status)
    assert status.latest.sampled_at == datetime.fromisoformat(written["lookedAt"]), "as it was called then"
    again = json.loads(status.model_dump_json(by_alias=True))
    assert again["decisions"] == [{**each, "refused": False, "verb": ""} for each in written["decisions"]]
    same = written.keys() & again.keys() - {"decisions"}
    assert {name: written[name] for name in same} == {name: again[name] for name in same}
    assert written.keys() - again.keys() == CALLED_OTHERWISE, "nothing else of it is lost"
    world = going_on_from(status)
    assert world.run(4 * 3600, until=Phase.STABLE, every_s=5).latest.result is Result.PROMOTED


def test_a_database_in_mid_release_is_read_and_written_on(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "rollouts.db")) as database:
        database.executescript((FIXTURES / "records-2026-11.sql").read_text())
    store = SqliteStore(folder)
    row = store.get("agent")
    assert row is not None and is_in_mid_release(row.rollout.status)
    assert [each.reason for each in store.decisions("agent", samples=False, limit=3)] != []
    lease = store.hold(row.rollout.metadata, lambda recorded: recorded)
    later = row.rollout.status.model_copy(
        update={"message": "goes on", "phase_since": datetime.fromisoformat("2026-01-01T01:00:00Z")}
    )
    lease.save(Plan(later))
    lease.release()
    assert SqliteStore(folder).get("agent").rollout.status == later
