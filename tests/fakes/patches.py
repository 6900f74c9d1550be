"""The patches of an API server: merge, JSON, and server-side apply with ownership by field."""

from __future__ import annotations

from tests.fakes.copies import copied


class BadPatch(Exception):
    """The patch cannot be carried out: 422."""


def merge(target, patch):
    if not isinstance(patch, dict):
        return copied(patch)
    made = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merge(made.get(key), value)
    return made


def json_patch(target, operations):
    target = copied(target)
    for each in operations:
        try:
            _one(target, each)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise BadPatch(str(error)) from error
    return target


def _one(target, operation):
    steps = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]]
    parent = target
    for step in steps[:-1]:
        parent = parent[int(step)] if isinstance(parent, list) else parent[step]
    last, op = steps[-1], operation["op"]
    if isinstance(parent, list):
        index = len(parent) if last == "-" else int(last)
        if op == "add":
            if not 0 <= index <= len(parent):
                raise IndexError(index)
            parent.insert(index, operation["value"])
            return
        found = parent[index]
    else:
        index = last
        if op == "add":
            if not isinstance(parent, dict):
                raise TypeError("no object")
            parent[index] = operation["value"]
            return
        found = parent[index]
    if op == "test" and found != operation["value"]:
        raise ValueError("test failed")
    if op == "replace":
        parent[index] = operation["value"]
    elif op == "remove":
        del parent[index]


_NOBODYS = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"), ("metadata", "uid")}


def leaves(value, path=()):
    """Return the paths that can be owned: lists are atomic."""
    if isinstance(value, dict) and value:
        found = {}
        for key, inner in value.items():
            found |= leaves(inner, (*path, key))
        return found
    return {} if path in _NOBODYS or not path else {path: value}


def apply(live, wanted, manager, owners, force):
    """Return the object after an apply, the owners after it, and the conflicts as (manager, path)."""
    mine, now = leaves(wanted), leaves(live)
    conflicts = [
        (other, path)
        for path, value in mine.items()
        for other, paths in owners.items()
        if other != manager and path in paths and now.get(path) != value
    ]
    if conflicts and not force:
        return live, owners, conflicts
    made = copied(live)
    for path in owners.get(manager, set()) - mine.keys():
        if not any(path in paths for other, paths in owners.items() if other != manager):
            _remove(made, path)
    made = merge(made, wanted)
    taken = {path for _, path in conflicts}
    after = {other: paths - taken for other, paths in owners.items() if other != manager}
    return made, {**after, manager: set(mine)}, []


def updated(before, after, manager, owners):
    """Return the owners after an ordinary write: what it changed is its own."""
    old, new = leaves(before), leaves(after)
    changed = {path for path, value in new.items() if old.get(path, ...) != value}
    kept = {
        other: {path for path in paths if path in new} - (changed if other != manager else set())
        for other, paths in owners.items()
    }
    return {**kept, manager: kept.get(manager, set()) | changed} if changed else kept


def _remove(target, path):
    for step in path[:-1]:
        target = target.get(step, {})
    target.pop(path[-1], None)
