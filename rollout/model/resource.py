"""Rollout: which version is wanted, how a version becomes a backend, through which routes, measured where."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool, StringConstraints

from rollout.model.base import Document
from rollout.model.policy import PolicySpec
from rollout.model.units import Duration, Name, Version

API_VERSION = "rollout.dev/v1alpha1"

Url = Annotated[str, StringConstraints(pattern=r"^http://[^/\s?#]+/?$", max_length=500)]
Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.\-]+:\d{1,5}$")]
Directory = Annotated[str, StringConstraints(pattern=r"^/", max_length=500)]


class Metadata(Document):
    name: Name
    namespace: Name = "default"


class Endpoint(Document):
    """One address that serves one version; several may serve the same."""

    version: Version
    url: Url


class Backends(Document):
    """How a version becomes a backend."""

    endpoints: tuple[Endpoint, ...] = Field(min_length=1, max_length=64)

    def of(self, version: str) -> tuple[str, ...]:
        """Return the addresses that serve a version, in the order written."""
        return tuple(endpoint.url for endpoint in self.endpoints if endpoint.version == version)

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that have an endpoint, in the order written."""
        return tuple(dict.fromkeys(endpoint.version for endpoint in self.endpoints))


class EnvoyRoute(Document):
    """An Envoy before the agents: one that this tool starts (`listen`), or your own (`admin` and `directory`).

    listen: where conversations enter. preview: where a previewed candidate is reachable, if anywhere. admin: your own
    Envoy's admin page. directory: where it watches for clusters.json and routes.json, which this tool writes.
    """

    listen: Address | None = None
    preview: Address | None = None
    admin: Address | None = None
    directory: Directory | None = None


class Route(Document):
    """One place where traffic is split; exactly one kind."""

    envoy: EnvoyRoute


class Scrape(Document):
    """Read the agents' own metrics pages and the router's, without a Prometheus."""

    path: Annotated[str, StringConstraints(pattern=r"^/", max_length=200)] = "/metrics"
    timeout_s: Duration = Field(default=2.0, alias="timeout")


class Metrics(Document):
    """Where counters come from; exactly one source."""

    scrape: Scrape


class PinBy(Document):
    header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class Conversations(Document):
    """What keeps a conversation on its version, and how many requests one usually has."""

    pin_by: PinBy = PinBy(header="x-thread-id")
    turns: int = Field(default=10, ge=1, le=1000)


class PolicyRef(Document):
    name: Name


class RolloutSpec(Document):
    """What is wanted. Changing `version` starts a rollout."""

    version: Version | None = None
    backends: Backends
    routes: tuple[Route, ...] = Field(min_length=1, max_length=1)
    metrics: Metrics
    conversations: Conversations = Conversations()
    policy_ref: PolicyRef | None = None
    policy: PolicySpec | None = None
    paused: StrictBool = False

    @property
    def envoy(self) -> EnvoyRoute:
        return self.routes[0].envoy
