"""Who carries a Rollout out: two controllers with leases in different places must never carry out the same one.

Whoever carries a Rollout out writes the name of its own lease into the status. Another controller leaves it alone as
long as that lease is held: it watches the lease with its own clock, as one who waits for it would.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import LEASE, Object
from rollout.errors import Forbidden, NotFound

UNREADABLE_S = 300.0
"""So long nobody has written a Rollout whose controller's lease may not be read: then nobody carries it out."""

FRESH_S = 1.0
"""So long a lease that was held is taken to be: many Rollouts name the same one."""

LEASE_S = 15.0
"""How long a lease lasts that does not say."""


class Claims:
    """Tells whether a Rollout is another controller's."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._clock = api, clock
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, Object]] = {}
        self._seen: dict[str, tuple[tuple[Any, ...], float]] = {}

    def held_by_another(self, claim: str, own: str, version: str = "") -> str:
        """Say who holds the lease that a Rollout is claimed by, if that is another one that is held; else empty.

        Raises ClusterUnavailable where that cannot be found out now.

        Args:
            own: the lease that we carry it out by, as `namespace/name`; empty: none.
            version: the Rollout's. A lease that may not be read counts as held for as long as somebody writes the
                Rollout.
        """
        if not own or "/" not in claim or claim == own:
            return ""
        lease = self._lease(claim)
        if isinstance(lease, NotFound):
            return ""
        if isinstance(lease, Forbidden):
            if self._unchanged_s(claim, ("unreadable", version)) > UNREADABLE_S:
                return ""
            return f"whoever holds the lease {claim}, which may not be read ({lease})"
        spec = lease.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        if not holder:
            self._held.pop(claim, None)
            return ""
        mark = (holder, spec.get("renewTime"), lease["metadata"].get("resourceVersion"))
        lasts_s = float(spec.get("leaseDurationSeconds") or LEASE_S)
        return "" if self._unchanged_s(claim, mark) > lasts_s else f"{holder}, which holds the lease {claim}"

    def _lease(self, claim: str) -> Object | NotFound | Forbidden:
        """Read a lease, or why it cannot be. That it is held serves all who ask within a moment."""
        now = self._clock()
        read_at, held = self._held.get(claim, (0.0, None))
        if held is not None and now - read_at <= FRESH_S:
            return held
        namespace, _, name = claim.partition("/")
        try:
            lease = self._api.get(LEASE, namespace, name)
        except (NotFound, Forbidden) as error:
            return error
        self._held[claim] = now, lease
        return lease

    def _unchanged_s(self, claim: str, mark: tuple[Any, ...]) -> float:
        """Return for how long something has been as it is, by our own clock."""
        now = self._clock()
        with self._lock:
            known, since = self._seen.get(claim, ((), now))
            if known != mark:
                since = now
                self._seen[claim] = (mark, now)
        return now - since
