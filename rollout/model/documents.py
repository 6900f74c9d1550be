"""Reading what people write: YAML files in, Rollouts and policies out, or every fault at once."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from rollout.errors import Fault
from rollout.model.notbuilt import strip_policy, strip_rollout
from rollout.model.policy import PINNED_MAX_BYTES, PolicySpec
from rollout.model.resource import API_VERSION, Metadata, RolloutSpec
from rollout.model.rules import POLICY_RULES, ROLLOUT_RULES, mapping

FILE_MAX_BYTES = 1024 * 1024

Parsed = TypeVar("Parsed", bound=BaseModel)


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
    """What was read, and everything that is wrong with it."""

    rollouts: list[RolloutDocument] = field(default_factory=list)
    policies: list[PolicyDocument] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key written twice: the first would be lost without a word."""


def _no_duplicates(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, (str, int, float, bool)) and key in seen:
            raise yaml.MarkedYAMLError(problem=f"the key {key!r} is written twice", problem_mark=key_node.start_mark)
        if isinstance(key, (str, int, float, bool)):
            seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _no_duplicates)


def read_files(paths: Iterable[Path]) -> Documents:
    """Read every document in the files. Never raises for what is in them: see `Documents.faults`."""
    documents = Documents()
    for path in paths:
        try:
            size = path.stat().st_size
            text = path.read_text(encoding="utf-8") if size <= FILE_MAX_BYTES else ""
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            documents.faults.append(Fault(str(path), f"cannot be read: {reason}", "check the path"))
            continue
        if size > FILE_MAX_BYTES:
            documents.faults.append(Fault(str(path), "is larger than 1 MiB", "a rollout needs a few kilobytes"))
            continue
        read_text(text, str(path), documents)
    return documents


