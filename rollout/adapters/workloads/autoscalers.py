"""Who scales a Deployment besides us (KEDA works by an autoscaler too)."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import AUTOSCALER, Object, name_of, namespace_of
from rollout.errors import Forbidden, NotFound


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """What owns the replicas of a Deployment.

    Attributes:
        name: empty where nobody may read which one it is.
        least: how many replicas it keeps at least.
        problem: why it is not known whether there is one.
    """

    name: str
    least: int = 1
    problem: str = ""

    def __str__(self) -> str:
        return f"perhaps an autoscaler ({self.problem})" if self.problem else f"the autoscaler {self.name}"


def autoscaler_of(api: Api, deployment: Object) -> Autoscaler | None:
    """Return who scales a Deployment; None where nobody does. Raises ClusterUnavailable."""
    try:
        every, _ = api.list_all(AUTOSCALER, namespace_of(deployment))
    except (Forbidden, NotFound) as error:
        return Autoscaler("", problem=f"they cannot be read: {error}")
    for autoscaler in every:
        spec = autoscaler.get("spec")
        target = spec.get("scaleTargetRef") if isinstance(spec, dict) else None
        wanted = ("Deployment", name_of(deployment))
        if isinstance(target, dict) and (target.get("kind"), target.get("name")) == wanted:
            least = spec.get("minReplicas") if isinstance(spec, dict) else None
            return Autoscaler(name_of(autoscaler), least if isinstance(least, int) else 1)
    return None
