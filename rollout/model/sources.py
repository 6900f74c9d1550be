"""Where counters come from: a Prometheus, or the agents' own metrics pages."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool, StringConstraints

from rollout.model.base import Document
from rollout.model.kpi import Selector
from rollout.model.units import Duration

ServerUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s?#@]+(/[^\s?#]*)?$", max_length=500)]
ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", max_length=253)]
SecretKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]


class SecretKeyRef(Document):
    """One key of a Secret in the Rollout's namespace."""

    name: ObjectName
    key: SecretKey


class FromSecret(Document):
    secret_key_ref: SecretKeyRef


class Basic(Document):
    username: FromSecret
    password: FromSecret


class PrometheusAuth(Document):
    """How to introduce oneself; exactly one way."""

    bearer: FromSecret | None = None
    basic: Basic | None = None


class Tls(Document):
    """ca: the authority to trust instead of the usual ones. cert, key: what to show in turn."""

    ca: FromSecret | None = None
    cert: FromSecret | None = None
    key: FromSecret | None = None
    insecure_skip_verify: StrictBool = False


class Prometheus(Document):
    """Read counters by PromQL.

    requests: the counter that the traffic's split is measured by; without it, the first router preset among the KPIs,
    else the first KPI's total. staleAfter: samples older than this are no facts any more.
    """

    url: ServerUrl
    auth: PrometheusAuth | None = None
    tls: Tls | None = None
    requests: Selector | None = None
    timeout_s: Duration = Field(default=10.0, alias="timeout")
    stale_after_s: Duration = Field(default=120.0, alias="staleAfter")


class Scrape(Document):
    """Read the agents' own metrics pages and the router's, without a Prometheus."""

    path: Annotated[str, StringConstraints(pattern=r"^/", max_length=200)] = "/metrics"
    timeout_s: Duration = Field(default=2.0, alias="timeout")


class Metrics(Document):
    """Where counters come from; exactly one source."""

    prometheus: Prometheus | None = None
    scrape: Scrape | None = Field(default=None, json_schema_extra={"local": True})
