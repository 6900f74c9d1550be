"""Delivers notices beside the turns: tried again with a bound, a few at a time, and few of one namespace."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from rollout.adapters.notifications.telling import Telling, telling
from rollout.backoff import Backoff
from rollout.engine.facts import DeliveryFact
from rollout.engine.ports import Clock
from rollout.errors import Unavailable
from rollout.model.api.notifications import Notifications, NotificationTarget
from rollout.model.rollout import Rollout

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

TRIES_MAX = 16
BACKOFF = Backoff(2.0, 300.0)
AT_ONCE_MAX = 8
OF_ONE_NAMESPACE_MAX = 2
"""One tenant's slow servers do not keep another's people from being told. A send ends within half a minute."""

Send = Callable[[NotificationTarget, Telling], None]
"""Tells one target. Raises Unavailable where it does not take it, with nothing secret in the message."""


@dataclass
class _Delivery:
    """One notice on its way to one target."""

    tries: int = 0
    next_s: float = 0.0
    under_way: bool = False
    delivered: bool = False
    message: str = ""

    @property
    def fact(self) -> DeliveryFact:
        given_up = not self.under_way and not self.delivered and self.tries >= TRIES_MAX
        return DeliveryFact(delivered=self.delivered, given_up=given_up, message=self.message)


class QueueOfNotices:
    """Tells the targets of many rollouts. Safe to use from several threads.

    Args:
        send: tells one target; it is bounded in time.
        uptime_s: a clock that does not step.
    """

    def __init__(self, send: Send, clock: Clock, uptime_s: Callable[[], float] = time.monotonic) -> None:
        self._send, self._clock, self._uptime_s = send, clock, uptime_s
        self._lock = threading.Lock()
        self._deliveries: dict[str, dict[str, _Delivery]] = {}
        self._under_way: Counter[str] = Counter()
        self._closed = False

    def deliveries(self, rollout: Rollout, notifications: Notifications) -> Mapping[str, DeliveryFact]:
        """Return what is known of the notices of a rollout's status, by ``notice/target``; begin what is due."""
        namespace = rollout.metadata.namespace
        targets = {target.name: target for target in notifications.targets}
        wanted = {
            f"{notice.id}/{name}": (notice, targets[name])
            for notice in rollout.status.notices
            for name in notice.pending
            if name in targets
        }
        with self._lock:
            known = self._deliveries.setdefault(f"{namespace}/{rollout.metadata.name}", {})
            for gone in known.keys() - wanted.keys():
                del known[gone]
            waiting: set[str] = set()
            for key, (notice, target) in wanted.items():
                delivery = known.setdefault(key, _Delivery())
                is_first = target.name not in waiting  # what is told later must not be overtaken
                if not (delivery.delivered or delivery.fact.given_up):
                    waiting.add(target.name)
                if is_first and self._clock.now() < notice.deadline and self._is_due(delivery, namespace):
                    self._begin(delivery, namespace, target, telling(rollout, notice, notifications))
            return {key: delivery.fact for key, delivery in known.items()}

    def forget(self, key: str) -> None:
        """Give up what is to be told of a rollout that is gone."""
        with self._lock:
            self._deliveries.pop(key, None)

    def close(self) -> None:
        """Begin nothing more."""
        self._closed = True

    def _is_due(self, delivery: _Delivery, namespace: str) -> bool:
        return (
            not (self._closed or delivery.under_way or delivery.delivered)
            and delivery.tries < TRIES_MAX
            and self._uptime_s() >= delivery.next_s
            and self._under_way.total() < AT_ONCE_MAX
            and self._under_way[namespace] < OF_ONE_NAMESPACE_MAX
        )

    def _begin(self, delivery: _Delivery, namespace: str, target: NotificationTarget, content: Telling) -> None:
        delivery.tries += 1
        work = threading.Thread(
            target=self._deliver, args=(delivery, namespace, target, content), name=f"notify-{target.name}", daemon=True
        )
        delivery.under_way = True
        self._under_way[namespace] += 1
        try:
            work.start()
        except RuntimeError:  # the system has no thread to give
            self._under_way[namespace] -= 1
            delivery.under_way, delivery.message = False, "no thread could be started"
            delivery.next_s = self._uptime_s() + BACKOFF.after_s(delivery.tries)

    def _deliver(self, delivery: _Delivery, namespace: str, target: NotificationTarget, content: Telling) -> None:
        problem = ""
        try:
            self._send(target, content)
        except Unavailable as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001  whoever is told may fail in any way
            _LOG.exception("internal error: please report it", target=target.name)
            problem = f"internal error: {type(error).__name__}"
        with self._lock:
            self._under_way[namespace] -= 1
            delivery.under_way, delivery.delivered, delivery.message = False, not problem, problem
            delivery.next_s = self._uptime_s() + BACKOFF.after_s(delivery.tries)
        if problem and delivery.tries == 1:
            _LOG.warning("a notification was not delivered; it is tried again", target=target.name, why=problem)
