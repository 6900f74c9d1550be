"""What the status holds of roles: which version is behind each of the two Services."""

from typing import Literal, TypedDict, Unpack

from pydantic import Field

from rollout.model.base import Record


class RoleVersions(Record):
    """Which version is behind each role's Service. During a release it stays as the release began."""

    stable: str | None = Field(default=None, description="The version behind the stable Service, if it runs one.")
    candidate: str | None = Field(default=None, description="The version behind the candidate's, if it runs one.")
    serving: Literal["stable", "candidate"] = Field(
        default="stable", description="The role whose Service gets the traffic of the stable version."
    )

    def changed(self, **changes: "Unpack[RoleVersionsChanges]") -> "RoleVersions":
        """Return it with other fields."""
        return self.model_copy(update=changes)

    def named(self, stable: str, candidate: str) -> dict[str, str]:
        """Return, by Service, the version that it runs, the stable one first.

        Args:
            stable, candidate: the names of the two Services.
        """
        behind = ((stable, self.stable), (candidate, self.candidate))
        return {service: version for service, version in behind if version is not None}


class RoleVersionsChanges(TypedDict, total=False):
    """Fields of `RoleVersions` with new values. A test keeps the two equal."""

    stable: str | None
    candidate: str | None
    serving: Literal["stable", "candidate"]
