"""Where counters come from: a Prometheus, or the agents' own metrics pages."""

from typing import Annotated

from pydantic import Field, StrictBool, StringConstraints

from rollout.model.api.kpi import Selector
from rollout.model.base import Document
from rollout.model.units import Count, Duration

ServerUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s?#@]+(/[^\s?#]*)?$", max_length=500)]
ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", max_length=253)]
SecretKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]


class SecretKeyRef(Document):
    """One key of a Secret in the Rollout's namespace."""

    name: ObjectName = Field(description="The Secret's name, in the Rollout's namespace.")
    key: SecretKey = Field(description="The key in the Secret.")


class FromSecret(Document):
    secret_key_ref: SecretKeyRef = Field(description="The Secret and the key in it.")


class Basic(Document):
    username: FromSecret = Field(description="The user name.")
    password: FromSecret = Field(description="The password.")


class PrometheusAuth(Document):
    """How to introduce oneself; exactly one way."""

    bearer: FromSecret | None = Field(default=None, description="A bearer token.")
    basic: Basic | None = Field(default=None, description="A user name and a password.")


class Tls(Document):
    """How TLS is spoken with a server."""

    ca: FromSecret | None = Field(default=None, description="The authority to trust, in place of the usual ones.")
    cert: FromSecret | None = Field(default=None, description="The certificate to show.")
    key: FromSecret | None = Field(default=None, description="The key of the certificate to show.")
    insecure_skip_verify: StrictBool = Field(default=False, description="Do not verify the server's certificate.")


class Prometheus(Document):
    """Read counters by PromQL."""

    url: ServerUrl = Field(description="The Prometheus, such as http://prometheus.monitoring:9090.")
    auth: PrometheusAuth | None = Field(default=None, description="How to authenticate.")
    tls: Tls | None = Field(default=None, description="Which certificates to trust and to show.")
    requests: Selector | None = Field(
        default=None, description="The counter that the split is measured by, if no router preset is among the KPIs."
    )
    timeout_s: Duration = Field(default=10.0, alias="timeout", description="How long one query may take, 30s at most.")
    stale_after_s: Duration = Field(
        default=120.0, alias="staleAfter", description="Samples that are older are not used."
    )


class Scrape(Document):
    """Read the agents' own metrics pages and the router's, without a Prometheus."""

    path: Annotated[str, StringConstraints(pattern=r"^/", max_length=200)] = Field(
        default="/metrics", description="The path of the metrics page."
    )
    port: Count | None = Field(
        default=None, ge=1, le=65_535, description="The port of the metrics pages, if it is not the agents' own."
    )
    timeout_s: Duration = Field(default=2.0, alias="timeout", description="How long reading one page may take.")


class Metrics(Document):
    """Where counters come from; exactly one source."""

    prometheus: Prometheus | None = Field(default=None, description="Read counters by PromQL.")
    scrape: Scrape | None = Field(
        default=None,
        json_schema_extra={"local": True},
        description="Read the agents' own metrics pages, on one machine.",
    )
