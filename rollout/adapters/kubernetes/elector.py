"""Who leads? A Lease, renewed in time; the leader stops itself before anybody else may lead.

Own, because the client's elector leads on while the API refuses it: two replicas were seen to lead together. Here every
request is bounded by the retry period, deadlines are monotonic, and a renewal counts from before it was asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import LEASE, Object
from rollout.errors import ClusterUnavailable, Conflict, Forbidden, NotFound

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseTimings:
    """client-go's numbers.

    Attributes:
        lease_s: others wait so long.
        renew_s: the leader gives up after so long without renewal.
    """

    lease_s: float = 15.0
    renew_s: float = 10.0
    retry_s: float = 2.0

    @property
    def again_s(self) -> float:
        """How long after a renewal comes the next: early enough for two more tries, should it fail."""
        return 2.0 * self.retry_s


ASKED_BY = "rollout.dev/asked-by"
"""The annotation of a Lease by which another controller asks its holder for it."""


class Elector:
    """Holds, or waits for, one Lease. One thread acquires it; `leads` may be asked from any, before each write.

    Attributes:
        holder: who held it when it was last read; empty where it was free.
        asked_by: who asks for it.
        problem: why it cannot be had.
    """

    def __init__(
        self,
        api: Api,
        namespace: str,
        name: str,
        identity: str,
        terms: LeaseTimings = LeaseTimings(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Stand for election by one lease.

        Args:
            api: whose calls end within `terms.retry_s`.
        """
        self.identity = identity
        self._api, self._namespace, self._name, self._terms, self._now = api, namespace, name, terms, now
        self._held: Object | None = None
        self._seen: tuple[Any, ...] = ()
        self._seen_at = 0.0
        self._renewed_at: float | None = None
        self.problem = self.holder = self.asked_by = ""

    @property
    def lease(self) -> str:
        """The lease, as `namespace/name`."""
        return f"{self._namespace}/{self._name}"

    @property
    def leads(self) -> bool:
        """Whether we may write. False as soon as the last renewal is too old, whatever else goes on."""
        renewed_at = self._renewed_at  # read once: another thread may take it away
        return renewed_at is not None and time.monotonic() - renewed_at < self._terms.renew_s

    @property
    def is_fresh(self) -> bool:
        """Whether the last renewal is so young that the next may wait."""
        renewed_at = self._renewed_at
        return renewed_at is not None and time.monotonic() - renewed_at < self._terms.again_s

    def release(self) -> None:
        """Let another one lead at once. Call it after the last write."""
        if not self.leads:
            return
        self.give_up()
        try:
            lease = self._api.get(LEASE, self._namespace, self._name)
            if lease["spec"].get("holderIdentity") == self.identity:
                self._write(_asked_by(lease, None), {"holderIdentity": "", "leaseDurationSeconds": 1})
        except (ClusterUnavailable, KeyError) as error:
            _LOG.info("the lease could not be released; it runs out", why=str(error))
        self._held = None

    def give_up(self) -> None:
        """Lead no more, from now on, whatever the lease says."""
        self._renewed_at = None

    def ask(self) -> None:
        """Ask the holder to let go of it, once."""
        try:
            lease = self._api.get(LEASE, self._namespace, self._name)
            if lease["spec"].get("holderIdentity") == self.holder and not _asks(lease):
                self._api.replace(LEASE, self._namespace, self._name, _asked_by(lease, self.identity))
        except (ClusterUnavailable, KeyError) as error:
            _LOG.debug("the lease could not be asked for; it is asked for again", why=str(error))

    def acquire(self, patience_s: float = 0.0) -> bool:
        """Take or renew the lease if it is ours or free; whether it is ours now.

        Args:
            patience_s: for so long a lease that was let go of is left to others.
        """
        began = time.monotonic()
        try:
            taken = self._acquire(began, patience_s)
        except ClusterUnavailable as error:
            self._tell(error)
            return False
        self.problem = ""
        if taken:
            self._renewed_at = began
        return taken

    def _tell(self, error: ClusterUnavailable) -> None:
        """Say why the lease cannot be had, when that begins: whoever waits for it silently is taken for well."""
        where = f"the lease {self._namespace}/{self._name}"
        if isinstance(error, Forbidden):
            message = f"{where} may not be used: grant it (manifests/controller/lease-role.yaml). {error}"
        elif isinstance(error, NotFound):
            message = f"{where} cannot be created: {error}"
        elif isinstance(error, Conflict):
            return  # somebody else was faster
        else:
            message = f"{where} cannot be reached: {error}"
        if message != self.problem:
            _LOG.warning("does not lead", why=message)
        self.problem = message

    def _acquire(self, began: float, patience_s: float) -> bool:
        """Write over the lease as we wrote it last; where somebody else has written since, read it first."""
        held, self._held = self._held, None
        if held is not None and self.leads:
            try:
                self._write(held, {})
            except (Conflict, NotFound):
                pass
            else:
                return True
        return self._read_and_acquire(began, patience_s)

    def _read_and_acquire(self, began: float, patience_s: float) -> bool:
        try:
            lease = self._api.get(LEASE, self._namespace, self._name)
        except NotFound:
            if self._is_young(("missing",), began, patience_s):
                return False
            self._held, self.holder, self.asked_by = self._create(), self.identity, ""
            return True
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        lasts_s = float(spec.get("leaseDurationSeconds") or self._terms.lease_s) if holder else patience_s
        is_young = self._is_young((holder, spec.get("renewTime")), began, lasts_s)
        self.holder, self.asked_by = holder if is_young else "", _asks(lease)
        if holder != self.identity and is_young:
            return False
        changes = {"holderIdentity": self.identity, "leaseDurationSeconds": max(1, round(self._terms.lease_s))}
        if holder != self.identity:
            lease = _asked_by(lease, None)
            changes |= {"acquireTime": self._stamp(), "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1}
        self._write(lease, changes)
        return True

    def _is_young(self, seen: tuple[Any, ...], now: float, lasts_s: float) -> bool:
        """Whether a lease is as it is for so long at most: by our own clock since it changed, never by its holder's."""
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        return lasts_s > 0 and now - self._seen_at <= lasts_s

    def _create(self) -> Object:
        spec = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self._terms.lease_s)),
            "acquireTime": self._stamp(),
            "renewTime": self._stamp(),
            "leaseTransitions": 0,
        }
        body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": {"name": self._name}, "spec": spec}
        return self._api.create(LEASE, self._namespace, body)  # of two who try, one is refused

    def _write(self, lease: Object, changes: dict[str, Any]) -> None:
        """Write over the very version that was read: of two who try, one is refused."""
        spec = {**(lease.get("spec") or {}), **changes, "renewTime": self._stamp()}
        self._held = self._api.replace(LEASE, self._namespace, self._name, {**lease, "spec": spec})
        self.holder, self.asked_by = spec["holderIdentity"], _asks(self._held)

    def _stamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _asks(lease: Object) -> str:
    """Return who asks for a lease."""
    return str((lease["metadata"].get("annotations") or {}).get(ASKED_BY) or "")


def _asked_by(lease: Object, identity: str | None) -> Object:
    """Return a lease that somebody asks for, or nobody."""
    metadata = lease["metadata"]
    kept = {name: value for name, value in (metadata.get("annotations") or {}).items() if name != ASKED_BY}
    return {**lease, "metadata": {**metadata, "annotations": {**kept, ASKED_BY: identity} if identity else kept}}
