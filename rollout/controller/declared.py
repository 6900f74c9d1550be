"""What a Rollout resource declares: its spec and its policy, each parsed once for as long as it stands."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

from rollout.adapters.egress import Egress
from rollout.adapters.kubernetes.resources import Object, key_of, namespace_of
from rollout.adapters.metrics.queries import unreadable_split
from rollout.adapters.storage.rollout_resource import spec_of
from rollout.controller.effective_spec import summary_of
from rollout.controller.informers import Informers
from rollout.controller.policy_faults import faults_of, unasked
from rollout.engine.facts import Trouble
from rollout.errors import Fault, InvalidInput
from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import RolloutSpec
from rollout.model.api.wiring import cluster_spec
from rollout.model.documents import policy_spec
from rollout.model.status.vocabulary import Reason

ReadSpec = tuple[RolloutSpec | None, Trouble | None]
ReadPolicy = tuple[PolicySpec | None, Trouble | None]


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What came of a raw document.

    Attributes:
        policy: the inline one, or why it cannot be carried out; None where a policy is referred to.
    """

    raw: Any
    spec: RolloutSpec | None
    trouble: Trouble | None
    policy: ReadPolicy | None


class Declared:
    """Specs and policies of one controller. What was parsed is kept until it is forgotten, or differs."""

    def __init__(self, informers: Informers, egress: Egress) -> None:
        self._informers, self._egress = informers, egress
        self._specs: dict[str, _Parsed] = {}
        self._policies: dict[str, tuple[Any, ReadPolicy]] = {}

    def of(self, obj: Object) -> tuple[RolloutSpec | None, PolicySpec | None, Trouble | None]:
        """Return the spec and the policy of a Rollout, as far as they can be read, and what is wrong with them."""
        key, raw = key_of(obj), obj.get("spec")
        parsed = self._specs.get(key)
        if parsed is None or (parsed.raw is not raw and parsed.raw != raw):
            parsed = self._specs[key] = self._parse(obj)
        elif parsed.raw is not raw:
            parsed = self._specs[key] = replace(parsed, raw=raw)  # the same one, as the watch has brought it
        if parsed.spec is None:
            return None, None, parsed.trouble
        policy, wrong = parsed.policy or self._referred(namespace_of(obj), parsed.spec)
        return parsed.spec, policy, wrong or parsed.trouble

    def forget(self, key: str) -> None:
        """Forget a Rollout that is at rest, or gone."""
        self._specs.pop(key, None)

    def _parse(self, obj: Object) -> _Parsed:
        raw, namespace = obj.get("spec"), namespace_of(obj)
        spec, trouble = readable(obj)
        if spec is None:
            return _Parsed(raw, None, trouble, None)
        url = cluster_spec(spec).prometheus.url
        if faults := unasked("spec.metrics.prometheus.url", url, self._egress, namespace):
            trouble = Trouble(Reason.INVALID_SPEC, summary_of(faults))
        inline = None if spec.policy is None else self._allowed(spec.policy, namespace, "spec.policy.")
        return _Parsed(raw, spec, trouble, inline)

    def _referred(self, namespace: str, spec: RolloutSpec) -> ReadPolicy:
        """Return the policy that a spec refers to, or why there is none."""
        assert spec.policy_ref is not None, "exactly one of policy and policyRef is given"
        name = spec.policy_ref.name
        key, raw = f"{namespace}/{name}", self._informers.policies.get(namespace, name)
        if raw is None:
            self._policies.pop(key, None)
            remedy = "create it, or correct spec.policyRef"
            return None, Trouble(Reason.POLICY_NOT_FOUND, f"there is no RolloutPolicy {name} here: {remedy}")
        known = self._policies.get(key)
        if known is None or (known[0] is not raw and known[0] != raw):
            known = self._policies[key] = (raw, self._parsed_policy(namespace, name, raw))
        return known[1]

    def _parsed_policy(self, namespace: str, name: str, raw: Object) -> ReadPolicy:
        prefix = f"RolloutPolicy {name}: spec."
        policy, faults = policy_spec(copy.deepcopy(raw.get("spec")), lenient=True)
        if faults or policy is None:
            return None, Trouble(Reason.INVALID_SPEC, summary_of(fault.within(prefix) for fault in faults))
        return self._allowed(policy, namespace, prefix)

    def _allowed(self, policy: PolicySpec, namespace: str, prefix: str) -> ReadPolicy:
        if faults := faults_of(policy, self._egress, namespace):
            return None, Trouble(Reason.INVALID_SPEC, summary_of(fault.within(prefix) for fault in faults))
        return policy, None


def readable(obj: Object) -> ReadSpec:
    """Return an object's spec, or what is wrong with it."""
    try:
        spec = spec_of(obj)
    except InvalidInput as error:
        return None, Trouble(Reason.INVALID_SPEC, summary_of(error.faults))
    requests = spec.metrics.prometheus.requests if spec.metrics.prometheus else None
    faults: list[Fault] = [fault.within("spec.") for fault in unreadable_split(requests)]
    if faults:
        return None, Trouble(Reason.INVALID_SPEC, summary_of(faults))
    return spec, None
