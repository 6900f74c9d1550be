"""Who scales the pods of a version besides us: a HorizontalPodAutoscaler, by which KEDA works too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import AUTOSCALER, Object, name_of
from rollout.errors import Forbidden, NotFound


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """What owns the replicas of a workload.

    Attributes:
        name: empty where nobody may read which one it is.
        min_replicas: how many replicas it keeps at least.
        target: the kind and the name of the workload.
        scaled_object: the ScaledObject of KEDA that made it, if one did.
        problem: why it is not known whether there is one.
    """

    name: str
    min_replicas: int = 1
    target: tuple[str, str] = ("", "")
    scaled_object: str = ""
    problem: str = ""

    def __str__(self) -> str:
        return f"perhaps an autoscaler ({self.problem})" if self.problem else f"the autoscaler {self.name}"

    @property
    def wakes(self) -> str:
        """How a workload at 0 replicas that it owns comes back."""
        if self.scaled_object:
            return f"set minReplicaCount: 1 in the ScaledObject {self.scaled_object}, or let one of its triggers fire"
        kind, name = self.target
        if not name:
            return "scale it up"
        command = f"kubectl scale {kind.lower()}/{name} --replicas={max(1, self.min_replicas)}"
        return f"an autoscaler does not scale from 0 by itself: {command}"


def autoscaler_of(api: Api, namespace: str, workload: str | None, pods: Iterable[str] = ()) -> Autoscaler | None:
    """Return who scales a workload; None where nobody does. Raises ClusterUnavailable.

    Args:
        workload: the name of its Deployment, where one is declared.
        pods: the names of its pods, which begin with its name.
    """
    try:
        listed, _ = api.list_all(AUTOSCALER, namespace)
    except (Forbidden, NotFound) as error:
        return Autoscaler("", problem=f"they cannot be read: {error}")
    behind = tuple(pods)
    owners = [one for one in map(_read, listed) if _owns(one, workload, behind)]
    return max(owners, key=lambda one: len(one.target[1]), default=None)


def _read(autoscaler: Object) -> Autoscaler:
    spec = autoscaler.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    target = spec.get("scaleTargetRef")
    target = target if isinstance(target, dict) else {}
    min_replicas = spec.get("minReplicas")
    owners = autoscaler["metadata"].get("ownerReferences") or ()
    return Autoscaler(
        name_of(autoscaler),
        min_replicas if isinstance(min_replicas, int) else 1,
        (str(target.get("kind", "")), str(target.get("name", ""))),
        next((str(owner.get("name", "")) for owner in owners if owner.get("kind") == "ScaledObject"), ""),
    )


def _owns(autoscaler: Autoscaler, workload: str | None, pods: tuple[str, ...]) -> bool:
    kind, name = autoscaler.target
    if not name:
        return False
    if (kind, name) == ("Deployment", workload):
        return True
    ends = r"-\d+" if kind == "StatefulSet" else r"-[a-z0-9]+-[a-z0-9]{5}"
    return bool(pods) and all(re.fullmatch(re.escape(name) + ends, pod) for pod in pods)
