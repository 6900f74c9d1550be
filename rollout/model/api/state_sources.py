"""Where a version's state contract is found, and where the agents keep their conversations."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints
from pydantic.config import JsonDict

from rollout.model.api.metrics import SecretKey, SecretKeyRef
from rollout.model.base import Document
from rollout.model.units import Duration

ANY_OBJECT: JsonDict = {"x-kubernetes-preserve-unknown-fields": True, "type": "object"}
"""An object of any shape. It needs a type: a rule in CEL cannot see a field that has none."""

UrlPath = Annotated[str, StringConstraints(pattern=r"^/[^\s?#]*$", max_length=200)]
FileTemplate = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", max_length=500)]
MapTemplate = Annotated[str, StringConstraints(pattern=r"^[-a-z0-9.${}]+$", max_length=200)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,100}$")]


class HttpContract(Document):
    """A path of the agent itself: it tells its contract."""

    path: UrlPath = Field(
        default="/.well-known/agent-state-contract", description="The path of the agent that answers with the contract."
    )
    timeout_s: Duration = Field(default=5.0, alias="timeout", description="How long it may take to answer.")


class ConfigMapContract(Document):
    """A ConfigMap in the Rollout's namespace; name is a template, so that each version has its own."""

    name: MapTemplate = Field(description="Template of the ConfigMap's name. It must have $version in it.")
    key: SecretKey = Field(default="state-contract.json", description="The key in the ConfigMap.")


class ContractSource(Document):
    """Where a version's contract is; exactly one way."""

    http: HttpContract | None = Field(default=None, description="The agent serves its contract.")
    config_map: ConfigMapContract | None = Field(default=None, description="The contract is in a ConfigMap.")
    file: FileTemplate | None = Field(
        default=None, json_schema_extra={"local": True}, description="The contract is in a file; a template."
    )
    inline: dict[str, Any] | None = Field(
        default=None, json_schema_extra=dict(ANY_OBJECT), description="Contracts or JSON Schemas, by version."
    )


class SqliteFile(Document):
    """A store in a file of SQLite."""

    path: FileTemplate = Field(description="The file; beside rollout.yaml, if it is relative.")


class PostgresStore(Document):
    """How to reach it: a URL in a Secret, or in a variable of the environment. A role that may only read is enough."""

    secret_key_ref: SecretKeyRef | None = Field(default=None, description="The Secret with the database's URL.")
    env: Variable | None = Field(
        default=None,
        json_schema_extra={"local": True},
        description="The variable of the environment with the database's URL.",
    )


class StateStore(Document):
    """Where the agents keep their conversations; exactly one. It is only ever read."""

    sqlite: SqliteFile | None = Field(default=None, json_schema_extra={"local": True}, description="A SQLite file.")
    postgres: PostgresStore | None = Field(default=None, description="A PostgreSQL database.")
