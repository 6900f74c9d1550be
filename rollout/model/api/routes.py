"""Where traffic is split: a rule of a Gateway API or Istio route, or an Envoy on one machine."""

from typing import Annotated

from pydantic import Field, StrictBool, StringConstraints

from rollout.model.base import Document

Address = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$")]
Directory = Annotated[str, StringConstraints(pattern=r"^/", max_length=500)]
RouteName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", max_length=253)]
RuleName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?$", max_length=253)
]


class EnvoyRoute(Document):
    """An Envoy before the agents: one that this tool starts (`listen`), or your own (`admin` and `directory`)."""

    listen: Address | None = Field(
        default=None, description="Where conversations enter. This Envoy is started by the tool."
    )
    preview: Address | None = Field(default=None, description="Where a candidate that is previewed can be reached.")
    admin: Address | None = Field(default=None, description="The admin page of an Envoy of your own.")
    directory: Directory | None = Field(
        default=None, description="The directory that your own Envoy watches for clusters.json and routes.json."
    )


class ClusterRoute(Document):
    """One rule of a route in the Rollout's namespace; only the two versions' weights in it are ever written."""

    name: RouteName = Field(description="The route's name, in the Rollout's namespace.")
    rule: RuleName | None = Field(
        default=None, description="The rule's name. Without it, the only rule that names both versions is chosen, once."
    )
    manage_backends: StrictBool = Field(
        default=False,
        description="Add the candidate's backend to the rule if it is missing, and take out what was added in the end.",
    )


class Route(Document):
    """One place where traffic is split; exactly one kind."""

    http_route: ClusterRoute | None = Field(default=None, description="An HTTPRoute of the Gateway API.")
    grpc_route: ClusterRoute | None = Field(default=None, description="A GRPCRoute of the Gateway API.")
    virtual_service: ClusterRoute | None = Field(
        default=None, description="A VirtualService of Istio, with one host for each version."
    )
    envoy: EnvoyRoute | None = Field(
        default=None, json_schema_extra={"local": True}, description="An Envoy on one machine."
    )
