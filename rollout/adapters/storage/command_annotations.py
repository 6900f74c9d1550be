"""Commands travel as annotations of a Rollout: one for all verbs, and one for `abort` that nothing can overwrite."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, cast, get_args

from rollout.adapters.kubernetes.resources import Object
from rollout.engine.facts import Command, DrainEnd, Verb

COMMAND = "rollout.dev/command"
ABORT = "rollout.dev/abort"
TEXT_MAX = 1000
"""What people say in a command is cut here: it is repeated in status, events and the store."""

ANNOTATION_MAX = 4096
"""Longer is no command."""

_VERBS = frozenset(get_args(Verb))
_ENDS = get_args(DrainEnd)


def commands_of(obj: Object) -> tuple[Command, ...]:
    """Return the commands that an object's annotations ask for. What cannot be read asks for nothing."""
    annotations = obj["metadata"].get("annotations") or {}
    read = [_abort(annotations[ABORT], obj)] if ABORT in annotations else []
    if COMMAND in annotations and (command := _command(annotations[COMMAND], obj)) is not None:
        read.append(command)
    return tuple(read)


def unreadable(obj: Object) -> str:
    """Say what is wrong with the command annotation, or an empty text."""
    text = (obj["metadata"].get("annotations") or {}).get(COMMAND)
    if text is None or _command(text, obj) is not None:
        return ""
    return f"the annotation {COMMAND} is no command: use the verbs of the CLI, or a JSON object with id and verb"


def annotation_of(command: Command) -> tuple[str, str]:
    """Return an annotation's name and text for a command."""
    fields = asdict(command)
    expected = {"phase": command.phase, "step": command.step, "version": command.version, "planHash": command.plan}
    written: dict[str, Any] = {key: fields[key] for key in ("id", "verb", "actor", "reason")}
    written |= {
        "at": command.at.isoformat(),
        "expect": {key: value for key, value in expected.items() if value is not None},
    }
    if command.then is not None:
        written["then"] = command.then
    return (ABORT if command.verb == "abort" else COMMAND), json.dumps(written, sort_keys=True, ensure_ascii=False)


def _command(text: str, obj: Object) -> Command | None:
    raw = _object(text)
    verb = raw.get("verb") if raw else None
    if raw is None or not raw.get("id") or not isinstance(verb, str) or verb not in _VERBS - {"abort"}:
        return None
    given = raw.get("expect")
    expected: dict[str, Any] = given if isinstance(given, dict) else {}
    step = expected.get("step")
    return Command(
        id=_clean(str(raw["id"]))[:100],
        verb=cast("Verb", raw["verb"]),
        actor=_text(raw.get("actor")) or "unknown",
        reason=_text(raw.get("reason")),
        at=_time(raw.get("at"), obj),
        phase=_text(expected.get("phase")) or None,
        step=step if isinstance(step, int) and not isinstance(step, bool) else None,
        version=_text(expected.get("version")) or None,
        plan=_text(expected.get("planHash")) or None,
        then=cast("DrainEnd", then) if (then := raw.get("then")) in _ENDS else None,
    )


def _abort(text: str, obj: Object) -> Command:
    """An abort is understood however it is written: whoever writes one is in a hurry."""
    raw = _object(text) or {"reason": text}
    # The same words may be meant again for the next release.
    release = (obj.get("status") or {}).get("startedAt", "")
    salted = f"{obj['metadata'].get('uid', '')}{release}{text}"
    unique = hashlib.sha256(salted.encode(errors="replace")).hexdigest()[:16]
    return Command(
        id=_clean(str(raw.get("id") or f"abort-{unique}"))[:100],
        verb="abort",
        actor=_text(raw.get("actor")) or "unknown",
        reason=_text(raw.get("reason")),
        at=_time(raw.get("at"), obj),
    )


def _object(text: str) -> dict[str, Any] | None:
    try:
        raw = json.loads(text[:ANNOTATION_MAX])
    except (ValueError, RecursionError):
        return None
    return raw if isinstance(raw, dict) else None


def _text(value: Any) -> str:
    return _clean(value)[:TEXT_MAX] if isinstance(value, str) else ""


def _clean(text: str) -> str:
    """Return a text that can be written anywhere: JSON may hold halves of characters."""
    return text.encode("utf-8", "replace").decode()


def _time(value: Any, obj: Object) -> datetime:
    """Return when a command was given; where it does not say, as old as the object, so that it comes first."""
    for text in (value, obj["metadata"].get("creationTimestamp")):
        try:
            read = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            continue
        return read if read.tzinfo else read.replace(tzinfo=UTC)
    return datetime.fromtimestamp(0, UTC)
