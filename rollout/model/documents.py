"""Reading what people write: YAML files in, Rollouts and policies out, or every fault at once."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rollout.errors import Fault, InvalidInput
from rollout.model.api.policy import PINNED_MAX_BYTES, PolicySpec
from rollout.model.api.rollout import API_VERSION, Metadata, RolloutSpec
from rollout.model.parsing import MISSING, parse, prune, unknown
from rollout.model.positions import position_of
from rollout.model.validation.not_built import strip_policy, strip_rollout
from rollout.model.validation.policy import POLICY_RULES
from rollout.model.validation.rollout import ROLLOUT_RULES
from rollout.model.validation.rules import mapping
from rollout.model.yaml_text import FILE_MAX_BYTES, load_all, read_bounded


@dataclass(frozen=True)
class RolloutDocument:
    metadata: Metadata
    spec: RolloutSpec
    where: str


@dataclass(frozen=True)
class PolicyDocument:
    metadata: Metadata
    spec: PolicySpec
    where: str


@dataclass
class Documents:
    """What was read, and everything that is wrong with it.

    Attributes:
        others: documents of other kinds, as they are.
        nodes: by a document's `where`, its text as YAML parsed it.
    """

    rollouts: list[RolloutDocument] = field(default_factory=list)
    policies: list[PolicyDocument] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    nodes: dict[str, yaml.Node] = field(default_factory=dict)

    def located(self, fault: Fault) -> Fault:
        """Return a fault with the place in its file: ``rollout.yaml:14:7: spec.canary.steps[1].weight``."""
        where, _, path = fault.path.partition(": ")
        node = self.nodes.get(where)
        if node is None:
            return fault
        line, column = position_of(node, path)
        place = f"{where.partition('#')[0]}:{line}:{column}"
        return Fault(f"{place}: {path}" if path else place, fault.message, fault.remedy, fault.value)


def read_documents(text: str, where: str = "documents") -> Documents:
    """Read Rollouts and policies from a YAML text. Raises InvalidInput with every fault, at its line and column."""
    documents = Documents()
    read_text(text, where, documents)
    if documents.faults:
        raise InvalidInput(documents.located(fault) for fault in documents.faults)
    return documents


def read_files(paths: Iterable[Path]) -> Documents:
    """Read every document in the files. Never raises for what is in them: see `Documents.faults`."""
    documents = Documents()
    for path in paths:
        try:
            text = read_bounded(path, FILE_MAX_BYTES)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            documents.faults.append(Fault(str(path), f"cannot be read: {reason}", "check the path"))
            continue
        if text is None:
            documents.faults.append(Fault(str(path), "is larger than 1 MiB", "a rollout needs a few kilobytes"))
            continue
        read_text(text, str(path), documents)
    return documents


def read_text(text: str, where: str, documents: Documents) -> None:
    """Read every document in a YAML text into `documents`."""
    try:
        parsed = load_all(text, where)
    except InvalidInput as error:
        documents.faults += error.faults
        return
    if not parsed:
        documents.faults.append(Fault(where, "holds no document", "write a Rollout or a RolloutPolicy"))
    for index, (node, raw) in enumerate(parsed):
        prefix = where if len(parsed) == 1 else f"{where}#{index + 1}"
        documents.nodes[prefix] = node
        _read_document(raw, prefix, documents)


def _read_document(raw: Any, where: str, documents: Documents) -> None:
    faults: list[Fault] = []
    if not isinstance(raw, dict):
        documents.faults.append(Fault(where, "must be a mapping", "write apiVersion, kind, metadata and spec"))
        return
    kind = raw.get("kind")
    group = str(raw.get("apiVersion", "")).partition("/")[0]
    if kind not in ("Rollout", "RolloutPolicy") and isinstance(kind, str) and group != API_VERSION.partition("/")[0]:
        documents.others.append(raw)  # a route or a Service beside them: somebody else's to check
        return
    envelope = ("apiVersion", "kind", "metadata", "spec", "status")
    faults += [unknown(key, key, envelope) for key in sorted(map(str, raw.keys() - set(envelope)))]
    if raw.get("apiVersion") != API_VERSION:
        faults.append(Fault("apiVersion", f"is not {API_VERSION}", f"write {API_VERSION}", raw.get("apiVersion")))
    metadata, more_faults = parse(Metadata, raw.get("metadata"), "metadata")
    faults += more_faults
    spec = copy.deepcopy(raw.get("spec"))
    if kind == "Rollout":
        parsed, more_faults = rollout_spec(spec)
        if metadata and parsed:
            documents.rollouts.append(RolloutDocument(metadata, parsed, where))
        faults += more_faults
    elif kind == "RolloutPolicy":
        policy, more_faults = policy_spec(spec)
        if metadata and policy:
            documents.policies.append(PolicyDocument(metadata, policy, where))
        faults += [fault.within("spec.") for fault in more_faults]
    else:
        faults.append(Fault("kind", "is neither Rollout nor RolloutPolicy", "write one of them", kind))
    documents.faults += [fault.within(f"{where}: ") for fault in faults]


def rollout_spec(raw: Any, *, lenient: bool = False) -> tuple[RolloutSpec | None, list[Fault]]:
    """Read a raw Rollout spec; faults carry paths from ``spec``. Takes `raw` apart: hand in a copy.

    Args:
        lenient: whether unknown fields are passed over, as a controller does that is older than its CRD.
    """
    faults = [fault.within("spec.") for fault in _apply(ROLLOUT_RULES, raw)]
    inline = mapping(mapping(raw).get("policy"))
    faults += [fault.within("spec.policy.") for fault in _apply(POLICY_RULES, inline)] if inline else []
    not_built = [fault.within("spec.") for fault in strip_rollout(mapping(raw))]
    parsed, wrong = parse(RolloutSpec, prune(RolloutSpec, raw) if lenient else raw, "spec")
    return parsed, _joined(faults, not_built, wrong)


def policy_spec(raw: Any, *, lenient: bool = False) -> tuple[PolicySpec | None, list[Fault]]:
    """Read a raw policy; faults carry paths within the spec. Takes `raw` apart: hand in a copy.

    Args:
        lenient: as above.
    """
    faults = _apply(POLICY_RULES, raw)
    not_built = strip_policy(mapping(raw))
    parsed, wrong = parse(PolicySpec, prune(PolicySpec, raw) if lenient else raw, "")
    if parsed and len(parsed.canonical().encode()) > PINNED_MAX_BYTES:
        wrong.append(Fault("", "is larger than 16 KiB and cannot be pinned", "split the rollout or shorten it"))
    return parsed, _joined(faults, not_built, wrong)


def _apply(rules: Iterable[Any], raw: Any) -> list[Fault]:
    return [fault for rule in rules for fault in rule(mapping(raw))]


def _joined(rules: list[Fault], not_built: list[Fault], parsed: list[Fault]) -> list[Fault]:
    """Join what the rules and the schema found, one fault a place: the rule's word is the better one.

    Where something that is not built was taken out, the hole it leaves is no fault of its own.
    """
    holes = {fault.path.rpartition(".")[0] for fault in not_built}
    paths = {fault.path for fault in rules}
    kept = [
        fault
        for fault in parsed
        if fault.path not in paths and not (fault.message == MISSING and fault.path.rpartition(".")[0] in holes | paths)
    ]
    return [*rules, *not_built, *kept]
