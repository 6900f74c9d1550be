"""ConfigMaps that a Rollout owns: they go with it, and one of another owner is neither read nor written."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import CONFIG_MAP, Object, name_of, namespace_of, version_of
from rollout.errors import Conflict, NotFound, Rejected

TRIES_MAX = 3

Data = Mapping[str, str | None]
"""Keys with texts; None takes a key out."""


def read(api: Api, owner: Object, name: str) -> Mapping[str, str]:
    """Return the data of a ConfigMap; none where there is none, or the Rollout does not own it.

    One that it does not own is not believed: whoever may write ConfigMaps could tell any story there.
    """
    try:
        config_map = api.get(CONFIG_MAP, namespace_of(owner), name)
    except NotFound:
        return {}
    return (config_map.get("data") or {}) if _is_ours(config_map, owner) else {}


def change(api: Api, owner: Object, name: str, of: Callable[[Mapping[str, str]], Data]) -> None:
    """Write what `of` makes of the data there is. Raises ClusterUnavailable; then nothing was written."""
    for _ in range(TRIES_MAX):
        try:
            _change(api, owner, name, of)
        except Conflict:
            continue
        return
    raise Conflict(f"the ConfigMap {namespace_of(owner)}/{name} changes faster than it can be written")


def _change(api: Api, owner: Object, name: str, of: Callable[[Mapping[str, str]], Data]) -> None:
    namespace = namespace_of(owner)
    try:
        config_map = api.get(CONFIG_MAP, namespace, name)
    except NotFound:
        _create(api, owner, name, {key: text for key, text in of({}).items() if text is not None})
        return
    if not _is_ours(config_map, owner):
        message = f"the ConfigMap {namespace}/{name} belongs to somebody else, so it is not written"
        raise Rejected(f"{message}: rename it, or the Rollout")
    patch = {"metadata": {"resourceVersion": version_of(config_map)}, "data": dict(of(config_map.get("data") or {}))}
    api.merge(CONFIG_MAP, namespace, name, patch)


def _create(api: Api, owner: Object, name: str, data: Mapping[str, str]) -> None:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": owner["metadata"].get("uid", ""),
        "controller": True,
    }
    labels = {"app.kubernetes.io/managed-by": "agent-rollout", "app.kubernetes.io/instance": name_of(owner)[:63]}
    namespace = namespace_of(owner)
    metadata = {"name": name, "namespace": namespace, "ownerReferences": [reference], "labels": labels}
    api.create(
        CONFIG_MAP, namespace, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}
    )


def _is_ours(obj: Object, owner: Object) -> bool:
    """Whether this very Rollout owns it: not one of the same name that was deleted, nor nobody."""
    references = obj["metadata"].get("ownerReferences") or ()
    return any(reference.get("uid") == owner["metadata"].get("uid") for reference in references)
