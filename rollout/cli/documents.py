"""From the files somebody names to one rollout that can be started, or every fault at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rollout.adapters.metrics.queries import unreadable, unreadable_split
from rollout.cli.adoption import adoption_faults
from rollout.errors import Fault, InvalidInput
from rollout.model.api.policy import PolicySpec
from rollout.model.api.rollout import Metadata, RolloutSpec
from rollout.model.api.state_sources import SqliteFile, StateStore
from rollout.model.documents import Documents, PolicyDocument, RolloutDocument, read_files

Place = Literal["machine", "cluster", ""]


@dataclass(frozen=True)
class Target:
    """One rollout as declared, its policy found."""

    metadata: Metadata
    spec: RolloutSpec
    policy: PolicySpec
    where: str


def check(documents: Documents) -> list[Fault]:
    """Return every fault in the documents and between them."""
    faults = list(documents.faults)
    for policy in documents.policies:
        place = _place_of(policy, documents)
        faults += [fault.within(f"{policy.where}: spec.") for fault in _unfit(policy.spec, place)]
    for rollout in documents.rollouts:
        if rollout.spec.policy is not None:
            place = "machine" if rollout.spec.is_local else "cluster"
            faults += [fault.within(f"{rollout.where}: spec.policy.") for fault in _unfit(rollout.spec.policy, place)]
        faults += _references(rollout, documents)
        prometheus = rollout.spec.metrics.prometheus
        split = unreadable_split(prometheus.requests if prometheus else None)
        faults += [fault.within(f"{rollout.where}: spec.") for fault in split]
    faults += adoption_faults(documents)
    names = [(rollout.metadata.namespace, rollout.metadata.name) for rollout in documents.rollouts]
    for rollout in documents.rollouts:
        if names.count((rollout.metadata.namespace, rollout.metadata.name)) > 1:
            message = "is the name of another Rollout too"
            faults.append(Fault(f"{rollout.where}: metadata.name", message, "rename one", rollout.metadata.name))
    return [documents.located(fault) for fault in faults]


def _unfit(policy: PolicySpec, place: Place) -> list[Fault]:
    """Return what of a policy does not fit where it is used."""
    faults = unreadable(policy, place)
    if policy.notifications is not None and place:
        faults += policy.notifications.misplaced(place)
    return faults


def _references(rollout: RolloutDocument, documents: Documents) -> list[Fault]:
    spec, faults = rollout.spec, []
    if spec.is_local and spec.version is not None and spec.version not in spec.backends.served:
        remedy = f"add one to spec.backends.endpoints; there are {', '.join(spec.backends.served)}"
        faults.append(Fault(f"{rollout.where}: spec.version", "has no endpoint", remedy, spec.version))
    if spec.policy_ref is not None:
        policies = _policies(rollout, documents)
        if not policies and not documents.faults and spec.is_local:  # in a cluster it may be there already
            names = ", ".join(sorted({policy.metadata.name for policy in documents.policies})) or "none"
            remedy = f"put it into policies/{spec.policy_ref.name}.yaml beside the file; there is {names}"
            faults.append(Fault(f"{rollout.where}: spec.policyRef.name", "is not found", remedy, spec.policy_ref.name))
        if len(policies) > 1:
            both = " and ".join(policy.where for policy in policies)
            faults.append(
                Fault(f"{rollout.where}: spec.policyRef.name", f"is found twice, in {both}", "name one file with -f")
            )
    return faults


def _place_of(policy: PolicyDocument, documents: Documents) -> Place:
    """Return where a policy is used by the documents, if all of them agree."""
    users = [rollout for rollout in documents.rollouts if policy in _policies(rollout, documents)]
    places = {rollout.spec.is_local for rollout in users}
    if places == {True}:
        return "machine"
    return "cluster" if places == {False} else ""


def _policies(rollout: RolloutDocument, documents: Documents) -> list[PolicyDocument]:
    wanted = rollout.spec.policy_ref.name if rollout.spec.policy_ref else None
    return [
        policy
        for policy in documents.policies
        if policy.metadata.name == wanted and policy.metadata.namespace == rollout.metadata.namespace
    ]


def read_target(files: list[Path], name: str | None) -> Target:
    """Return the one rollout that is meant. Raises InvalidInput with every fault."""
    documents = read_files(files)
    faults = check(documents)
    chosen = [rollout for rollout in documents.rollouts if name in (None, rollout.metadata.name)]
    if not faults and len(chosen) != 1:
        known = ", ".join(rollout.metadata.name for rollout in documents.rollouts) or "none"
        where = ", ".join(map(str, files))
        what = "there is no Rollout" if not chosen else "there are several Rollouts"
        faults.append(Fault(where, f"{what} to start", f"say which with --rollout NAME; there is {known}"))
    if faults:
        raise InvalidInput(faults)
    rollout = chosen[0]
    policy = rollout.spec.policy or _policies(rollout, documents)[0].spec
    spec = anchored(rollout.spec, Path(rollout.where.partition("#")[0]).resolve().parent)
    whole = spec.model_copy(update={"policy": policy, "policy_ref": None})
    return Target(rollout.metadata, whole, policy, rollout.where)


def anchored(spec: RolloutSpec, directory: Path) -> RolloutSpec:
    """Return a spec whose files are named from the root: whoever carries it out may stand elsewhere."""
    changes: dict[str, object] = {}
    if spec.contract is not None and spec.contract.file is not None:
        path = str(directory / spec.contract.file)
        changes["contract"] = spec.contract.model_copy(update={"file": path})
    if spec.state_store is not None and spec.state_store.sqlite is not None:
        path = str(directory / spec.state_store.sqlite.path)
        changes["state_store"] = StateStore(sqlite=SqliteFile(path=path))
    return spec.model_copy(update=changes)
