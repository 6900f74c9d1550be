"""Who leads? One Lease, renewed in time; the leader stops itself before anybody else may lead.

Own, because the client's elector leads on while the API refuses it: two replicas were seen to lead together. Here every
request is bounded by the retry period, deadlines are monotonic, and a renewal counts from before it was asked for.
"""

from __future__ import annotations

import threading
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


class Elector:
    """Holds, or waits for, one Lease. `run` blocks; `leads` may be asked from any thread, before each write."""

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
        self.problem = ""

    @property
    def leads(self) -> bool:
        """Whether we may write. False as soon as the last renewal is too old, whatever else goes on."""
        renewed_at = self._renewed_at  # read once: another thread may take it away
        return renewed_at is not None and time.monotonic() - renewed_at < self._terms.renew_s

    def run(self, stopped: threading.Event, lead: Callable[[], None], drain: Callable[[], None]) -> bool:
        """Wait for the lease, call `lead` once, renew until stopped. Returns whether it ended because it was stopped.

        Args:
            drain: lets what is under way end, and returns then; the lease is renewed until it has. False: the lease is
                lost; end the process, for what it was doing may have been taken over.
        """
        while not stopped.is_set() and not self._try():
            stopped.wait(self._terms.retry_s)
        if not stopped.is_set():
            _LOG.info("leads", identity=self.identity)
            lead()
        while not stopped.wait(self._terms.retry_s):
            self._try()
            if not self.leads:
                self._renewed_at = None
                _LOG.error("the lease is lost: another controller may lead by now")
                drain()
                return False
        draining = threading.Thread(target=drain, name="drain", daemon=True)
        draining.start()
        while draining.is_alive():
            draining.join(self._terms.retry_s)
            if self.leads:
                self._try()
        return True

    def release(self) -> None:
        """Let another one lead at once. Call it after the last write."""
        if not self.leads:
            return
        self._renewed_at = None
        try:
            lease = self._api.get(LEASE, self._namespace, self._name)
            if lease["spec"].get("holderIdentity") == self.identity:
                self._write(lease, {"holderIdentity": "", "leaseDurationSeconds": 1})
        except (ClusterUnavailable, KeyError) as error:
            _LOG.info("the lease could not be released; it runs out", why=str(error))

    def _try(self) -> bool:
        """Take or renew the lease if it is ours or free; whether it is ours now."""
        began = time.monotonic()
        try:
            taken = self._acquire(began)
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

    def _acquire(self, began: float) -> bool:
        """Write over the lease as we wrote it last; where somebody else has written since, read it first."""
        held, self._held = self._held, None
        if held is not None and self.leads:
            try:
                self._write(held, {})
            except (Conflict, NotFound):
                pass
            else:
                return True
        return self._read_and_acquire(began)

    def _read_and_acquire(self, began: float) -> bool:
        try:
            lease = self._api.get(LEASE, self._namespace, self._name)
        except NotFound:
            self._held = self._create()
            return True
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        seen = (holder, spec.get("renewTime"), lease["metadata"].get("resourceVersion"))
        if seen != self._seen:
            # Whether a lease has run out is told by our own clock since it last changed, never by its holder's.
            self._seen, self._seen_at = seen, began
        run_out = began - self._seen_at > float(spec.get("leaseDurationSeconds") or self._terms.lease_s)
        if holder not in ("", self.identity) and not run_out:
            return False
        changes = {"holderIdentity": self.identity, "leaseDurationSeconds": max(1, round(self._terms.lease_s))}
        if holder != self.identity:
            changes |= {"acquireTime": self._stamp(), "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1}
        self._write(lease, changes)
        return True

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

    def _stamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
