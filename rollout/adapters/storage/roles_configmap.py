"""The roles of versions in a ConfigMap that workers mount: a key for each version, its role as the text."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import Object, name_of
from rollout.adapters.storage import owned_configmap


def roles_name(rollout: str) -> str:
    return f"{rollout}-roles"


def write(api: Api, owner: Object, roles: Mapping[str, str]) -> None:
    """Let the ConfigMap have these roles and no other. Raises ClusterUnavailable."""

    def wanted(present: Mapping[str, str]) -> owned_configmap.Data:
        return {**dict.fromkeys(present), **roles}

    owned_configmap.change(api, owner, roles_name(name_of(owner)), wanted)
