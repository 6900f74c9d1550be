"""The role of each version, for workers that no route leads to: may they take work, or do they hold back? Pure."""

from __future__ import annotations

from rollout.model.status.status import Status


def roles_of(status: Status) -> dict[str, str]:
    """Return the role of each version that has one: `stable`, `candidate` or `draining`.

    A version without a role is not in use. A candidate that goes back has none, but where it keeps its conversations.
    """
    roles = {version: "draining" for version, drain in sorted(status.draining.items()) if not drain.done}
    if status.is_active and not status.goes_back and status.candidate_version is not None:
        roles[status.candidate_version] = "candidate"
    if status.stable_version is not None:
        roles[status.stable_version] = "stable"
    return roles
