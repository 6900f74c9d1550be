"""Reading what versions are made of: not at each sample, for what is read seldom changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import POD, Object, name_of, namespace_of, version_of
from rollout.adapters.workloads.contents import Contents
from rollout.adapters.workloads.identity import identity_of, image_digests
from rollout.errors import Forbidden

FRESH_S = 60.0
"""What ConfigMaps, Secrets and pods hold is read again after this."""

SETTLED_S = 300.0
"""Pods are read again after this where their Deployment is the same to the letter: it counts its ready pods."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read of one Deployment.

    Attributes:
        version: the Deployment's when its pods were read, at pods_at_s.
        digests: of the images that its pods run, by container.
    """

    at_s: float
    generation: int
    identity: Mapping[str, str]
    version: str
    pods_at_s: float
    digests: Mapping[str, str]


@dataclass
class IdentityReader:
    """Reads identities, and keeps each for a while; a changed Deployment is read at once.

    Attributes:
        uptime_s: a clock that never steps back.
        kept: by rollout and Deployment.
    """

    api: Api
    uptime_s: Callable[[], float]
    kept: dict[str, dict[str, _Reading]] = field(default_factory=dict)

    def read(self, rollout: str, deployment: Object) -> Mapping[str, str]:
        """Return what a version is made of. Raises ClusterUnavailable.

        Args:
            rollout: its key, to be forgotten by.
        """
        name = f"{namespace_of(deployment)}/{name_of(deployment)}"
        generation = int(deployment["metadata"].get("generation") or 0)
        last, now_s = self.kept.get(rollout, {}).get(name), self.uptime_s()
        if last is not None and last.generation == generation and now_s - last.at_s < FRESH_S:
            return last.identity
        version, pods_at_s = version_of(deployment), now_s
        if last is not None and last.version == version != "" and now_s - last.pods_at_s < SETTLED_S:
            digests, pods_at_s = last.digests, last.pods_at_s
        else:
            digests = image_digests(pods_of(self.api, deployment))
        contents = Contents(self.api, namespace_of(deployment))
        identity = identity_of(deployment, contents.digest, digests)
        self.kept.setdefault(rollout, {})[name] = _Reading(now_s, generation, identity, version, pods_at_s, digests)
        return identity

    def is_fresh(self, rollout: str, deployments: tuple[str, ...]) -> bool:
        """Whether nothing is to be read anew of Deployments (`namespace/name`) that are as they were."""
        readings, now_s = self.kept.get(rollout, {}), self.uptime_s()
        return all(now_s - readings[name].at_s < FRESH_S for name in deployments if name in readings)

    def forget(self, rollout: str) -> None:
        self.kept.pop(rollout, None)


def pods_of(api: Api, deployment: Object) -> list[Object]:
    """Return the pods of a Deployment; none where they may not be read. Raises ClusterUnavailable."""
    labels = ((deployment.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    if not labels:
        return []
    selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
    try:
        return api.list_all(POD, namespace_of(deployment), labelSelector=selector)[0]
    except Forbidden:
        return []
