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
from rollout.adapters.kubernetes.resources import LEASE
from rollout.errors import Forbidden, NotFound

UNREADABLE_S = 300.0
"""So long nobody has written a Rollout whose controller's lease may not be read: then nobody carries it out."""

LEASE_S = 15.0
"""How long a lease lasts that does not say."""


class Claims:
    """Tells whether a Rollout is another controller's.

    Args:
        own: the lease we lead by, as `namespace/name`; empty: none.
    """

    def __init__(self, api: Api, own: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self.own, self._clock = api, own, clock
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[tuple[Any, ...], float]] = {}

    def held_by_another(self, claim: str, version: str = "") -> str:
        """Say who holds the lease that a Rollout is claimed by, if that is another one that is held; else empty.

        Raises ClusterUnavailable where that cannot be found out now.

        Args:
            version: the Rollout's. A lease that may not be read counts as held for as long as somebody writes the
                Rollout.
        """
        namespace, _, name = claim.partition("/")
        if not self.own or not name or claim == self.own:
            return ""
        try:
            lease = self._api.get(LEASE, namespace, name)
        except NotFound:
            return ""
        except Forbidden as error:
            if self._unchanged_s(claim, ("unreadable", version)) > UNREADABLE_S:
                return ""
            return f"whoever holds the lease {claim}, which may not be read ({error})"
        spec = lease.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        if not holder:
            return ""
        mark = (holder, spec.get("renewTime"), lease["metadata"].get("resourceVersion"))
        lasts_s = float(spec.get("leaseDurationSeconds") or LEASE_S)
        return "" if self._unchanged_s(claim, mark) > lasts_s else f"{holder}, which holds the lease {claim}"

    def _unchanged_s(self, claim: str, mark: tuple[Any, ...]) -> float:
        """Return for how long something has been as it is, by our own clock."""
        now = self._clock()
        with self._lock:
            known, since = self._seen.get(claim, ((), now))
            if known != mark:
                since = now
                self._seen[claim] = (mark, now)
        return now - since
