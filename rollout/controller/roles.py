"""Backends by role: which version stands for which Service in this turn."""

from __future__ import annotations

from dataclasses import replace

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.workloads.roles import RoleReader
from rollout.model.api.naming import Naming
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
