"""What may be declared and this release cannot do yet. It is refused with a clear message, never ignored."""

from typing import Any

from rollout.errors import Fault
from rollout.model.validation.rules import mapping

_ROLLOUT: dict[str, str] = {}
_BACKENDS: dict[str, str] = {}
_GATES: dict[str, str] = {}


def strip_rollout(spec: dict[str, Any]) -> list[Fault]:
    """Take what is not built out of a raw Rollout spec; return a fault for each."""
    faults = _strip(spec, _ROLLOUT, "")
    faults += _strip(mapping(spec.get("backends")), _BACKENDS, "backends.")
    if isinstance(spec.get("policy"), dict):
        faults += [fault.within("policy.") for fault in strip_policy(spec["policy"])]
    return faults


def strip_policy(spec: dict[str, Any]) -> list[Fault]:
    """Take what is not built out of a raw policy; return a fault for each."""
    return _strip(mapping(spec.get("gates")), _GATES, "gates.")


def _strip(raw: dict[str, Any], known: dict[str, str], prefix: str) -> list[Fault]:
    faults = []
    for key, what in known.items():
        if key in raw:
            del raw[key]
            message = f"{what}: this release cannot do that yet"
            faults.append(Fault(prefix + key, message, "remove it; it would otherwise be ignored in silence"))
    return faults
