"""Rules for notifications: each target is one thing, has a name of its own, and templates that can be filled in."""

from collections.abc import Iterator

from rollout.errors import Fault
from rollout.model.validation.rules import Raw, exactly_one, items, mapping, template

_SECRETS = (("apprise", "url"), ("webhook", "key"), ("github", "token"))


def notifications(raw: Raw) -> Iterator[Fault]:
    declared = mapping(raw.get("notifications"))
    yield from template(declared.get("link"), "notifications.link")
    seen: set[str] = set()
    for index, target in enumerate(items(declared.get("targets"))):
        path, target_raw = f"notifications.targets[{index}]", mapping(target)
        yield from exactly_one(target_raw, path, "notification")
        name = target_raw.get("name")
        if isinstance(name, str) and name in seen:
            yield Fault(f"{path}.name", "is used by another target", "give each target its own name", name)
        if isinstance(name, str):
            seen.add(name)
        for kind, secret in _SECRETS:
            if isinstance(mapping(target_raw.get(kind)).get(secret), dict):
                yield from exactly_one(target_raw[kind][secret], f"{path}.{kind}.{secret}", "secret")
        yield from template(mapping(target_raw.get("github")).get("ref"), f"{path}.github.ref")
