"""Status: everything the controller knows about a rollout. A restart needs nothing else."""

from datetime import datetime
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from rollout.model.base import Record
from rollout.model.status.conversations import Draining, Pins
from rollout.model.status.decision import CommandOutcome, Decision
from rollout.model.status.notices import Notice
from rollout.model.status.release import NO_RELEASE, Pinned, Release
from rollout.model.status.roles import RoleVersions
from rollout.model.status.traffic import Base, RouteBlock, RuleIdentity
from rollout.model.status.vocabulary import HeldBy, Phase, Reason

DECISIONS_KEPT = 10
COMMANDS_KEPT = 20
ANSWERS_KEPT = 5

_ALIASES = frozenset(field.alias or name for name, field in Release.model_fields.items())
_FORMER = {
    "lookedAt": "sampledAt",
    "nextLookAt": "nextSampleAt",
    "looksInWindow": "samplesInWindow",
    "unreadyLooks": "unreadySamples",
    "stableDownLooks": "stableDownSamples",
}
"""How fields of a release were called before: a status that was written then is read all the same."""


class Status(Record):
    """The whole state of one rollout: where it is, which version is stable, and the release.

    Written down, the fields of the release stand beside those of the status: ``.status.candidateVersion``.

    Attributes:
        bases: by route, where weights were found in somebody else's.
        rules: by route, which rule was chosen.
        added: by route, the versions whose backend this controller has added.
        failed: versions that were rolled back, or turned down while they were known to be worse, with how often they
            had been retried by then.
        notices: what people are still to be told; notified: the ids of what was ever to be told, the newest last.
        contracts: of the versions in use, by version, as they were when the preflight passed; a text that is too large
            is kept by its digest.
    """

    phase: Phase = Field(default=Phase.STABLE, description="Where the rollout is.")
    reason: Reason = Field(default=Reason.SETTLED, description="Why it is there, as one word for programs.")
    message: str = Field(default="", description="Why it is there, for people.")
    next: str = Field(default="", description="What comes next.")
    phase_since: datetime | None = Field(default=None, description="When the phase began.")
    stable_version: str | None = Field(default=None, description="The version in use.")
    previous_version: str | None = Field(default=None, description="The version that was stable before.")
    standby_until: datetime | None = Field(default=None, description="Until when the old version stays ready.")
    declined_version: str | None = Field(
        default=None, description="The declared version that a human aborted or undid."
    )
    failed: dict[str, int] = Field(
        default_factory=dict, description="Versions that failed, with how often each was tried again."
    )
    release: Release | None = None
    resume_to: Phase | None = None
    held_by: HeldBy | None = Field(default=None, description="Who or what a pause waits for.")
    blocked: RouteBlock | None = Field(default=None, description="Why traffic cannot be moved where it must go.")
    pins: Pins | None = Field(default=None, description="Which started conversations stay where.")
    draining: dict[str, Draining] = Field(
        default_factory=dict, description="The versions that keep their conversations until these end, by version."
    )
    role_versions: RoleVersions | None = Field(
        default=None, description="With spec.backends.roles: which version is behind each role's Service."
    )
    bases: dict[str, Base] = Field(default_factory=dict)
    rules: dict[str, RuleIdentity] = Field(default_factory=dict)
    added: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    contracts: dict[str, Pinned] = Field(default_factory=dict)
    last_command: CommandOutcome | None = Field(default=None, description="What became of the last command.")
    answers: tuple[CommandOutcome, ...] = ()
    notices: tuple[Notice, ...] = ()
    notified: tuple[str, ...] = ()
    handled: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        """Read the fields of the release from beside those of the status."""
        if not isinstance(raw, dict) or "release" in raw:
            return raw
        named = {_FORMER.get(name, name): value for name, value in raw.items()}
        release = {name: value for name, value in named.items() if name in _ALIASES}
        rest = {name: value for name, value in named.items() if name not in _ALIASES}
        return {**rest, "release": release if release.get("candidateVersion") else None}

    @model_serializer(mode="wrap")
    def _spread(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write the fields of the release beside those of the status."""
        written: dict[str, Any] = handler(self)
        release = written.pop("release", None)
        return {**written, **(release or {})}

    @model_validator(mode="after")
    def _has_its_release(self) -> "Status":
        if self.is_active and self.release is None:
            raise ValueError("a release is under way, and nothing says of which version")
        return self

    @property
    def is_active(self) -> bool:
        """Whether a release is under way."""
        return self.phase not in (Phase.STABLE, Phase.ROLLED_BACK)

    @property
    def goes_back(self) -> bool:
        """Whether all traffic is on its way back to stable."""
        return self.phase in (Phase.ROLLING_BACK, Phase.SUPERSEDING)

    @property
    def latest(self) -> Release:
        """The release under way, or the last one; one without anything where there was none."""
        return self.release or NO_RELEASE

    @property
    def candidate_version(self) -> str | None:
        """The version that is released, or was last."""
        return self.release.candidate_version if self.release else None
