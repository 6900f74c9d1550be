"""What the versions of a rollout are made of, for whoever compares them."""

from __future__ import annotations

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import DEPLOYMENT
from rollout.adapters.workloads.components import components_in
from rollout.adapters.workloads.contents import Contents
from rollout.adapters.workloads.identity_reader import pods_of
from rollout.controller.naming import naming_of, with_roles
from rollout.errors import Fault, InvalidInput, NotFound
from rollout.model.rollout import Rollout


def components_of(api: Api, rollout: Rollout, version: str) -> dict[str, str]:
    """Return what each component of a version is, in a few words.

    Raises InvalidInput where its Deployment is not known or not there, and ClusterUnavailable.
    """
    naming, _ = with_roles(api, naming_of(rollout), rollout.status)
    name = naming.deployment(version)
    if naming.backends.deployment is None:
        remedy = "declare it, such as deployment: agent-$version, so that its components can be read"
        raise InvalidInput([Fault("spec.backends.deployment", "is not declared", remedy)])
    if name is None:
        known = ", ".join(naming.versions) or "none yet"
        raise InvalidInput([Fault("VERSION", f"{version} has no Service of this rollout", f"known: {known}")])
    try:
        deployment = api.get(DEPLOYMENT, naming.services_in, name)
    except NotFound:
        remedy = f"bring {version} up, or correct spec.backends.deployment"
        raise InvalidInput([Fault("VERSION", f"there is no Deployment {naming.services_in}/{name}", remedy)]) from None
    contents = Contents(api, naming.services_in)
    return components_in(deployment, contents.digest, pods_of(api, deployment))
