"""What can be told of a route before there is a cluster: where it stands in the files beside the Rollout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rollout.errors import Fault

if TYPE_CHECKING:
    from rollout.model.documents import Documents, RolloutDocument


def adoption_faults(documents: Documents) -> list[Fault]:
    """Return why a Rollout could not adopt a route that is declared in the same files."""
    return [
        fault.within(f"{rollout.where}: ")
        for rollout in documents.rollouts
        if not rollout.spec.is_local and not documents.faults
        for fault in _of(rollout, documents.others)
    ]


def _of(rollout: RolloutDocument, others: list[dict[str, Any]]) -> Iterator[Fault]:
    from rollout.adapters.routers.missing_backends import missing
    from rollout.adapters.routers.route_kinds import route_kind_of
    from rollout.adapters.routers.rule import RuleRefused
    from rollout.adapters.routers.rule_choice import find_rule
    from rollout.adapters.routers.splits import splits_of
    from rollout.model.api.naming import Naming

    metadata, spec = rollout.metadata, rollout.spec
    naming = Naming(metadata.name, metadata.namespace, spec.backends)
    versions = (spec.version,) if spec.version else ()
    for index, route in enumerate(spec.routes):
        route_kind, named = route_kind_of(route)
        path = f"spec.routes[{index}].{route_kind.key}"
        written = {raw["metadata"]["name"]: raw for raw in others if _is(raw, route_kind.kind.kind, metadata.namespace)}
        for split in splits_of(route_kind, named, written.get, naming, versions, {}) if named.name in written else ():
            try:
                raw = written[split.route.name]
                rule = find_rule(raw, split.dialect, naming, split.route.rule, versions, split.chosen)
            except RuleRefused as refused:
                yield Fault(path, str(refused), "correct the route, or the Rollout", named.name)
                continue
            absent = missing(rule, split.dialect, naming, versions)
            if absent is not None and not named.manage_backends:
                yield Fault(path, absent.message, "correct the route, or the Rollout", named.name)


def _is(raw: dict[str, Any], kind: str, namespace: str) -> bool:
    """Whether a document is an object of a kind in a namespace, with a name."""
    metadata = raw.get("metadata")
    if raw.get("kind") != kind or not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return False
    return bool(metadata.get("namespace", "default") == namespace)
