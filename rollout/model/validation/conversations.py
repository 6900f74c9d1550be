"""Rules for conversations: one pin, one census, and a census whose source is there."""

from collections.abc import Iterator

from rollout.errors import Fault
from rollout.model.units import TEMPLATE_NAMES, template_names
from rollout.model.validation.rules import Raw, exactly_one, mapping, template


def conversations(raw: Raw) -> Iterator[Fault]:
    """A conversation is pinned in one way, by what is not its id, and counted in one way."""
    declared = mapping(raw.get("conversations"))
    pin, census = declared.get("pin"), declared.get("census")
    if isinstance(pin, dict):
        yield from exactly_one(pin, "conversations.pin", "pin")
        yield from _not_the_id(pin, mapping(declared.get("pinBy")).get("header", "x-thread-id"))
    elif "started" in declared:
        remedy = "add conversations.pin, or remove it"
        yield Fault("conversations.started", "is about pins, and there are none", remedy, declared["started"])
    if not isinstance(census, dict):
        return
    yield from exactly_one(census, "conversations.census", "census")
    gauge = census.get("gauge")
    yield from template(gauge, "conversations.census.gauge", (*TEMPLATE_NAMES, "service"))
    if isinstance(gauge, str) and "version" not in template_names(gauge):
        remedy = 'put $version into it, such as agent_conversations_open{version="$version"}'
        yield Fault("conversations.census.gauge", "has no $version, so all versions have one count", remedy, gauge)
    if "store" in census and "stateStore" not in raw:
        remedy = "add spec.stateStore, or use gauge or http"
        yield Fault("conversations.census.store", "needs the store, and spec.stateStore is not declared", remedy)


def _not_the_id(pin: Raw, header: object) -> Iterator[Fault]:
    name = pin.get("header")
    if isinstance(name, str) and isinstance(header, str) and name.lower() == header.lower():
        remedy = "use another header for the version, such as x-agent-version"
        yield Fault("conversations.pin.header", "is the header of the conversation's id (pinBy)", remedy, name)
