"""How the versions of a rollout become Services: by names that are declared, or by what runs behind two roles."""

from __future__ import annotations

from dataclasses import replace

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.workloads.roles import RoleReader
from rollout.model.api.naming import Naming
from rollout.model.rollout import Rollout
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase


def with_roles(api: Api, naming: Naming, status: Status) -> tuple[Naming, RoleReader | None]:
    """Return the naming with what runs behind the roles' Services, and who reads that; as it was where there are none.

    A release under way keeps what it began with: nothing stands between an abort and its route, and a Service that
    runs something else by then is that version's trouble.
    """
    roles = naming.backends.roles
    if roles is None:
        return naming, None
    reader = RoleReader(api, naming, status.role_versions)
    kept = status.role_versions if status.is_active and status.phase is not Phase.PREFLIGHT else None
    named = (kept or reader.versions).named(roles.stable, roles.candidate)
    return replace(naming, running=named), reader


def naming_of(rollout: Rollout) -> Naming:
    """Return how the versions of a rollout become Services, with those that its status knows."""
    spec, status = rollout.spec, rollout.status
    known = (status.stable_version, status.candidate_version, status.previous_version, spec.version, *status.draining)
    versions = tuple(filter(None, dict.fromkeys(known)))
    return Naming(rollout.metadata.name, rollout.metadata.namespace, spec.backends, versions)
