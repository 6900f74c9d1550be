"""What an open dashboard costs: CPU a page and a poll, by how many rollouts are listed. Prints a table."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.model.api.rollout import Metadata
from rollout.model.rollout import Rollout
from rollout.views.listing import listed
from tests.dashboard import stores

MANY = (20, 200)
TIMES = 20


def filled(directory: Path, many: int) -> SqliteStore:
    """Return a store with releases under way, rolled back and waiting."""
    worlds = [stores.under_way(rate=40.0), stores.rolled_back(), stores.waiting_for_approval()]
    store = SqliteStore(directory, create=True)
    for number in range(many):
        world = worlds[number % len(worlds)]
        store.declare(Rollout(Metadata(name=f"agent-{number:03}"), world.status_store.rollout.spec, world.status))
    return store


def cpu_ms(act) -> float:
    began = time.process_time()
    for _ in range(TIMES):
        act()
    return (time.process_time() - began) / TIMES * 1000


def main() -> None:
    print(f"{'rollouts':>8}  {'first read':>10}  {'read again':>10}  {'list':>6}   CPU, ms")
    for many in MANY:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "state"
            store = filled(path, many)
            began = time.process_time()
            rows = SqliteStore(path).all()
            first = (time.process_time() - began) * 1000
            store.all()
            again, drawn = cpu_ms(store.all), cpu_ms(lambda rows=rows: listed((row.rollout, "") for row in rows))
            print(f"{many:>8}  {first:>10.1f}  {again:>10.1f}  {drawn:>6.1f}")


if __name__ == "__main__":
    main()
