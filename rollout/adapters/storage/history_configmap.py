"""The record of a rollout beyond its status: releases and decisions, in a ConfigMap of bounded size.

The whole record, every sample of it, goes to the controller's log; here is what `rollout history` and `explain` show.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import Object, name_of
from rollout.adapters.storage import owned_configmap
from rollout.model.status.decision import Decision
from rollout.model.status.finished_release import FinishedRelease
from rollout.redaction import SECRETS

RELEASES_KEPT = 50
DECISIONS_MAX_BYTES = 256 * 1024
RELEASES_MAX_BYTES = 256 * 1024
"""A ConfigMap holds 1 MiB."""


def journal_name(rollout: str) -> str:
    return f"{rollout}-rollout"


def write(api: Api, owner: Object, decisions: Iterable[Decision], release: FinishedRelease | None) -> None:
    """Add to a rollout's journal. Raises ClusterUnavailable; then status still has the last decisions."""
    lines = [_line(decision) for decision in decisions]

    def longer(data: Mapping[str, str]) -> owned_configmap.Data:
        kept = [*data.get("decisions", "").splitlines(), *lines]
        releases = [*data.get("releases", "").splitlines(), *([_line(release)] if release else [])][-RELEASES_KEPT:]
        return {
            "decisions": _newest(kept, DECISIONS_MAX_BYTES),
            "releases": _newest(releases, RELEASES_MAX_BYTES),
        }

    owned_configmap.change(api, owner, journal_name(name_of(owner)), longer)


def read(api: Api, owner: Object) -> tuple[list[Decision], list[FinishedRelease]]:
    """Return the decisions and releases of a journal, the oldest first; none where the Rollout owns none."""
    data = owned_configmap.read(api, owner, journal_name(name_of(owner)))
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


def _newest(lines: list[str], max_bytes: int) -> str:
    """Return as many of the last lines as fit, as one text."""
    size = sum(map(len, lines)) + len(lines)
    first = 0
    while size > max_bytes and first < len(lines):
        size -= len(lines[first]) + 1
        first += 1
    return "\n".join(lines[first:])


def _line(record: BaseModel) -> str:
    document = json.loads(record.model_dump_json(by_alias=True, exclude_none=True))
    return json.dumps(SECRETS.redacted(document), separators=(",", ":"))
