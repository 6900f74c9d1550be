"""Rollout: which version is wanted, how a version becomes a backend, through which routes, measured where."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, StrictBool, StringConstraints

from rollout.model.api.conversations import Conversations
from rollout.model.api.metrics import Metrics
from rollout.model.api.policy import PolicySpec
from rollout.model.api.roles import Roles, ServiceName
from rollout.model.api.routes import Route
from rollout.model.api.state_sources import ContractSource, StateStore
from rollout.model.base import Document
from rollout.model.units import Count, Name, Version

API_VERSION = "rollout.dev/v1alpha1"

Url = Annotated[str, StringConstraints(pattern=r"^http://[^/\s?#@]+/?$", max_length=500)]
PageUrl = Annotated[str, StringConstraints(pattern=r"^http://[^/\s?#@]+/[^\s?#]*$", max_length=500)]
NameTemplate = Annotated[str, StringConstraints(pattern=r"^[-a-z0-9.${}]+$", max_length=200)]
"""A name with `$name`, `$version` or `$namespace` in it."""


Group = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", max_length=253)]
Kind = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{0,62}$", max_length=63)]

ServiceTemplate = Annotated[str, StringConstraints(pattern=r"^[-a-z0-9${}]+$", max_length=200)]
"""The same without dots, which Services cannot have in their names."""


class Metadata(Document):
    name: Name
    namespace: Name = "default"


class Endpoint(Document):
    """One address that serves one version; several may serve the same."""

    version: Version = Field(description="The version that this address serves.")
    url: Url = Field(description="The address, such as http://127.0.0.1:9001.")
    metrics: PageUrl | None = Field(
        default=None,
        description="Its metrics page, if metrics.scrape does not lead there: http://127.0.0.1:9464/metrics.",
    )


class BackendReference(Document):
    """What routes refer to that is no Service."""

    group: Group = Field(description="Its API group, such as inference.networking.k8s.io.")
    kind: Kind = Field(description="Its kind, such as InferencePool.")


class Backends(Document):
    """How a version becomes a backend: a Service, by a template or by its name, or addresses on one machine."""

    service: ServiceTemplate | None = Field(
        default=None,
        description="Template of the Service's name. It must have $version in it, unless there are subsets.",
    )
    subset: ServiceTemplate | None = Field(
        default=None,
        description="Template of the name of a version's subset in Istio's DestinationRule, where all versions share "
        "one Service. It must have $version in it, and service must not.",
    )
    versions: dict[Version, ServiceName] | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="The name of each version's Service, where names follow no template: {v1: web, v2: web-v2}.",
    )
    roles: Roles | None = Field(
        default=None,
        description="Services by their role, where versions change behind them: "
        "{stable: web-stable, candidate: web-canary}.",
    )
    deployment: NameTemplate | None = Field(
        default=None,
        description="Template of the name of the Deployment behind it: it has $version in it, or $service. "
        "It is scaled up if it is at 0 replicas.",
    )
    reference: BackendReference | None = Field(
        default=None,
        description="What the names are of, where they are of no Services: {group: inference.networking.k8s.io, kind: "
        "InferencePool}. Which pods are ready is told by the Deployment, which must be declared.",
    )
    port: Count | None = Field(
        default=None, ge=1, le=65_535, description="The Service's port that routes send requests to."
    )
    namespace: Name | None = Field(
        default=None, description="Namespace of the Services and Deployments, if it is not the Rollout's."
    )
    endpoints: tuple[Endpoint, ...] = Field(
        default=(),
        min_length=1,
        max_length=64,
        json_schema_extra={"local": True},
        description="Addresses that serve versions, on one machine.",
    )

    def of(self, version: str) -> tuple[str, ...]:
        """Return the addresses that serve a version, in the order written."""
        return tuple(endpoint.url for endpoint in self.endpoints if endpoint.version == version)

    def pages_of(self, version: str, path: str, port: int | None) -> tuple[str, ...]:
        """Return the metrics pages of a version, each once: those named, else the path at each address."""
        endpoints = [endpoint for endpoint in self.endpoints if endpoint.version == version]
        return tuple(dict.fromkeys(endpoint.metrics or _page(endpoint.url, path, port) for endpoint in endpoints))

    @property
    def served(self) -> tuple[str, ...]:
        """The versions that have an endpoint, in the order written."""
        return tuple(dict.fromkeys(endpoint.version for endpoint in self.endpoints))


def _page(url: str, path: str, port: int | None) -> str:
    """Return a page of an address, on a port of its own if there is one."""
    if port is None:
        return url.rstrip("/") + path
    host = urlsplit(url).hostname or ""
    return f"http://[{host}]:{port}{path}" if ":" in host else f"http://{host}:{port}{path}"


class PolicyRef(Document):
    name: Name = Field(description="The policy's name.")


WIRING = {"backends", "routes", "metrics", "conversations"}
"""What must not change under a rollout: the routes it has touched must be given back."""


class RolloutSpec(Document):
    """What is wanted. Changing `version` starts a rollout."""

    version: Version | None = Field(default=None, description="The wanted version. Changing it starts a release.")
    backends: Backends = Field(description="How a version becomes a backend.")
    routes: tuple[Route, ...] = Field(
        min_length=1,
        max_length=8,
        description="The routes whose traffic is split. They move together, and all of them are verified.",
    )
    metrics: Metrics = Field(description="Where counters of both versions come from.")
    conversations: Conversations = Field(
        default=Conversations.model_construct(), description="What keeps a conversation on its version."
    )
    contract: ContractSource | None = Field(default=None, description="Where the state contract of a version is found.")
    state_store: StateStore | None = Field(
        default=None, description="Where the agents keep their conversations. It is only read."
    )
    policy_ref: PolicyRef | None = Field(
        default=None, description="The RolloutPolicy, in the same namespace, that releases are judged by."
    )
    policy: PolicySpec | None = Field(default=None, description="The policy itself, in place of policyRef.")
    paused: StrictBool = Field(
        default=False, description="Pause the release at its current weight. Harm is still judged."
    )

    @property
    def is_local(self) -> bool:
        """Whether this machine carries it out: its versions are addresses."""
        return bool(self.backends.endpoints)

    def wiring(self) -> str | None:
        """Return what a rollout in a cluster is carried out with, as text; None on one machine, which follows edits."""
        if self.is_local:
            return None
        return self.model_dump_json(by_alias=True, exclude_defaults=True, include=WIRING)
