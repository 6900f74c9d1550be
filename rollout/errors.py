"""What can go wrong, as one tree. Callers catch the root.

* RolloutError
  + InvalidInput          a document or an argument is wrong; carries every fault        (exit 2)
  + Unavailable           something we depend on does not answer
    - RouterUnavailable   the router or its admin interface                              (exit 5)
      · RouteRaced        somebody else has changed the route since it was read          (exit 5)
      · RouteWriteDenied  the API server denies the change: rights, a policy, a webhook  (exit 5)
    - PageUnavailable     an HTTP page: metrics, or the router's admin                   (exit 5)
    - StoreUnavailable    the store of rollouts and decisions                            (exit 5)
      · LeaseLost           another controller has taken the rollout over                (exit 5)
      · Busy              another controller holds the rollout                           (exit 5)
    - ClusterUnavailable  the Kubernetes API                                             (exit 5)
      · Forbidden         we may not do that                                             (exit 5)
      · NotFound          the object is not there                                        (exit 5)
        NotInstalled      its kind is not there                                          (exit 5)
      · Conflict          somebody else has changed the object since we read it          (exit 5)
      · Rejected          the API server finds the request wrong, or a policy denies it  (exit 5)
      · Expired           the watch has fallen too far behind: list again                (exit 5)

Each message says what happened, what it means and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with an input, and what to do about it.

    `path` is where (``spec.canary.steps[1].weight``), prefixed with the file where there is one.
    """

    path: str
    message: str
    remedy: str
    value: Any = None

    def __str__(self) -> str:
        shown = "" if self.value is None else f" (got {_short(self.value)})"
        return f"{self.path}: {self.message}{shown}\n    -> {self.remedy}"

    def within(self, prefix: str) -> Fault:
        """Return the same fault, seen from a document further out."""
        path = f"{prefix}{self.path}" if self.path else prefix.rstrip(".")
        return Fault(path, self.message, self.remedy, self.value)


_CREDENTIALS = re.compile(r"//[^/\s@]*@")


def _short(value: Any, limit: int = 60) -> str:
    text = _CREDENTIALS.sub("//…@", repr(value))
    return text if len(text) <= limit else text[: limit - 1] + "…"


class RolloutError(Exception):
    """The root: something this tool understands and can explain."""

    exit_code = 1


class InvalidInput(RolloutError):  # noqa: N818  a name that reads well where it is caught
    """What somebody wrote cannot be carried out. Nothing was changed."""

    exit_code = 2

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class Unavailable(RolloutError):  # noqa: N818
    """Something we depend on does not answer."""

    exit_code = 5


class RouterUnavailable(Unavailable):
    """The router, or its admin interface, does not answer."""


class RouteRaced(RouterUnavailable):
    """Somebody else has changed the route since it was read. Nothing was written; the next turn tries again."""


class RouteWriteDenied(RouterUnavailable):
    """The API server denies the change of a route; its words are in the message."""


class PageUnavailable(Unavailable):
    """A request brought no usable page.

    Args:
        status: the HTTP status it was answered with; None without an answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class StoreUnavailable(Unavailable):
    """The store of rollouts and decisions cannot be read or written."""


class StoreUnreadable(Unavailable):
    """The agents' own store of conversations does not tell what was asked."""


class StoreLocked(StoreUnavailable):
    """Another process has the store to itself, and has not let go in time."""


class LeaseLost(StoreUnavailable):
    """Another controller carries this rollout out since: whoever learns of it stops at once, and moves nothing."""


class Busy(StoreUnavailable):
    """Another controller holds this rollout; two must never write at once."""


class ClusterUnavailable(Unavailable):
    """The Kubernetes API did not carry a request out, or we cannot know whether it did.

    Args:
        retry_after_s: how long it asks us to leave it alone; 0 where it does not say.
    """

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class Forbidden(ClusterUnavailable):
    """The API server does not know us (401), or a right is missing (403)."""


class NotFound(ClusterUnavailable):
    """No such object."""


class NotInstalled(NotFound):
    """The API server does not know the kind: its definition is not installed, or not served yet."""


class Conflict(ClusterUnavailable):
    """The object was changed since it was read, or exists already. Nothing was written."""


class Rejected(ClusterUnavailable):
    """The request is wrong, or denied by a policy, a webhook or a quota (400, 403, 415, 422). Nothing was written."""


class Expired(ClusterUnavailable):
    """The version asked for is too old (410)."""
