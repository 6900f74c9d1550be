"""How a conversation is recognized, what keeps it on its version, and how open ones are counted."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StringConstraints

from rollout.model.base import Document
from rollout.model.units import Count

HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
CookieName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
GaugeSelector = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Path = Annotated[str, StringConstraints(pattern=r"^/[^\s?#]*$", max_length=500)]

THREAD_MARK = "~"
"""Between a version and the rest of a thread id. No version has it, so that 1.4 is never taken for 1.4.2."""


class PinBy(Document):
    header: HeaderName = Field(description="The header with the conversation's id.")


class ThreadIdPin(Document):
    header: HeaderName = Field(description="The header with the thread id, which begins with a version: v2~….")


class Pin(Document):
    """What a started conversation carries, so that routers can keep it on its version. Exactly one."""

    header: HeaderName | None = Field(default=None, description="A header whose value is the version.")
    cookie: CookieName | None = Field(default=None, description="A cookie whose value is the version.")
    thread_id: ThreadIdPin | None = Field(default=None, description="A thread id that begins with the version.")


class HttpCensus(Document):
    path: Path = Field(
        default="/.well-known/agent-conversations",
        description="Where each instance of a version says how many conversations of it are open.",
    )


class ConversationCensus(Document):
    """How the open conversations of a version are counted. Exactly one."""

    gauge: GaugeSelector | None = Field(
        default=None, description="Selector of a gauge with the open conversations, $version is the version."
    )
    http: HttpCensus | None = Field(default=None, description="A page of each instance.")
    store: Literal[True] | None = Field(
        default=None,
        description="The threads in spec.stateStore that are not finished, by the version that wrote them.",
    )


class Conversations(Document):
    """What keeps a conversation on its version, how open ones are counted, and how many requests one usually has."""

    pin_by: PinBy = Field(
        default=PinBy.model_construct(header="x-thread-id"),
        description="How requests of one conversation are recognized.",
    )
    pin: Pin | None = Field(
        default=None, description="What a started conversation carries, so that it stays on the version it began with."
    )
    started: Literal["stable", "split"] = Field(
        default="stable",
        description="Where requests of a conversation without a pin go while a release is under way: those with the "
        "header of pinBy and no pin. split is for clients that choose the id of a new conversation themselves.",
    )
    census: ConversationCensus | None = Field(
        default=None, description="How the open conversations of a version are counted."
    )
    repeatable: StrictBool = Field(
        default=False,
        description="Whether a request may reach an agent twice without harm. If not, routes that mirror or retry "
        "are refused.",
    )
    turns: Count = Field(default=10, ge=1, le=1000, description="How many requests a conversation usually has.")
