"""Makes the Deployment and the Service of a candidate in a cluster, and takes away those of versions that are over.

With the rights of whoever releases, never of the controller. What is taken away was made for this very Rollout: an
annotation has its uid. A Rollout does not own them as Kubernetes has it: to delete it would end what serves users.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import DEPLOYMENT, SERVICE, Kind, Object, name_of, version_of
from rollout.adapters.workloads.candidate import (
    OWNER_LABEL,
    Names,
    Origin,
    Wanted,
    candidate_of,
    faults_of,
    image_of,
    is_made_for,
    overlap,
)
from rollout.errors import Conflict, Fault, InvalidInput, NotFound
from rollout.model.api.naming import Naming


@dataclass(frozen=True, slots=True)
class Making:
    """What is made for a candidate.

    Attributes:
        is_there: whether it is there already, made for this Rollout before.
    """

    deployment: Object
    service: Object
    is_there: bool = False


class CandidateMaker:
    """Makes what a candidate of one Rollout runs on.

    Args:
        rollout, uid: of the Rollout.
    """

    def __init__(self, api: Api, naming: Naming, rollout: str, uid: str) -> None:
        self._api, self._naming, self._rollout, self._uid = api, naming, rollout, uid

    def planned(self, stable: str, wanted: Wanted) -> Making:
        """Return what would be made. Raises InvalidInput with everything that stands in the way."""
        if fault := self._unsuited(wanted.version):
            raise InvalidInput([fault])
        origin, names = self._origin(stable), self._names(wanted.version)
        if faults := list(faults_of(origin, wanted)):
            raise InvalidInput(faults)
        deployment, service = candidate_of(origin, wanted, names)
        if fault := overlap(origin, deployment):
            raise InvalidInput([fault])
        there = [self._get(DEPLOYMENT, names.deployment), self._get(SERVICE, names.service)]
        faults = [fault for obj in there if obj is not None and (fault := self._taken(obj, wanted))]
        if faults:
            raise InvalidInput(faults)
        return Making(deployment, service, is_there=all(there))

    def make(self, making: Making) -> None:
        """Create what is not there yet. Raises ClusterUnavailable and its children; may be called again after it."""
        # What may be refused comes first.
        for kind, body in ((DEPLOYMENT, making.deployment), (SERVICE, making.service)):
            with contextlib.suppress(Conflict):  # it was made for this Rollout before: that was checked
                self._api.create(kind, self._naming.services_in, body)

    def take_away(self, kept: Iterable[str], routes: Iterable[Object]) -> list[str]:
        """Delete what was made for versions that are over; return their names. Raises ClusterUnavailable.

        Args:
            kept: versions that are in use, or may be gone back to.
            routes: that may still name a Service: one that is not there can break a whole rule.
        """
        written = json.dumps([route.get("spec") for route in routes])
        names = [self._names(version) for version in kept]
        in_use = {(DEPLOYMENT.kind, one.deployment) for one in names} | {(SERVICE.kind, one.service) for one in names}
        gone = []
        for kind in (SERVICE, DEPLOYMENT):
            for obj in self._marked(kind):
                name = name_of(obj)
                if (kind.kind, name) in in_use or re.search(rf'"{re.escape(name)}[".]', written):
                    continue
                with contextlib.suppress(NotFound):
                    self._api.delete(kind, self._naming.services_in, name, version_of(obj))
                gone.append(f"{kind.kind} {name}")
        return gone

    def _marked(self, kind: Kind) -> list[Object]:
        selector = f"{OWNER_LABEL}={self._rollout}"
        objects, _ = self._api.list_all(kind, self._naming.services_in, labelSelector=selector)
        return [obj for obj in objects if is_made_for(obj, self._uid)]

    def _unsuited(self, version: str) -> Fault | None:
        """Return the fault of backends of which no other version can be made."""
        backends = self._naming.backends
        if backends.roles:
            remedy = f"set the image of its Deployment: kubectl set image, behind {backends.roles.candidate}"
            return Fault("--image", "with spec.backends.roles the candidate's Service is there already", remedy)
        if backends.reference:
            remedy = f"make the Deployment and the {self._naming.kind} by hand"
            return Fault("--image", f"the candidate needs a {self._naming.kind}, which only you can make", remedy)
        if backends.subset:
            remedy = "make the Deployment and the subset of the DestinationRule by hand"
            return Fault("--image", "versions are subsets of one Service here", remedy)
        if backends.deployment is None:
            remedy = "declare it, such as deployment: $name-$version"
            return Fault("spec.backends.deployment", "is not declared, so no other Deployment can be made", remedy)
        if not self._naming.service(version):
            return Fault("spec.backends.versions", f"has no name for {version}", f"add {version}: NAME-OF-ITS-SERVICE")
        return None

    def _origin(self, stable: str) -> Origin:
        names = self._names(stable)
        deployment, service = self._get(DEPLOYMENT, names.deployment), self._get(SERVICE, names.service)
        missing = [
            Fault(
                f"{kind.kind} {self._naming.services_in}/{name}", f"of {stable}, which is stable, is not there", remedy
            )
            for kind, name, obj in ((DEPLOYMENT, names.deployment, deployment), (SERVICE, names.service, service))
            for remedy in ("correct spec.backends: the candidate is made from it",)
            if obj is None
        ]
        if deployment is None or service is None:
            raise InvalidInput(missing)
        return Origin(self._rollout, self._uid, names, deployment, service)

    def _taken(self, obj: Object, wanted: Wanted) -> Fault | None:
        """Return the fault of an object that is there and is not what would be made."""
        where = f"{obj['kind']} {self._naming.services_in}/{name_of(obj)}"
        if not is_made_for(obj, self._uid):
            remedy = f"release it as it is, without --image, or give {wanted.image} another version"
            return Fault(where, "is there already, and was not made for this Rollout", remedy)
        image = image_of(obj, wanted.container) if obj["kind"] == DEPLOYMENT.kind else wanted.image
        if image != wanted.image:
            remedy = f"give {wanted.image} another version: a version stays what it is"
            return Fault(where, f"is there already, with the image {image}", remedy)
        return None

    def _names(self, version: str) -> Names:
        return Names(version, self._naming.deployment(version) or "", self._naming.service(version))

    def _get(self, kind: Kind, name: str) -> Object | None:
        try:
            return {
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                **self._api.get(kind, self._naming.services_in, name),
            }
        except NotFound:
            return None
