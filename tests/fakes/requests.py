"""What is asked of the fake API server: selectors, tokens, bodies, and the details of an answer."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime

from tests.fakes.copies import copied
from tests.fakes.resources import Refusal


def as_seen(kind, body, before, chosen):
    """A selector makes some changes look like arrivals or departures."""
    now, then = chosen(body), before is not None and chosen(before)
    if kind == "DELETED":
        return "DELETED" if then or now else ""
    if now:
        return kind if kind == "ADDED" or then else "ADDED"
    return "DELETED" if then else ""


def selects(parameters, resource):
    if not re.match(r"^([\w./-]+(==?[\w.-]*)?(,|$))*$", parameters.get("labelSelector") or ""):
        raise Refusal(400, "BadRequest", "unable to parse requirement")
    listed = [each for each in (parameters.get("labelSelector") or "").replace("==", "=").split(",") if each]
    labels = dict(each.split("=", 1) for each in listed if "=" in each)
    present = [each for each in listed if "=" not in each]
    fields = dict(
        each.split("=", 1) for each in (parameters.get("fieldSelector") or "").replace("==", "=").split(",") if each
    )
    for field in fields:
        if field not in ("metadata.name", "metadata.namespace", "status.phase") or (
            field == "status.phase" and resource.kind != "Rollout"
        ):
            raise Refusal(400, "BadRequest", f"field label not supported: {field}")

    def chosen(each):
        found = each["metadata"].get("labels") or {}
        labelled = all(found.get(key) == value for key, value in labels.items()) and found.keys() >= set(present)
        return labelled and all(field_of(each, key) == value for key, value in fields.items())

    return chosen


def field_of(each, path):
    for step in path.split("."):
        each = (each or {}).get(step)
    return each


def start_of(token):
    if not token:
        return ""
    try:
        return json.loads(base64.b64decode(token + "==="))["start"].replace("\0", "")
    except (ValueError, KeyError) as error:
        raise Refusal(400, "BadRequest", f"invalid continue token: continue key is not valid: {error}") from error


def parse_body(resource, body):
    if isinstance(body, (dict, list)):
        return copied(body)
    try:
        return json.loads(body)
    except ValueError as error:
        raise Refusal(
            400, "BadRequest", f"the object provided is unrecognized (must be of type {resource.kind}): {error}"
        ) from error


def check_times(resource, body):
    """A Lease's times have microseconds, or it cannot be read."""
    if resource.plural != "leases":
        return
    for field in ("renewTime", "acquireTime"):
        text = (body.get("spec") or {}).get(field)
        if text is not None and not re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-])", text):
            raise Refusal(
                400, "BadRequest", f'Lease in version "v1" cannot be handled as a Lease: parsing time "{text}"'
            )


def verb_of(method, place, parameters):
    if method == "GET":
        return "get" if place["name"] else "list"
    return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[method]


def full_name(resource):
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def details_of(resource, name, causes=None, *, kind=False):
    made = {"name": name} if name else {}
    made |= {"group": resource.group} if resource.group else {}
    made["kind"] = resource.kind if kind else resource.plural
    if causes:
        made["causes"] = [{"reason": reason, "message": reason, "field": field} for reason, field in causes]
    return made


def unmanaged(found):
    """An object without who manages its fields: that is kept apart."""
    metadata = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    return {**found, "metadata": metadata}


def now_text():
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
