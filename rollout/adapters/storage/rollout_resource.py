"""A Rollout resource as it was read: its status, spec, conditions, and what it asks for."""

from __future__ import annotations

import copy

from pydantic import ValidationError

from rollout.adapters.kubernetes.resources import Object, name_of, namespace_of
from rollout.adapters.storage.command_annotations import ABORT
from rollout.errors import Fault, InvalidInput
from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.documents import rollout_spec
from rollout.model.status.cluster_status import PENDING, ClusterStatus, unpacked
from rollout.model.status.conditions import Condition
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase


def status_of(obj: Object) -> Status:
    """Return an object's status. Raises InvalidInput where somebody has made it unreadable."""
    try:
        return Status.model_validate(unpacked(obj.get("status") or {}))
    except (ValueError, RecursionError) as error:  # pydantic's are ValueErrors too
        loc = error.errors()[0]["loc"] if isinstance(error, ValidationError) else ("internal",)
        where = ".".join(map(str, loc))
        remedy = "restore it; the controller reads the rest of the status, and sends all traffic back to stable"
        raise InvalidInput([Fault(f"status.{where}", "cannot be read", remedy)]) from error


def visible_status(obj: Object) -> Status | None:
    """Return what people see of a status, where what only the controller goes by cannot be read; None if nothing can.

    A release whose version was taken out as well is taken for one of the declared version.
    """
    shown = {key: value for key, value in (obj.get("status") or {}).items() if key != "internal"}
    if shown.get("phase") == PENDING:
        shown["phase"] = Phase.STABLE
    if _is_under_way(shown.get("phase")) and not shown.get("candidateVersion"):
        shown["candidateVersion"] = wanted_of(obj) or shown.get("stableVersion")
    try:
        return Status.model_validate(shown)
    except ValidationError:
        return None


def spec_of(obj: Object) -> RolloutSpec:
    """Return an object's spec; fields that this release does not know are passed over. Raises InvalidInput."""
    spec, faults = rollout_spec(copy.deepcopy(obj.get("spec")), lenient=True)
    if spec is not None and spec.is_local:
        remedy = "use backends.service, or carry it out on a machine with `rollout start -f`"
        faults.append(Fault("spec.backends.endpoints", "are for rollouts on one machine", remedy))
    if faults or spec is None:
        raise InvalidInput(faults)
    return spec


def metadata_of(obj: Object) -> Metadata:
    return Metadata.model_construct(name=name_of(obj), namespace=namespace_of(obj))


def needs_finalizer(status: Status) -> bool:
    """Whether traffic may be elsewhere than it was found, or a route has a backend or pins that were added to it."""
    if status.pins is not None or status.draining:
        return True
    return status.is_active and (status.latest.traffic.asked_at is not None or any(status.added.values()))


def wanted_of(obj: Object) -> str | None:
    """Return the version that is declared, whatever else is wrong with the spec."""
    spec = obj.get("spec")
    version = spec.get("version") if isinstance(spec, dict) else None
    return version if isinstance(version, str) else None


def is_urgent(obj: Object) -> bool:
    """Whether all traffic is to go back to stable: by an abort, a deletion, or a rollback that is under way."""
    status = obj.get("status")
    phase = status.get("phase") if isinstance(status, dict) else None
    if phase in (Phase.ROLLING_BACK, Phase.SUPERSEDING):
        return True
    return ABORT in (obj["metadata"].get("annotations") or {}) or (_is_under_way(phase) and is_deleted(obj))


def _is_under_way(phase: object) -> bool:
    return phase not in (None, PENDING, Phase.STABLE, Phase.ROLLED_BACK)


def claim_of(obj: Object) -> str:
    """Return the lease of the controller that carries a Rollout out, if one does."""
    status = obj.get("status")
    claim = status.get("controller") if isinstance(status, dict) else None
    return claim if isinstance(claim, str) else ""


def generation_of(obj: Object) -> int:
    """Return which edition of its spec an object has."""
    return int(obj["metadata"].get("generation", 0))


def conditions_in(obj: Object) -> tuple[Condition, ...]:
    """Return an object's conditions as they stand; none where somebody has made them unreadable."""
    try:
        return ClusterStatus.model_validate({"conditions": (obj.get("status") or {}).get("conditions", ())}).conditions
    except ValidationError:
        return ()


def is_deleted(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))
