"""The record of a rollout beyond its status: releases and decisions, in a ConfigMap of bounded size.

The whole record, every sample of it, goes to the controller's log; here is what `rollout history` and `explain` show.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import CONFIG_MAP, Object, name_of, namespace_of, version_of
from rollout.errors import Conflict, NotFound, Rejected
from rollout.model.status.decision import Decision
from rollout.model.status.finished_release import FinishedRelease
from rollout.redaction import SECRETS

RELEASES_KEPT = 50
DECISIONS_MAX_BYTES = 256 * 1024
TRIES_MAX = 3


def journal_name(rollout: str) -> str:
    return f"{rollout}-rollout"


def write(api: Api, owner: Object, decisions: Iterable[Decision], release: FinishedRelease | None) -> None:
    """Add to a rollout's journal. Raises ClusterUnavailable; then status still has the last decisions."""
    lines = [_line(decision) for decision in decisions]
    for _ in range(TRIES_MAX):
        try:
            _write(api, owner, lines, release)
        except Conflict:
            continue
        return


def _write(api: Api, owner: Object, lines: list[str], release: FinishedRelease | None) -> None:
    namespace, name = namespace_of(owner), journal_name(name_of(owner))
    try:
        config_map = api.get(CONFIG_MAP, namespace, name)
    except NotFound:
        config_map = None
    if config_map is not None and not _is_ours(config_map, owner):
        message = f"the ConfigMap {namespace}/{name} belongs to somebody else, so the journal is not written"
        raise Rejected(f"{message}: rename it, or the Rollout")
    data = dict((config_map or {}).get("data") or {})
    decisions = [*data.get("decisions", "").splitlines(), *lines]
    while sum(map(len, decisions)) + len(decisions) > DECISIONS_MAX_BYTES:
        decisions.pop(0)
    releases = [*data.get("releases", "").splitlines(), *([_line(release)] if release else [])][-RELEASES_KEPT:]
    data = {"decisions": "\n".join(decisions), "releases": "\n".join(releases)}
    if config_map is not None:
        patch = {"metadata": {"resourceVersion": version_of(config_map)}, "data": data}
        api.merge(CONFIG_MAP, namespace, name, patch)
        return
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": owner["metadata"].get("uid", ""),
        "controller": True,
    }
    labels = {"app.kubernetes.io/managed-by": "agent-rollout", "app.kubernetes.io/instance": name_of(owner)[:63]}
    metadata = {"name": name, "namespace": namespace, "ownerReferences": [reference], "labels": labels}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    api.create(CONFIG_MAP, namespace, body)


def _is_ours(obj: Object, owner: Object) -> bool:
    """Whether this very Rollout owns it: not one of the same name that was deleted, nor nobody."""
    references = obj["metadata"].get("ownerReferences") or ()
    return any(reference.get("uid") == owner["metadata"].get("uid") for reference in references)


def read(api: Api, owner: Object) -> tuple[list[Decision], list[FinishedRelease]]:
    """Return the decisions and releases of a journal, the oldest first; none where the Rollout owns none.

    One that it does not own is not believed: whoever may write ConfigMaps could tell any story there.
    """
    try:
        config_map = api.get(CONFIG_MAP, namespace_of(owner), journal_name(name_of(owner)))
    except NotFound:
        return [], []
    data = (config_map.get("data") or {}) if _is_ours(config_map, owner) else {}
    return _read(Decision, data.get("decisions", "")), _read(FinishedRelease, data.get("releases", ""))


def _read(model: type[Any], text: str) -> list[Any]:
    """Read line by line; a line that somebody has broken is left out."""
    entries = []
    for line in text.splitlines():
        try:
            entries.append(model.model_validate_json(line))
        except ValidationError:
            continue
    return entries


def _line(record: BaseModel) -> str:
    document = json.loads(record.model_dump_json(by_alias=True, exclude_none=True))
    return json.dumps(SECRETS.redacted(document), separators=(",", ":"))
