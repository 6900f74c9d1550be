"""From raw data to a model, or to faults in our own words: pydantic finds them, people read them."""

import difflib
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rollout.errors import Fault

Parsed = TypeVar("Parsed", bound=BaseModel)

MISSING = "is missing"

PRUNED_MAX = 8
"""Fields may be unknown within fields that were unknown before; deeper than this is no document of ours."""


def parse(model: type[Parsed], raw: Any, prefix: str) -> tuple[Parsed | None, list[Fault]]:
    """Return the model and no fault, or no model and every fault; paths begin with `prefix`."""
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        faults: dict[str, Fault] = {}
        for detail in error.errors(include_url=False):
            if _is_other_branch(detail):
                continue
            fault = _fault(detail, model, prefix)
            faults.setdefault(fault.path + ("" if detail["type"] != "missing" else "!"), fault)
        # A list whose items are wrong counts as empty too: that is no fault of its own.
        counts = {path for path in faults if any(other.startswith(f"{path}[") for other in faults)}
        return None, [fault for path, fault in faults.items() if path not in counts]


def prune(model: type[BaseModel], raw: Any) -> Any:
    """Return `raw` without the fields that the model does not know: an older controller must survive a newer CRD.

    What else is wrong with it is left as it is.
    """
    for _ in range(PRUNED_MAX):
        try:
            model.model_validate(raw)
        except ValidationError as error:
            extra = [fault["loc"] for fault in error.errors(include_url=False) if fault["type"] == "extra_forbidden"]
            strangers = [loc for loc in extra if not _is_kept_by_the_server(loc)]
            if not any(_remove(raw, loc) for loc in strangers):
                return raw
        else:
            return raw
    return raw


def _is_kept_by_the_server(loc: tuple[Any, ...]) -> bool:
    """Whether a field stands where the definition prunes nothing: then nobody else would notice a typo."""
    return "reactions" in loc and len(loc) - loc.index("reactions") > 2


def _remove(raw: Any, loc: tuple[Any, ...]) -> bool:
    """Take one field out of nested data; whether it was there."""
    *parents, last = [step for step in loc if not _is_branch(step)]
    for step in parents:
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):
            return False
    if isinstance(raw, dict) and last in raw:
        del raw[last]
        return True
    return False


def _fault(error: Any, model: type[BaseModel], prefix: str) -> Fault:
    steps = [step for step in error["loc"] if not _is_branch(step)]
    path = prefix
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    value, kind, context = error.get("input"), error["type"], error.get("ctx") or {}
    if kind == "extra_forbidden":
        return unknown(path, str(steps[-1]), _siblings(model, steps))
    if kind == "missing":
        return Fault(path or "spec", MISSING, "add it")
    if kind in ("percent", "duration"):
        return Fault(path, str(context["reason"]), str(context["remedy"]), value)
    if kind == "string_type":
        return Fault(path, "must be a string", f'quote it: "{value}"', value)
    if kind == "string_pattern_mismatch":
        return Fault(path, "is not of the right form", f"it must match {context.get('pattern')}", value)
    if kind == "literal_error":
        return Fault(path, f"must be one of {context.get('expected')}", "write one of them", value)
    if kind in ("int_type", "int_from_float", "float_type"):
        written = str(value).strip() if isinstance(value, str) else ""
        remedy = f"write {written}, without quotes" if written.replace(".", "", 1).isdigit() else "write digits only"
        return Fault(path, "must be a number", remedy, value)
    if kind == "bool_type":
        return Fault(path, "must be a boolean", "write true or false, without quotes", value)
    if kind in ("tuple_type", "list_type"):
        return Fault(path, "must be a list", "write its items below it, each with a dash", value)
    if kind == "too_short":
        return Fault(path, f"needs at least {context.get('min_length')}", "add one", None)
    if kind == "too_long":
        return Fault(path, f"may have at most {context.get('max_length')}", "remove some", None)
    if kind in ("model_type", "dict_type"):
        return Fault(path or "spec", "must be a mapping", "write its fields below it", value)
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
        if (inner := _inner_model(argument)) is not None:
            return inner
    return None


def unknown(path: str, name: str, known: tuple[str, ...]) -> Fault:
    """Return the fault of a field that does not exist, with the nearest one that does."""
    close = difflib.get_close_matches(name, known, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}" if known else "remove it"
    return Fault(path, "unknown field", remedy)
