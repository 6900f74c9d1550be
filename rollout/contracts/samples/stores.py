"""A survey of whatever store a Rollout declares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rollout.contracts.samples import postgres, sqlite
from rollout.contracts.samples.snapshot import Limits, Survey
from rollout.model.api.state_sources import StateStore

Secret = Callable[[StateStore], str]
"""The address of a PostgreSQL store. Raises Unavailable, with no secret in its words."""


def survey(store: StateStore, secret: Secret, limits: Limits, *, may_name_files: bool) -> Survey:
    """Look at the stored conversations. Raises Unavailable.

    Args:
        may_name_files: whether a database's URL may name files of this machine: not in a cluster, where its author is
            not the controller's.
    """
    if store.sqlite is not None:
        return sqlite.survey(Path(store.sqlite.path), limits)
    return postgres.survey(secret(store), limits, may_name_files=may_name_files)
