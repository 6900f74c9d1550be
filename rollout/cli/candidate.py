"""`rollout start VERSION --image`: what a candidate runs on, made from what stable runs on, before it is released."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollout.cli.say import say

if TYPE_CHECKING:
    from rollout.adapters.kubernetes.api import Api
    from rollout.adapters.kubernetes.resources import Object
    from rollout.adapters.storage.base import Row
    from rollout.adapters.workloads.making import Making
    from rollout.model.rollout import Rollout
    from rollout.model.status.status import Status


ROUTES_MAX = 64
"""So many routes are looked through for the names of Services: delegates may go in circles."""


@dataclass(frozen=True, slots=True)
class CandidateImage:
    """What was said of the candidate's image on the command line.

    Attributes:
        environment: each as NAME=VALUE.
    """

    image: str
    container: str | None = None
    environment: Sequence[str] = ()
    is_dry_run: bool = False


def make_candidate(api: Api, row: Row, version: str, given: CandidateImage) -> bool:
    """Make the candidate's Deployment and Service, and take away what is over; return whether it may be released.

    Raises InvalidInput with everything that stands in the way, and ClusterUnavailable; nothing is made then.
    """
    from rollout.adapters.workloads.candidate import Wanted, environment_of
    from rollout.adapters.workloads.making import CandidateMaker
    from rollout.controller.naming import naming_of
    from rollout.errors import ClusterUnavailable, Fault, InvalidInput

    rollout = row.rollout
    stable = rollout.status.stable_version
    if stable is None:
        remedy = "begin with the version that runs: rollout start, without --image"
        raise InvalidInput([Fault("--image", "no version is known to be stable, to make another one from", remedy)])
    if version == stable:
        remedy = "give the new image another version: a version stays what it is"
        raise InvalidInput([Fault("VERSION", "is stable already", remedy, version)])
    environment = _environment(given.environment)
    wanted = Wanted(version, _resolved(given.image), given.container, environment)
    maker = CandidateMaker(api, naming_of(rollout), rollout.metadata.name, row.uid)
    making = maker.planned(stable, wanted)
    if unsaid := [name for name in environment_of(making.deployment, stable) if name not in environment]:
        options = " ".join(f"--env {name}={version}" for name in unsaid)
        say(
            f"{', '.join(unsaid)} is {stable} in the candidate's environment too: {options} if it says the version",
            err=True,
        )
    if given.is_dry_run:
        _show(making)
        return False
    maker.make(making)
    names = f"{making.deployment['metadata']['name']}, {making.service['metadata']['name']}"
    say(f"{'found' if making.is_there else 'made'} the Deployment and the Service of {version}: {names}", err=True)
    try:
        gone = maker.take_away({stable, version, *_kept(rollout.status)}, _routes_of(api, rollout))
    except ClusterUnavailable as error:  # what is over holds up no release
        say(f"what is over was not taken away, and will be by the next --image: {error}", err=True)
        return True
    if gone:
        say(f"took away what is over: {', '.join(gone)}", err=True)
    return True


def _kept(status: Status) -> set[str]:
    """Return the versions that are in use, or that somebody may go back to."""
    in_use = {status.previous_version, *status.draining, *(one for of in status.added.values() for one in of)}
    in_use |= {status.candidate_version} if status.is_active else set()
    return {version for version in in_use if version}


def _routes_of(api: Api, rollout: Rollout) -> list[Object]:
    from rollout.adapters.routers.istio import delegates_of
    from rollout.adapters.routers.route_kinds import route_kind_of
    from rollout.errors import NotFound

    routes: list[Object] = []
    for route in rollout.spec.routes:
        route_kind, named = route_kind_of(route)
        names = [named.name]
        while names:
            with contextlib.suppress(NotFound):
                routes.append(api.get(route_kind.kind, rollout.metadata.namespace, names.pop()))
                names += delegates_of(routes[-1]) if len(routes) < ROUTES_MAX else ()
    return routes


def _resolved(image: str) -> str:
    """Return the image with its digest; as it is, and said so, where its registry does not tell it."""
    from rollout.adapters.http import Services
    from rollout.adapters.registry import image_of, kept_credentials, with_digest
    from rollout.errors import PageUnavailable

    read, service = image_of(image), Services()
    directory = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        return with_digest(read, service, kept_credentials(directory))
    except PageUnavailable as error:
        say(f"the digest of {image} is not known ({error}); its tag is released, which may be moved", err=True)
        return image
    finally:
        service.close()


def _environment(given: Sequence[str]) -> dict[str, str]:
    from rollout.errors import Fault, InvalidInput

    pairs = [text.partition("=") for text in given]
    if wrong := [text for text, (name, sign, _) in zip(given, pairs, strict=True) if not (name and sign)]:
        raise InvalidInput(
            [Fault("--env", "is not NAME=VALUE", "write it as --env VERSION=v2", text) for text in wrong]
        )
    return {name: value for name, _, value in pairs}


def _show(making: Making) -> None:
    import yaml

    documents: list[Any] = [making.service, making.deployment]
    say(yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=False).rstrip())
