"""What a Rollout resource goes by: its spec and its policy, as they are declared, or pinned by a release under way."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from functools import lru_cache

from rollout.adapters.kubernetes.resources import Object, key_of
from rollout.adapters.storage.rollout_resource import wanted_of
from rollout.engine.facts import Trouble
from rollout.errors import (
    Fault,
    InvalidInput,
)
from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import WIRING, RolloutSpec
from rollout.model.parsing import prune
from rollout.model.pinned import pinned_policy
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase

FAULTS_TOLD_MAX = 8


class EffectiveSpecs:
    """What the rollouts of one controller go by; put together once for as long as what it is made of stands."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[RolloutSpec, str, RolloutSpec]] = {}

    def of(
        self, obj: Object, spec: RolloutSpec | None, policy: PolicySpec | None, status: Status, trouble: Trouble | None
    ) -> tuple[RolloutSpec | None, PolicySpec | None]:
        """Return the spec and the policy to go by.

        What is under way goes by what it began with: its wiring and its policy are pinned, whatever is edited, broken
        or deleted meanwhile. At rest, with something wrong, nothing starts; but commands are answered by the last
        policy.
        """
        pinned = pinned_policy(status)
        if status.is_active and status.latest.wiring is not None:
            if spec is None:
                return read_wiring(status.latest.wiring, _still_wanted(obj, status)), pinned
            if status.phase is not Phase.PREFLIGHT:  # until then nothing was touched, and mending is what is asked for
                with contextlib.suppress(InvalidInput):  # then what is declared is all there is
                    spec = self._wired(key_of(obj), spec, status.latest.wiring)
            return spec, policy or pinned
        return spec, policy or (pinned if trouble is not None else None)

    def _wired(self, key: str, spec: RolloutSpec, text: str) -> RolloutSpec:
        """Return a spec with the wiring that a release has pinned."""
        known = self._kept.get(key)
        if known is None or known[0] is not spec or known[1] != text:
            wiring = read_wiring(text, None)
            wired = spec.model_copy(update={name: getattr(wiring, name) for name in WIRING})
            known = self._kept[key] = (spec, text, wired)
        return known[2]

    def forget(self, key: str) -> None:
        """Forget a Rollout that is at rest, or gone."""
        self._kept.pop(key, None)


def _still_wanted(obj: Object, status: Status) -> str | None:
    """Return the version that a broken spec is taken to want: nobody has changed their mind that we could read."""
    wanted, known = wanted_of(obj), (status.declined_version, status.candidate_version)
    return wanted if wanted in known else status.declined_version or status.candidate_version


@lru_cache(maxsize=2048)
def read_wiring(text: str, version: str | None) -> RolloutSpec:
    """Return the spec of a rollout under way from what its status has pinned, maybe by a newer release of this tool.

    Raises InvalidInput where somebody has made it unreadable.
    """
    try:
        raw = {**json.loads(text), "version": version, "policyRef": {"name": "pinned"}}
        return RolloutSpec.model_validate(prune(RolloutSpec, raw))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidInput(
            [Fault("status.internal", "has a wiring that cannot be read", "abort, or restore it")]
        ) from error


def summary_of(faults: Iterable[Fault]) -> str:
    """Return faults for a condition: the first few, and how many more there are."""
    every = [f"{fault.path}: {fault.message} -> {fault.remedy}" for fault in faults]
    more = f" (and {len(every) - FAULTS_TOLD_MAX} more: rollout lint)" if len(every) > FAULTS_TOLD_MAX else ""
    return "; ".join(every[:FAULTS_TOLD_MAX]) + more
