"""What all documents share: camelCase outside, units in the names inside, unknown fields refused, never changed."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

FORMER_NAMES = {"sampleEvery": "lookEvery"}
"""How fields of a policy's `evidence` were called before: they are read all the same."""


_GIVEN: set[str] = set()
"""Which fields were given: pydantic keeps a set of their names with each model, as large as the model. Nobody asks."""

_set = object.__setattr__  # models are frozen


class _Model(BaseModel):
    """A model that knows its fields, and not which of them were given."""

    def model_post_init(self, context: Any, /) -> None:
        del context
        _set(self, "__pydantic_fields_set__", _GIVEN)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other fields: what pydantic's does for models without extra or private fields."""
        if deep:
            return super().model_copy(update=update, deep=True)
        copied = type(self).__new__(type(self))
        _set(copied, "__dict__", {**self.__dict__, **(update or {})})
        _set(copied, "__pydantic_fields_set__", _GIVEN)
        _set(copied, "__pydantic_extra__", None)
        _set(copied, "__pydantic_private__", None)
        return copied


class Document(_Model):
    """Something people write. Unknown fields are faults: a typo must never be ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        str_max_length=4096,
        defer_build=True,
    )


class Record(_Model):
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
