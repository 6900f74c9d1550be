"""A fleet in shards: each Rollout is of one shard, each shard has a lease, and whoever holds it carries it out.

Which shard a Rollout is of depends on its name and the number of shards alone: when that number changes, rollouts move
only to the shards that are new, or away from those that are gone (rendezvous hashing; Thaler & Ravishankar 1998). Which
controller holds a shard is told by its lease alone: no two ever agree on anything else. A controller takes what is
free, waits the longer the more it holds, and asks for a shard of one that holds two more than itself.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol

import structlog

from rollout.adapters.kubernetes.elector import Elector, LeaseTimings

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

KEYS_KEPT = 20_000
_OF = re.compile(r"-\d+-of-\d+$")


class Work(Protocol):
    """What is done for as long as a shard is held."""

    def gain(self, shard: int) -> None:
        """Begin with a shard."""
        ...

    def leave(self, shard: int) -> None:
        """Let what is under way of a shard end, and write what has waited. It is bounded in time."""
        ...

    def stop(self) -> None:
        """Let everything end. It is bounded in time."""
        ...


@lru_cache(maxsize=KEYS_KEPT)
def shard_of(key: str, count: int) -> int:
    """Return the shard, counted from 0, that `namespace/name` is of."""
    return max(range(count), key=lambda shard: hashlib.blake2b(f"{shard}/{key}".encode(), digest_size=8).digest())


def lease_names(base: str, count: int) -> list[str]:
    """Return the names of the leases of all shards. Those of another number of shards are others.

    Whoever goes by another number leaves a Rollout alone as long as the lease is held that its status names.
    """
    return [base] if count == 1 else [f"{base}-{number}-of-{count}" for number in range(1, count + 1)]


def are_siblings(one: str, other: str) -> bool:
    """Whether two leases are those of shards of one fleet, maybe by another number of shards."""
    return _OF.sub("", one) == _OF.sub("", other)


def to_ask_for(own: int, holders: Mapping[int, str]) -> int | None:
    """Return the shard to ask its holder for; None where that would not make the shares more even.

    Args:
        own: how many we hold.
        holders: by shard, who else holds it.
    """
    counts = Counter(holders.values())
    if not counts:
        return None
    holder, most = min(counts.items(), key=lambda item: (-item[1], item[0]))
    return max(shard for shard, by in holders.items() if by == holder) if most >= own + 2 else None


class Shards:
    """The shards that this process holds. `run` blocks; all else may be asked from any thread."""

    def __init__(self, electors: Sequence[Elector], timings: LeaseTimings) -> None:
        self._electors, self._timings = tuple(electors), timings
        self._carried: frozenset[int] = frozenset()
        self._leaving: dict[int, threading.Thread] = {}

    def shard_of(self, key: str) -> int:
        return shard_of(key, len(self._electors))

    def carries(self, key: str) -> bool:
        return self.shard_of(key) in self._carried

    def may_write(self, key: str) -> bool:
        return self._electors[self.shard_of(key)].leads

    def lease_of(self, key: str) -> str:
        return self._electors[self.shard_of(key)].lease

    @property
    def problem(self) -> str:
        """Why a lease cannot be had."""
        return next((elector.problem for elector in self._electors if elector.problem), "")

    def run(self, stopped: threading.Event, work: Work) -> bool:
        """Hold shards until stopped. Returns whether it ended because it was stopped.

        False: a lease is lost; end the process, for what it was doing may have been taken over.
        """
        held: set[int] = set()
        while not stopped.is_set():
            if lost := self._renew(held):
                _LOG.error("the lease is lost: another controller may lead by now", lease=lost)
                self._carried = frozenset()
                work.stop()
                return False
            self._let_go(held, work)
            self._take(held, work)
            self._ask(held)
            stopped.wait(self._timings.retry_s)
        self._drain(held, work)
        return True

    def release(self) -> None:
        """Let others lead at once. Call it after the last write."""
        for elector in self._electors:
            elector.release()

    def _renew(self, held: set[int]) -> str:
        """Renew what is held, unless it was just now; return a lease that is lost, if one is."""
        for elector in (self._electors[shard] for shard in sorted(held)):
            if elector.is_fresh:
                continue
            elector.acquire()
            if not elector.leads:
                elector.give_up()
                return elector.lease
        return ""

    def _take(self, held: set[int], work: Work) -> None:
        """Take what is free; whoever holds less is faster."""
        for shard, elector in enumerate(self._electors):
            if shard in held or not elector.acquire(self._timings.retry_s * len(held)):
                continue
            _LOG.info("leads", identity=elector.identity, lease=elector.lease)
            held.add(shard)
            self._carried = frozenset(held - self._leaving.keys())
            work.gain(shard)

    def _ask(self, held: set[int]) -> None:
        """Ask for a shard where another controller holds more."""
        others = {
            shard: elector.holder
            for shard, elector in enumerate(self._electors)
            if shard not in held and elector.holder
        }
        shard = to_ask_for(len(held), others)
        if shard is not None and len(others) + len(held) == len(self._electors):
            self._electors[shard].ask()

    def _let_go(self, held: set[int], work: Work) -> None:
        """Give away a shard that another controller asks for, if we hold more than one: first all of it ends."""
        for shard in [shard for shard, thread in self._leaving.items() if not thread.is_alive()]:
            del self._leaving[shard]
            held.discard(shard)
            self._electors[shard].release()
        asked = [shard for shard in sorted(held) if self._electors[shard].asked_by and shard not in self._leaving]
        if not asked or self._leaving or len(held) < 2:
            return
        shard = asked[0]
        _LOG.info("leaves a shard", lease=self._electors[shard].lease, to=self._electors[shard].asked_by)
        self._carried -= {shard}
        self._leaving[shard] = threading.Thread(target=work.leave, args=(shard,), name="leave-shard", daemon=True)
        self._leaving[shard].start()

    def _drain(self, held: set[int], work: Work) -> None:
        """Let everything end; the leases are renewed until it has."""
        self._carried = frozenset()
        draining = threading.Thread(target=work.stop, name="drain", daemon=True)
        draining.start()
        while draining.is_alive():
            draining.join(self._timings.retry_s)
            for shard in held:
                if self._electors[shard].leads:
                    self._electors[shard].acquire()
