"""The built-in router: a real Envoy that we start, steer through watched files and read back through its admin page."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from rollout.adapters.routers.envoy_config import (
    CLUSTERS,
    PREVIEW,
    ROUTES,
    WAY_BACK,
    cluster_name,
    clusters,
    started_name,
)
from rollout.adapters.routers.envoy_files import WatchedFiles
from rollout.adapters.routers.envoy_routes import (
    preview_routes,
    read_active,
    read_preview,
    read_routes,
    routes,
    split_of,
)
from rollout.engine.effects import LeaveRoute, SetPins, SetWeight
from rollout.engine.route_facts import OwnRoute
from rollout.errors import RouterUnavailable
from rollout.model.api.conversations import Conversations
from rollout.model.units import object_form

CLUSTER_TIMEOUT_S = 5.0
_POLL_S = 0.02
_STATS = "/stats?format=prometheus&filter=" + r"^cluster\..*\.upstream_rq_(completed|xx|[1-5]xx|time)$"


class EnvoyProcess(Protocol):
    """An Envoy: the files it watches, its admin page, and seeing that it runs."""

    files: WatchedFiles

    @property
    def has_preview_listener(self) -> bool: ...

    @property
    def is_outdated(self) -> bool:
        """Whether it runs otherwise than it should by now."""
        ...

    def admin(self) -> str | None: ...
    def get(self, page: str) -> str: ...
    def ensure(self) -> None: ...


class EnvoyRouter:
    """Splits conversations between two versions.

    Args:
        endpoints: the addresses of every version.
    """

    def __init__(
        self,
        rollout: str,
        conversations: Conversations,
        endpoints: Mapping[str, tuple[str, ...]],
        process: EnvoyProcess,
    ) -> None:
        self._rollout = rollout
        self._conversations = conversations
        self._endpoints = endpoints
        self._by_form = {object_form(version): version for version in endpoints}
        self._process = process

    @property
    def name(self) -> str:
        return self._rollout

    def leave(self, effect: LeaveRoute) -> None:
        """Do nothing: this Envoy is the rollout's own."""

    def pin(self, effect: SetPins) -> None:
        """Do nothing: pins are written with the weight."""

    def observe(self) -> OwnRoute:
        """Return what is effective in Envoy now, by its own word."""
        try:
            dump = json.loads(self._process.get("/config_dump?resource=dynamic_route_configs"))
            stats = self._process.get(r"/stats?filter=^cluster\..*\.upstream_rq_active$")
        except RouterUnavailable as error:
            return OwnRoute(name=self._rollout, reachable=False, problem=str(error))
        except ValueError:
            problem = "Envoy's admin page does not answer with JSON"
            return OwnRoute(name=self._rollout, reachable=False, problem=problem)
        facts = self._named(read_routes(self._rollout, dump, read_active(self._rollout, stats)))
        if self._has_other_addresses():
            return replace(facts, programmed=False, waiting="the addresses have changed since Envoy was told them")
        if self._process.has_preview_listener:
            led_to = self._version(read_preview(self._rollout, dump))
            if led_to != (facts.candidate if facts.preview_header is not None else None):
                return replace(facts, preview_header=f"none: the preview listener leads to {led_to}")
        return facts

    def _version(self, form: str | None) -> str | None:
        """Return the version that has this form in names."""
        return None if form is None else self._by_form.get(form, form)

    def _named(self, facts: OwnRoute) -> OwnRoute:
        active = {self._by_form.get(form, form): count for form, count in facts.active.items()}
        stable, candidate = self._version(facts.stable), self._version(facts.candidate)
        return replace(facts, stable=stable, candidate=candidate, active=active)

    def _has_other_addresses(self) -> bool:
        """Whether what was declared last has not reached Envoy: an endpoint's address, or where it listens."""
        try:
            written = json.loads(self._process.files.read(CLUSTERS) or "null")
        except ValueError:
            written = None
        return self._process.is_outdated or written != self._clusters()

    def _clusters(self) -> dict[str, Any]:
        return clusters(self._rollout, self._endpoints, pinned=self._conversations.pin is not None)

    def apply(self, weight: SetWeight) -> None:
        """Write the weight, starting Envoy if it does not run. Clusters come before the route that names them."""
        changed = self._process.files.write(CLUSTERS, self._clusters())
        if self._process.admin() is not None and changed:
            self._await_clusters(weight)
        if weight.candidate is not None and weight.weight_bp > 0:
            self._process.files.write(WAY_BACK, self._way_back(weight))
        goes_back = weight.weight_bp == 0 and weight.preview_header is None
        if goes_back:
            self._send_back(weight)
        if self._process.has_preview_listener:
            self._write(PREVIEW, preview_routes(self._rollout, weight))
        if not goes_back:
            self._write(ROUTES, routes(self._rollout, self._conversations, weight))
        self._process.ensure()

    def _way_back(self, weight: SetWeight) -> dict[str, Any]:
        back = SetWeight(weight.stable, weight.candidate, 0, pins=weight.pins)
        return routes(self._rollout, self._conversations, back)

    def _send_back(self, weight: SetWeight) -> None:
        """Write that the candidate gets nothing, before all else. On a full disk, with what was written beforehand."""
        content = routes(self._rollout, self._conversations, weight)
        try:
            self._write(ROUTES, content)
        except RouterUnavailable:
            if split_of(json.loads(self._process.files.read(WAY_BACK) or "null")) != split_of(content):
                raise
            self._process.files.rename(WAY_BACK, ROUTES)

    def prepare(self, weight: SetWeight) -> None:
        """Write the files that an Envoy must find when it starts, unless they are there. Raises RouterUnavailable."""
        files = self._process.files
        if not files.read(CLUSTERS):
            files.write(CLUSTERS, self._clusters())
        if not files.read(ROUTES):
            files.write(ROUTES, routes(self._rollout, self._conversations, weight))

    def _write(self, name: str, content: dict[str, Any]) -> None:
        if not self._process.files.write(name, content) and self._process.admin() is not None:
            # The file is right but Envoy has something else: make it read the file again.
            self._process.files.write(name, {**content, "version_info": str(time.monotonic_ns())})

    def _await_clusters(self, weight: SetWeight) -> None:
        versions = [version for version in (weight.stable, weight.candidate) if version]
        names = [cluster_name(self._rollout, version) for version in versions]
        names += [started_name(self._rollout, version) for version in weight.pins.versions]
        deadline = time.monotonic() + CLUSTER_TIMEOUT_S
        while time.monotonic() < deadline:
            known = self._process.get("/clusters")
            if all(f"{name}::" in known for name in names):
                return
            time.sleep(_POLL_S)
        raise RouterUnavailable(f"Envoy did not take up the clusters {', '.join(names)} in {CLUSTER_TIMEOUT_S:g} s")

    def stats_page(self) -> str | None:
        """Return the URL of Envoy's per-version counters and histograms; None while it does not run."""
        admin = self._process.admin()
        return admin + _STATS if admin else None