def read_text(text: str, where: str, documents: Documents) -> None:
    """Read every document in a YAML text into `documents`."""
    try:
        # _Loader is a SafeLoader: it builds plain data only.
        raws = [raw for raw in yaml.load_all(text, Loader=_Loader) if raw is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        documents.faults.append(Fault(place, f"is not YAML: {error.problem}", "mend the line"))
        return
    except (yaml.YAMLError, RecursionError) as error:
        documents.faults.append(Fault(where, f"is not YAML: {str(error).splitlines()[0]}", "mend the file"))
        return
    if not raws:
        documents.faults.append(Fault(where, "holds no document", "write a Rollout or a RolloutPolicy"))
    for index, raw in enumerate(raws):
        prefix = where if len(raws) == 1 else f"{where}#{index + 1}"
        _read_document(raw, prefix, documents)


def _read_document(raw: Any, where: str, documents: Documents) -> None:
    faults: list[Fault] = []
    if not isinstance(raw, dict):
        documents.faults.append(Fault(where, "is no mapping", "write apiVersion, kind, metadata and spec"))
        return
    kind = raw.get("kind")
    envelope = ("apiVersion", "kind", "metadata", "spec", "status")
    faults += [_unknown(key, key, envelope) for key in sorted(map(str, raw.keys() - set(envelope)))]
    if raw.get("apiVersion") != API_VERSION:
        faults.append(Fault("apiVersion", f"is not {API_VERSION}", f"write {API_VERSION}", raw.get("apiVersion")))
    metadata, found = _parse(Metadata, raw.get("metadata"), "metadata")
    faults += found
    spec = copy.deepcopy(raw.get("spec"))
    if kind == "Rollout":
        parsed, found = rollout_spec(spec)
        if metadata and parsed:
            documents.rollouts.append(RolloutDocument(metadata, parsed, where))
        faults += found
    elif kind == "RolloutPolicy":
        policy, found = policy_spec(spec)
        if metadata and policy:
            documents.policies.append(PolicyDocument(metadata, policy, where))
        faults += [fault.within("spec.") for fault in found]
    else:
        faults.append(Fault("kind", "is neither Rollout nor RolloutPolicy", "write one of them", kind))
    documents.faults += [fault.within(f"{where}: ") for fault in faults]


def rollout_spec(raw: Any) -> tuple[RolloutSpec | None, list[Fault]]:
    """Read a raw Rollout spec; faults carry paths from ``spec``. Takes `raw` apart: hand in a copy."""
    faults = [fault.within("spec.") for fault in _apply(ROLLOUT_RULES, raw)]
    inline = mapping(mapping(raw).get("policy"))
    faults += [fault.within("spec.policy.") for fault in _apply(POLICY_RULES, inline)] if inline else []
    not_built = [fault.within("spec.") for fault in strip_rollout(mapping(raw))]
    parsed, found = _parse(RolloutSpec, raw, "spec")
    return parsed, _joined(faults, not_built, found)


def policy_spec(raw: Any) -> tuple[PolicySpec | None, list[Fault]]:
    """Read a raw policy; faults carry paths within the spec. Takes `raw` apart: hand in a copy."""
    faults = _apply(POLICY_RULES, raw)
    not_built = strip_policy(mapping(raw))
    parsed, found = _parse(PolicySpec, raw, "")
    if parsed and len(parsed.canonical().encode()) > PINNED_MAX_BYTES:
        found.append(Fault("", "is larger than 16 KiB and cannot be pinned", "split the rollout or shorten it"))
    return parsed, _joined(faults, not_built, found)


def _apply(rules: Iterable[Any], raw: Any) -> list[Fault]:
    return [fault for rule in rules for fault in rule(mapping(raw))]


def _joined(rules: list[Fault], not_built: list[Fault], parsed: list[Fault]) -> list[Fault]:
    """Join what the rules and the schema found, one fault a place: the rule's word is the better one.

    Where something that is not built was taken out, the hole it leaves is no fault of its own.
    """
    holes = {fault.path.rpartition(".")[0] for fault in not_built}
    told = {fault.path for fault in rules}
    kept = [
        fault
        for fault in parsed
        if fault.path not in told and not (fault.message == _MISSING and fault.path.rpartition(".")[0] in holes | told)
    ]
    return [*rules, *not_built, *kept]


_MISSING = "is missing"


def _parse(model: type[Parsed], raw: Any, prefix: str) -> tuple[Parsed | None, list[Fault]]:
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        faults: dict[str, Fault] = {}
        for each in error.errors(include_url=False):
            if _is_other_branch(each):
                continue
            fault = _fault(each, model, prefix)
            faults.setdefault(fault.path + ("" if each["type"] != "missing" else "!"), fault)
        # A list whose items are wrong counts as empty too: that is no fault of its own.
        counts = {path for path in faults if any(other.startswith(f"{path}[") for other in faults)}
        return None, [fault for path, fault in faults.items() if path not in counts]


def _fault(error: Any, model: type[BaseModel], prefix: str) -> Fault:
    steps = [step for step in error["loc"] if not _is_branch(step)]
    path = prefix
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    value, kind, context = error.get("input"), error["type"], error.get("ctx") or {}
    if kind == "extra_forbidden":
        return _unknown(path, str(steps[-1]), _siblings(model, steps))
    if kind == "missing":
        return Fault(path or "spec", _MISSING, "add it")
    if kind in ("percent", "duration"):
        return Fault(path, str(context["reason"]), str(context["remedy"]), value)
    if kind == "string_type":
        return Fault(path, "is no text", "put it in quotes, as it stands in the file", value)
    if kind == "string_pattern_mismatch":
        return Fault(path, "is not of the right form", f"it must match {context.get('pattern')}", value)
    if kind == "literal_error":
        return Fault(path, "is none of the known words", f"use {context.get('expected')}", value)
    if kind == "bool_type":
        return Fault(path, "is neither true nor false", "write true or false, without quotes", value)
    if kind in ("tuple_type", "list_type"):
        return Fault(path, "is no list", "write its items below it, each with a dash", value)
    if kind == "too_short":
        return Fault(path, f"needs at least {context.get('min_length')}", "add one", None)
    if kind == "too_long":
        return Fault(path, f"may have at most {context.get('max_length')}", "remove some", None)
    if kind in ("model_type", "dict_type"):
        return Fault(path or "spec", "is no mapping", "write its fields below it", value)
    return Fault(path or "spec", str(error["msg"]).lower(), "see the reference in docs/", value)


def _is_other_branch(error: Any) -> bool:
    """Whether this is the complaint of a union's branch that was not meant."""
    on_branch = any(_is_branch(step) for step in error["loc"])
    if error["type"] == "literal_error":
        return on_branch and isinstance(error["input"], dict)
    return on_branch and error["type"] == "model_type" and not isinstance(error["input"], dict)


def _is_branch(step: Any) -> bool:
    """Whether a step of pydantic's path names a branch of a union instead of a field."""
    return isinstance(step, str) and (step.startswith("literal[") or step in ("Escalation", "decimal"))


def _siblings(model: type[BaseModel], steps: list[Any]) -> tuple[str, ...]:
    """Return the field names known at a path's last step, for a suggestion."""
    current: Any = model
    for step in steps[:-1]:
        if isinstance(step, int):
            continue
        fields = getattr(current, "model_fields", {})
        match = next((info for name, info in fields.items() if step in (name, info.alias)), None)
        current = _inner_model(match.annotation) if match else None
    return tuple(info.alias or name for name, info in getattr(current, "model_fields", {}).items())


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _inner_model(argument)) is not None:
            return found
    return None


def _unknown(path: str, name: str, known: tuple[str, ...]) -> Fault:
    close = difflib.get_close_matches(name, known, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}" if known else "remove it"
    return Fault(path, "is no field that is known here", remedy)
