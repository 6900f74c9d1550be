"""What a shell completes: names of rollouts, versions, policies and contexts, from where the line so far points to.

A completion never fails and never asks anything: what cannot be read, or not in time, is not offered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rollout.model.rollout import Rollout

PATIENCE_S = 3.0
"""A shell, and whoever pressed the key, waits no longer."""


def _offered(source: Callable[[Any], Iterable[str]]) -> Callable[[Any, str], list[str]]:
    """Return a completion from what there is: what begins with what is written, at most once, sorted."""

    @wraps(source)
    def complete(ctx: Any, incomplete: str) -> list[str]:
        return sorted({name for name in _in_time(lambda: source(ctx)) if name.startswith(incomplete)})

    complete.__annotations__ = {}  # by these names the library hands over what it has
    complete.__dict__.pop("__wrapped__", None)
    return complete


def _in_time(source: Callable[[], Iterable[str]]) -> list[str]:
    names: list[str] = []

    def read() -> None:
        with suppress(Exception, SystemExit):  # nothing may be written between users and their shell
            names.extend(source())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(PATIENCE_S)
    return [] if reader.is_alive() else names


@_offered
def rollouts(ctx: Any) -> Iterable[str]:
    """Names of the rollouts of this machine, or of the cluster that the line names."""
    return [rollout.metadata.name for rollout in _known(ctx)]


@_offered
def versions(ctx: Any) -> Iterable[str]:
    """Versions that can be named: those that files declare, and those that the rollouts know."""
    names = [version for rollout in _known(ctx) for version in _versions(rollout)]
    return [*names, *_declared(ctx)]


@_offered
def policies(_ctx: Any) -> Iterable[str]:
    """Names of the ready-made policies."""
    from rollout.cli.commands.init import ready_made_policies

    return ready_made_policies()


@_offered
def contexts(ctx: Any) -> Iterable[str]:
    """Names of the kubeconfig's contexts."""
    from rollout.adapters.kubernetes.kubeconfig import context_names

    path = ctx.params.get("kubeconfig")
    return context_names(Path(path) if path else None)


def _known(ctx: Any) -> list[Rollout]:
    from rollout.cli.location import Place

    given = ctx.params
    place = Place(
        given.get("files") and [Path(path) for path in given["files"]],
        given.get("state") and Path(given["state"]),
        given.get("namespace"),
        bool(given.get("all_namespaces")),
        given.get("context"),
        given.get("kubeconfig") and Path(given["kubeconfig"]),
    )
    if not place.is_local:
        from rollout.adapters.kubernetes.kubeconfig import asks_a_program

        if asks_a_program(place.kubeconfig, place.context):
            return []  # it may open a browser, or ask for a password
    return [row.rollout for row in place.store().all()]


def _versions(rollout: Rollout) -> list[str]:
    status = rollout.status
    names = [rollout.spec.version, status.stable_version, status.previous_version, *status.draining, *status.failed]
    return [name for name in names if name]


def _declared(ctx: Any) -> list[str]:
    """Return the versions that the files at hand give an address to."""
    from rollout.cli.files import files_of
    from rollout.model.documents import read_files

    paths = files_of(ctx.params.get("files") and [Path(path) for path in ctx.params["files"]])
    documents = read_files([path for path in paths if path.exists()])
    return [version for rollout in documents.rollouts for version in rollout.spec.backends.served]
