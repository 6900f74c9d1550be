"""What all documents share: camelCase outside, units in the names inside, unknown fields refused, never changed."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

FORMER_NAMES = {"sampleEvery": "lookEvery"}
"""How fields of a policy's `evidence` were called before: they are read all the same."""


class Document(BaseModel):
    """Something people write. Unknown fields are faults: a typo must never be ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        str_max_length=4096,
        defer_build=True,
    )


class Record(BaseModel):
    """Something the controller writes. Unknown fields are kept out quietly: an older release may read it."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, defer_build=True
    )


def build() -> None:
    """Build the validators of all models. Otherwise each is built when first used, which threads must not do at once.

    A command that reads one status needs few of them, and they are half of its start.
    """
    models: list[type[BaseModel]] = [Document, Record]
    while models:
        model = models.pop()
        model.model_rebuild()
        models.extend(model.__subclasses__())
