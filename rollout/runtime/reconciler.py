"""One turn of the loop: observe, plan, record the intent, apply. The next turn verifies.

Intent goes into the status first, then comes the effect: a crash between any two is repaired by the next turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog

from rollout.engine.effects import Effect, LeaveRoute, PromoteImage, ScaleDown, ScaleUp, SetPins, SetWeight
from rollout.engine.facts import ResourceFacts
from rollout.engine.plan import plan
from rollout.engine.planned import Plan
from rollout.engine.ports import Ports
from rollout.errors import Forbidden, LeaseLost, Rejected, RouterUnavailable, StoreUnavailable, Unavailable
from rollout.model.api.policy import PolicySpec
from rollout.model.rollout import Rollout
from rollout.runtime.observation import Observation

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """How a turn ended.

    Attributes:
        failures: what could not be asked or done; the next turn tries again.
    """

    plan: Plan
    failures: tuple[Unavailable, ...] = ()


@dataclass(frozen=True)
class Reconciler:
    """Carries out one rollout through its ports.

    Attributes:
        policy_of: returns the policy that is declared for it now.
        resource: what is known of the Rollout itself.
        warned: what was warned of already.
    """

    policy_of: Callable[[Rollout], PolicySpec]
    ports: Ports
    resource: ResourceFacts = ResourceFacts()
    warned: set[str] = field(default_factory=set, compare=False)

    def reconcile(self) -> ReconcileResult:
        """Take one turn and return what followed. Raises Unavailable: without the store nothing may move."""
        rollout = self.ports.status_store.load()
        declared = self.policy_of(rollout)
        observation = Observation(self.ports, self.resource, self.warned)
        next_plan = plan(rollout, declared, observation.facts(rollout, declared), self.ports.clock.now())
        if next_plan.status != rollout.status or next_plan.decisions:
            self._save(next_plan)
        failed = self._carry_out(next_plan.effects)
        _log(next_plan)
        self.ports.status_store.tell()
        return ReconcileResult(next_plan, (*observation.failures, *failed))

    def _save(self, next_plan: Plan) -> None:
        """Record the intent. One that may not be recorded keeps nobody from going back: that is always safe."""
        try:
            self.ports.status_store.save(next_plan)
        except LeaseLost:
            raise
        except (Forbidden, Rejected, StoreUnavailable):
            if next_plan.status.goes_back:
                self._carry_out(next_plan.effects)
            raise

    def _carry_out(self, effects: tuple[Effect, ...]) -> tuple[Unavailable, ...]:
        """Carry the effects out, each as far as it can be; return what failed."""
        tries = [self._try(str(effect), act) for effect in effects for act in self._actions(effect)]
        return tuple(failure for failure in tries if failure is not None)

    def _actions(self, effect: Effect) -> list[Callable[[], None]]:
        match effect:
            case ScaleUp():
                return [partial(self.ports.workloads.scale_up, effect.version, effect.like)]
            case LeaveRoute():
                return [partial(router.leave, effect) for router in self.ports.routers if router.name == effect.route]
            case SetPins():
                return [partial(router.pin, effect) for router in self.ports.routers if router.name == effect.route]
            case ScaleDown():
                return [partial(self.ports.workloads.scale_down, effect.version)]
            case PromoteImage():
                return [partial(self.ports.workloads.promote_image, effect.version)]
            case SetWeight():
                return [partial(router.apply, effect) for router in self.ports.routers]

    def _try(self, effect: str, act: Callable[[], None]) -> Unavailable | None:
        """Carry out one effect; what fails is found by the next turn, and tried again."""
        try:
            act()
        except Unavailable as error:
            self._warn_once(effect, str(error))
            return error
        except Exception as error:  # noqa: BLE001  one effect's fault must not keep the others from their routes
            _LOG.exception("internal error: please report it", effect=effect)
            return RouterUnavailable(f"internal error: {type(error).__name__}")
        return None

    def _warn_once(self, effect: str, why: str) -> None:
        """Warn of a failure when it begins, not at each of the many tries that follow."""
        if why not in self.warned:
            self.warned.add(why)
            _LOG.warning("an effect was not carried out; it is tried again", effect=effect, why=why)


def _log(next_plan: Plan) -> None:
    for decision in next_plan.decisions:
        level = "debug" if decision.kind == "sample" else "info"
        getattr(_LOG, level)(
            decision.message, kind=decision.kind, phase=decision.phase, reason=decision.reason, step=decision.step
        )
