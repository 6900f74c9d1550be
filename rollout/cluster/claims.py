"""Whose a Rollout is: two controllers with leases in different places must never carry out the same one.

Whoever carries a Rollout out writes the name of its own lease into the status. Another controller leaves it alone as
long as that lease is held: it watches the lease with its own clock, as one who waits for it would.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rollout.cluster.api import Api
from rollout.cluster.kinds import LEASE
from rollout.errors import ClusterUnavailable, Forbidden, NotFound

LEASE_S = 15.0
"""How long a lease lasts that does not say."""


class Claims:
    """Tells whether a Rollout is another controller's. own: the lease we lead by, as `namespace/name`; empty: none."""

    def __init__(self, api: Api, own: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self.own, self._clock = api, own, clock
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[tuple[Any, ...], float]] = {}

    def held_by_another(self, claim: str) -> str:
        """Say who holds the lease that a Rollout is claimed by, if that is another one that is held; else empty.

        Raises ClusterUnavailable where that cannot be found out now.
        """
        namespace, _, name = claim.partition("/")
        if not self.own or not name or claim == self.own:
            return ""
        try:
            lease = self._api.get(LEASE, namespace, name)
        except NotFound:
            return ""
        except Forbidden as error:
            return f"whoever holds the lease {claim}, which may not be read ({error})"
        except ClusterUnavailable:
            raise
        spec = lease.get("spec") or {}
        holder, now = str(spec.get("holderIdentity") or ""), self._clock()
        if not holder:
            return ""
        mark = (holder, spec.get("renewTime"), lease["metadata"].get("resourceVersion"))
        with self._lock:
            known, since = self._seen.get(claim, ((), now))
            if known != mark:
                since = now
                self._seen[claim] = (mark, now)
        lasts_s = float(spec.get("leaseDurationSeconds") or LEASE_S)
        return "" if now - since > lasts_s else f"{holder}, which holds the lease {claim}"
