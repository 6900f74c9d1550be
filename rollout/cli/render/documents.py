"""What `-o json` prints: one document on stdout, told by its kind. `rollout schema output` has their JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rollout.cli.say import say
from rollout.errors import InvalidInput, RolloutError
from rollout.model.api.rollout import API_VERSION
from rollout.model.rollout import Rollout
from rollout.redaction import SECRETS


def rollout_document(rollout: Rollout, **more: Any) -> dict[str, Any]:
    """Return a rollout as a document, with more fields where there is something to say."""
    return document(
        "Rollout",
        metadata=rollout.metadata.model_dump(mode="json", by_alias=True),
        spec=rollout.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
        status=rollout.status.model_dump(mode="json", by_alias=True, exclude_none=True),
        **{name: value for name, value in more.items() if value not in (None, "")},
    )


def list_document(kind: str, items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a list, as all lists are: `{apiVersion, kind, items}`."""
    return document(f"{kind}List", items=list(items))


def error_document(error: RolloutError) -> dict[str, Any]:
    """Return an error, with every fault of invalid input."""
    if not isinstance(error, InvalidInput):
        return document("Error", exitCode=error.exit_code, message=str(error))
    count = len(error.faults)
    message = f"{count} {'fault' if count == 1 else 'faults'}; nothing was changed"
    return document("Error", exitCode=error.exit_code, message=message, faults=faults(error))


def faults(error: InvalidInput) -> list[dict[str, Any]]:
    return [
        {"path": fault.path, "message": fault.message, "remedy": fault.remedy, "value": fault.value}
        for fault in error.faults
    ]


def document(kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, **fields}


def print_document(content: Mapping[str, Any]) -> None:
    """Print one document on stdout, without the secrets that this process knows."""
    say(json.dumps(SECRETS.redacted(content), indent=2, sort_keys=True, default=str))
