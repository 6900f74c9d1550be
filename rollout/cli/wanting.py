"""Wanting another version in a cluster: one field of the resource, as a commit to it would change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.cli.options import Output, pick
from rollout.cli.say import say

if TYPE_CHECKING:
    from rollout.adapters.storage.base import Row
    from rollout.adapters.storage.kubernetes import KubernetesStore


def want(store: KubernetesStore, version: str, name: str | None, output: Output | None) -> Row:
    """Declare a version; return the rollout as declared then.

    Args:
        output: how to tell it, or None for not at all.
    """
    from rollout.cli.render.documents import print_document, rollout_document
    from rollout.engine.eligibility import starts_by_itself

    checked_version(version)
    row = pick(store, name)
    rollout_name = row.rollout.metadata.name
    if row.rollout.spec.version != version:
        row = store.declare(rollout_name, version)
    status = row.rollout.status
    if status.stable_version == version:
        say(f"{version} is stable already", err=True)
    elif not status.is_active and status.stable_version and not starts_by_itself(status, version):
        say(
            f"{version} failed or was aborted before. To release it again: rollout retry",
            err=True,
        )
    if output is Output.JSON:
        print_document(rollout_document(row.rollout))
    elif output is Output.TEXT:
        say(
            f"{rollout_name}: spec.version is now {version}. To follow it: rollout status --watch {rollout_name}, or"
            f" rollout wait {rollout_name}"
        )
    return row


def checked_version(version: str) -> None:
    """Raise InvalidInput for what cannot be a version."""
    import re

    from rollout.errors import Fault, InvalidInput
    from rollout.model.units import VERSION_PATTERN

    if not re.match(VERSION_PATTERN, version):
        raise InvalidInput([Fault("VERSION", "is not of the right form", f"it must match {VERSION_PATTERN}", version)])
