"""Rolling a promoted version out behind the stable role's Service, and what speaks against it beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import DEPLOYMENT, Object, name_of
from rollout.adapters.workloads.image_promotion import promotion_patch, unlike
from rollout.errors import NotFound, Rejected
from rollout.model.api.naming import Naming


@dataclass(frozen=True)
class RolePromotion:
    """The two Deployments behind the roles' Services, in the Rollout's own namespace."""

    api: Api
    naming: Naming
    may_write: Callable[[], bool]

    def problem(self, version: str) -> str:
        """Say why images alone would not make the stable Deployment what was judged, where that is asked for.

        Raises ClusterUnavailable.
        """
        roles = self.naming.backends.roles
        if roles is None or roles.promotion != "swap" or self.naming.service(version) != roles.candidate:
            return ""
        pair = self._deployments()
        if pair is None:
            return f"promotion: swap needs both Deployments of {self.naming.written}: check spec.backends.deployment"
        return unlike(*pair, roles)

    def carry_out(self, version: str) -> None:
        """Set the images behind the stable Service to those behind the candidate's. Raises ClusterUnavailable."""
        roles = self.naming.backends.roles
        if roles is None or not self.may_write() or (pair := self._deployments()) is None:
            return
        if problem := unlike(*pair, roles):
            raise Rejected(f"{version} is not rolled out behind {roles.stable}: {problem}")
        if patch := promotion_patch(*pair, roles):
            self.api.patch(DEPLOYMENT, self.naming.services_in, name_of(pair[0]), patch)

    def _deployments(self) -> tuple[Object, Object] | None:
        """Return the Deployments of the stable role and of the candidate's; None where one is not there."""
        roles = self.naming.backends.roles
        services = (roles.stable, roles.candidate) if roles else ()
        named = [name for service in services if (name := self.naming.deployment_of(service))]
        try:
            stable, candidate = [self.api.get(DEPLOYMENT, self.naming.services_in, name) for name in named]
        except (NotFound, ValueError):
            return None
        return stable, candidate
