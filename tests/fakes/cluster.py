"""A fake API server, in process. What it answers is held to recorded exchanges and, where there is one, a real server."""

from __future__ import annotations

import base64
import bisect
import json
import re
import threading
import time
import uuid

from tests.fakes import patches, schemas
from tests.fakes.copies import copied
from tests.fakes.requests import (
    as_seen,
    check_times,
    details_of,
    full_name,
    now_text,
    parse_body,
    selects,
    start_of,
    unmanaged,
    verb_of,
)
from tests.fakes.resources import USUAL, Refusal, rollout_resources

NAME = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
PATH = re.compile(
    r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?$"
)
SERVICE_NAME = "kubernetes.io/service-name"
PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")


class FakeCluster:
    """Objects, their versions, their watchers.

    allowed: called with verb, resource, namespace; None lets everybody do everything. keeps: how many events back a
    watch may begin. fault: called with method and path before each request; may raise a Refusal, or return "after" to
    lose the answer once the request was carried out.
    """

    def __init__(self, resources=None, *, first_version=1000, keeps=1000):
        self.lock = threading.Condition()
        self.version = first_version
        self.objects = {}
        self.by_kind = {}
        self.by_service = {}
        self.owners = {}
        self.log = []
        self.oldest = first_version
        self.keeps = keeps
        self.allowed = None
        self.fault = None
        self.calls = []
        self.resources = {(r.group, r.plural): r for r in (resources or (*USUAL, *rollout_resources()))}

    # -- requests ----------------------------------------------------------------------------------------------------

    def handle(self, method, path, parameters=None, content_type=None, body=None, agent="unknown"):
        """Answer one request: (code, body). Raises Refusal."""
        resource, place = self._resource(path)
        verb = verb_of(method, place, parameters or {})
        self.calls.append((verb, resource.plural + (f"/{place['sub']}" if place["sub"] else ""), resource.group))
        if self.allowed is not None and not self.allowed(verb, resource, place):
            group = f' in API group "{resource.group}"' if resource.group else ""
            raise Refusal(
                403,
                "Forbidden",
                f'{full_name(resource)} is forbidden: cannot {verb} resource "{resource.plural}"{group}',
                details_of(resource, place["name"]),
            )
        with self.lock:
            parameters = dict(parameters or {})
            parameters.setdefault("fieldManager", agent.partition("/")[0])
            if method == "GET" and place["name"]:
                return 200, copied(self._get(resource, place))
            if method == "GET":
                return 200, self._list(resource, place, parameters)
            if method == "DELETE":
                return 200, self._delete(resource, place, parse_body(resource, body) if body else {})
            if method == "POST":
                return 201, self._create(resource, place, parse_body(resource, body), parameters)
            if method == "PUT":
                return 200, self._put(resource, place, parse_body(resource, body), parameters)
            return self._patch(resource, place, content_type, parse_body(resource, body), parameters)

    def _resource(self, path):
        match = PATH.match(path)
        place = match.groupdict() if match else {}
        resource = self.resources.get((place.get("group") or "", place.get("plural")))
        if resource is None or (place["version"] or place["core"]) not in resource.versions:
            raise Refusal(404, "NotFound", "404 page not found")
        return resource, place

    def _get(self, resource, place):
        key = (resource.group, resource.plural, place["namespace"], place["name"])
        if key not in self.objects:
            message = f'{full_name(resource)} "{place["name"]}" not found'
            raise Refusal(404, "NotFound", message, details_of(resource, place["name"]))
        return self.objects[key]

    def _list(self, resource, place, parameters):
        chosen = selects(parameters, resource)
        start, limit = start_of(parameters.get("continue")), int(parameters.get("limit") or 0)
        of_kind = self.by_kind.get((resource.group, resource.plural), {})
        keys = sorted(
            key
            for key in self._of_service(parameters, of_kind)
            if place["namespace"] in (None, key[0]) and (not start or f"{key[0]}/{key[1]}" > start)
        )
        found, rest = [], 0
        for at, key in enumerate(keys):
            if limit and len(found) == limit:
                rest = len(keys) - at
                break
            if chosen(of_kind[key]):
                found.append(of_kind[key])
        metadata = {"continue": "", "resourceVersion": str(self.version)}
        if rest:
            last = found[-1]["metadata"]
            token = json.dumps({"v": "meta.k8s.io/v1", "start": f"{last.get('namespace')}/{last['name']}"})
            metadata["continue"] = base64.b64encode(token.encode()).decode()
            if not (parameters.get("labelSelector") or parameters.get("fieldSelector")):  # else nobody has counted them
                metadata["remainingItemCount"] = rest
        version = next(iter(resource.versions))
        api = f"{resource.group}/{version}" if resource.group else version
        return {"apiVersion": api, "kind": f"{resource.kind}List", "metadata": metadata, "items": copied(found)}

    def _of_service(self, parameters, of_kind):
        """Return the keys that may be selected: those of a Service's EndpointSlices without a look at all others."""
        service = re.fullmatch(f"{SERVICE_NAME}=([^,]+)", parameters.get("labelSelector") or "")
        return self.by_service.get(service[1], ()) if service else of_kind

    def _create(self, resource, place, body, parameters):
        metadata = body.setdefault("metadata", {})
        if metadata.get("namespace", place["namespace"]) != place["namespace"]:
            raise Refusal(
                400,
                "BadRequest",
                "the namespace of the provided object does not match the namespace sent on the request",
            )
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
        name = metadata.get("name", "")
        key = (resource.group, resource.plural, place["namespace"], name)
        if key in self.objects:
            raise Refusal(
                409, "AlreadyExists", f'{full_name(resource)} "{name}" already exists', details_of(resource, name)
            )
        body.pop("status", None) if resource.custom and resource.status else None
        self._check(resource, body, parameters)
        metadata |= {"namespace": place["namespace"], "uid": str(uuid.uuid4()), "creationTimestamp": now_text()}
        if resource.custom or resource.plural == "deployments":
            metadata["generation"] = 1
        metadata.pop("managedFields", None)
        if resource.plural == "events":
            body |= {"deprecatedSource": {}, "deprecatedFirstTimestamp": None, "deprecatedLastTimestamp": None}
        if parameters.get("dryRun"):
            return body
        self.owners[key] = patches.updated({}, body, parameters["fieldManager"], {})
        return self._store(key, body, "ADDED")

    def _put(self, resource, place, body, parameters):
        check_times(resource, body)
        live = self._get(resource, place)
        version = body.get("metadata", {}).get("resourceVersion")
        if not version:
            raise Refusal(
                422,
                "Invalid",
                "metadata.resourceVersion: must be specified for an update",
                details_of(resource, place["name"], [("FieldValueInvalid", "metadata.resourceVersion")]),
            )
        return self._update(resource, place, live, body, parameters)

    def _patch(self, resource, place, content_type, body, parameters):
        if content_type not in PATCHES and resource.custom:
            raise Refusal(
                415,
                "UnsupportedMediaType",
                f"the body of the request was in an unknown format - accepted media types include: {', '.join(PATCHES)}",
            )
        if content_type == "application/merge-patch+json" and not isinstance(body, dict):
            raise Refusal(
                400,
                "BadRequest",
                "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
            )
        if content_type == "application/apply-patch+yaml":
            return self._apply(resource, place, body, parameters)
        live = self._get(resource, place)
        try:
            after = patches.json_patch(live, body) if isinstance(body, list) else patches.merge(live, body)
        except patches.BadPatch as error:
            raise Refusal(
                422, "Invalid", "the server rejected our request due to an error in our request", {}
            ) from error
        return 200, self._update(resource, place, live, after, parameters)

    def _apply(self, resource, place, body, parameters):
        manager = parameters.get("fieldManager") if parameters.get("fieldManager") != "unknown" else None
        if not manager:
            raise Refusal(
                422,
                "Invalid",
                'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
                {
                    "group": "meta.k8s.io",
                    "kind": "PatchOptions",
                    "causes": [{"reason": "FieldValueRequired", "field": "fieldManager"}],
                },
            )
        key = (resource.group, resource.plural, place["namespace"], place["name"])
        if key not in self.objects:
            body.setdefault("metadata", {})["name"] = place["name"]
            made = self._create(resource, place, copied(body), {**parameters, "fieldManager": manager})
            self.owners[key] = {manager: set(patches.leaves(body))}
            return 201, made
        live = self.objects[key]
        wanted = copied(body)
        made, owners, conflicts = patches.apply(
            live, wanted, manager, self.owners.get(key, {}), parameters.get("force") == "true"
        )
        if conflicts:
            causes = [
                {"reason": "FieldManagerConflict", "message": f'conflict with "{other}"', "field": "." + ".".join(path)}
                for other, path in conflicts
            ]
            raise Refusal(
                409,
                "Conflict",
                f"Apply failed with {len(causes)} conflict{'s' * (len(causes) > 1)}",
                {"causes": causes},
            )
        answer = self._update(resource, place, live, made, parameters, owners=owners)
        return 200, answer

    def _update(self, resource, place, live, after, parameters, owners=None):
        name = place["name"]
        version = after.get("metadata", {}).get("resourceVersion")
        if version and version != live["metadata"]["resourceVersion"]:
            message = f'Operation cannot be fulfilled on {full_name(resource)} "{name}": the object has been modified; please apply your changes to the latest version and try again'
            raise Refusal(409, "Conflict", message, details_of(resource, name))
        key = (resource.group, resource.plural, place["namespace"], name)
        stored, live, made = live, unmanaged(live), copied(after)
        listed = {each.get("manager") for each in made["metadata"].get("managedFields") or ()}
        known = self.owners.get(key, {})
        if "managedFields" in made["metadata"] and owners is None:  # whoever is taken out of the list owns nothing more
            known = {manager: paths for manager, paths in known.items() if manager in listed}
        for field in (
            "uid",
            "creationTimestamp",
            "generation",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "resourceVersion",
            "name",
            "namespace",
        ):
            if field in live["metadata"]:
                made["metadata"][field] = live["metadata"][field]
            else:
                made["metadata"].pop(field, None)
        for field in ("finalizers", "annotations", "labels"):
            if not made["metadata"].get(field):
                made["metadata"].pop(field, None)
        made["metadata"].pop("managedFields", None)
        if resource.status:
            if place["sub"] == "status":
                made = {**copied(live), **({"status": made["status"]} if "status" in made else {})}
            elif resource.custom:
                made = {**made, **({"status": live["status"]} if "status" in live else {})}
                made.pop("status", None) if "status" not in live else None
        self._check(resource, made, parameters, live)
        if made == live and known.keys() == self.owners.get(key, {}).keys():
            return copied(stored)
        outside = lambda each: {key: value for key, value in each.items() if key not in ("metadata", "status")}
        if "generation" in made["metadata"] and outside(made) != outside(live):
            made["metadata"]["generation"] += 1
        if parameters.get("dryRun"):
            return made
        if owners is None:
            owners = patches.updated(live, made, parameters["fieldManager"], known)
        self.owners[key] = owners
        if made["metadata"].get("deletionTimestamp") and not made["metadata"].get("finalizers"):
            self._remove(key, made)
            return copied(made)
        return self._store(key, made, "MODIFIED")

    def _delete(self, resource, place, options):
        live = self._get(resource, place)
        key = (resource.group, resource.plural, place["namespace"], place["name"])
        for field in ("uid", "resourceVersion"):
            wanted = (options.get("preconditions") or {}).get(field)
            if wanted and wanted != live["metadata"][field]:
                raise Refusal(
                    409,
                    "Conflict",
                    f"the {field} in the precondition does not match",
                    details_of(resource, place["name"], kind=True),
                )
        if live["metadata"].get("finalizers"):
            if not live["metadata"].get("deletionTimestamp"):
                live = copied(live)
                live["metadata"] |= {"deletionTimestamp": now_text(), "deletionGracePeriodSeconds": 0}
                live["metadata"]["generation"] = live["metadata"].get("generation", 0) + 1
                return self._store(key, live, "MODIFIED")
            return copied(live)
        self._remove(key, live)
        details = {"name": place["name"], "kind": resource.plural, "uid": live["metadata"]["uid"]}
        details |= {"group": resource.group} if resource.group else {}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def _check(self, resource, body, parameters, live=None):
        check_times(resource, body)
        name = body.get("metadata", {}).get("name", "")
        if not NAME.match(name):
            raise Refusal(
                422,
                "Invalid",
                f'{resource.kind} "{name}" is invalid: metadata.name',
                details_of(resource, name, [("FieldValueInvalid", "metadata.name")], kind=True),
            )
        if resource.plural == "events" and not body.get("reportingInstance"):
            causes = [("FieldValueRequired", "reportingInstance")]
            raise Refusal(
                422,
                "Invalid",
                f'Event "{name}" is invalid',
                {k: v for k, v in details_of(resource, name, causes, kind=True).items() if k != "group"},
            )
        if not resource.custom:
            return
        gone = [
            path
            for field in ("spec", "status")
            if field in body
            for path in schemas.prune(body[field], resource.schema["properties"].get(field, {}), field)
        ]
        if gone and parameters.get("fieldValidation") == "Strict":
            told = ", ".join(f'unknown field "{path}"' for path in gone)
            raise Refusal(
                400,
                "BadRequest",
                f"{resource.kind} in version cannot be handled as a {resource.kind}: strict decoding error: {told}",
            )
        schemas.fill(body, resource.schema)
        checked = {key: value for key, value in body.items() if key in ("spec", "status")}
        known = {key: inner for key, inner in resource.schema["properties"].items() if key in ("spec", "status")}
        parts = {**resource.schema, "properties": known}
        causes = schemas.faults(checked, parts)
        if live is not None:  # what was wrong before, and is left as it was, is no fault of this write (since 1.30)
            before = schemas.faults({key: value for key, value in live.items() if key in known}, parts)
            causes = [cause for cause in causes if cause not in before]
        if causes:
            raise Refusal(
                422,
                "Invalid",
                f'{resource.kind} "{name}" is invalid: {causes}',
                details_of(
                    resource,
                    name,
                    [*causes, ("FieldValueInvalid", "<nil>")] if "predicates" in str(resource.schema) else causes,
                    kind=True,
                ),
            )
        broken = schemas.broken_rules(body, resource.schema)
        if broken:
            raise Refusal(
                422,
                "Invalid",
                f'{resource.kind} "{name}" is invalid: {broken}',
                details_of(resource, name, [("FieldValueInvalid", field) for _, field in broken], kind=True),
            )

    # -- storage and watches -----------------------------------------------------------------------------------------

    def _store(self, key, body, kind):
        self.version += 1
        body = copied(body)
        body["metadata"]["resourceVersion"] = str(self.version)
        managers = [
            {"manager": name, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {}}
            for name, paths in self.owners.get(key, {}).items()
            if any(path[0] != "status" for path in paths)
        ]
        body["metadata"].pop("managedFields", None)
        if managers:
            body["metadata"]["managedFields"] = managers
        before = self.objects.get(key)
        self.objects[key] = body
        self._index(key, before, body)
        self._log(kind, key, body, before)
        return copied(body)

    def _remove(self, key, body):
        self.version += 1
        before = self.objects.pop(key)
        self._index(key, before, None)
        self.owners.pop(key, None)
        gone = copied(body)
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._log("DELETED", key, gone, before)

    def _index(self, key, before, after):
        of_kind = self.by_kind.setdefault(key[:2], {})
        for obj in (before, after):
            service = ((obj or {}).get("metadata", {}).get("labels") or {}).get(SERVICE_NAME)
            if key[1] == "endpointslices" and service:
                self.by_service.setdefault(service, {}).pop(key[2:], None)
                if obj is after:
                    self.by_service[service][key[2:]] = True
        if after is None:
            of_kind.pop(key[2:], None)
        else:
            of_kind[key[2:]] = after

    def _log(self, kind, key, body, before):
        self.log.append((self.version, kind, key, copied(body), before))
        if len(self.log) > self.keeps:
            self.oldest = self.log[-self.keeps][0]
            del self.log[: -self.keeps]
        self.lock.notify_all()

    def compact(self):
        """Forget all events: a watch from before now must list again."""
        with self.lock:
            self.log.clear()
            self.oldest = self.version

    def events(self, path, parameters, stopped):
        """Yield the events of a watch until its time is over, or `stopped`."""
        resource, place = self._resource(path)
        if self.allowed is not None and not self.allowed("watch", resource, place):
            raise Refusal(
                403, "Forbidden", f"{full_name(resource)} is forbidden: cannot watch", details_of(resource, None)
            )
        self.calls.append(("watch", resource.plural, resource.group))
        chosen = selects(parameters, resource)
        end = time.monotonic() + float(parameters.get("timeoutSeconds") or 300)
        at = parameters.get("resourceVersion")
        mine = lambda key: (
            (key[0], key[1]) == (resource.group, resource.plural) and place["namespace"] in (None, key[2])
        )
        if parameters.get("sendInitialEvents"):
            yield {
                "type": "ERROR",
                "object": Refusal(500, "InternalError", "the required storage feature is disabled").body,
            }
            return
        with self.lock:
            if not at or at == "0":
                found = [copied(each) for key, each in sorted(self.objects.items()) if mine(key) and chosen(each)]
                at = self.version
            elif int(at) < self.oldest:
                yield {
                    "type": "ERROR",
                    "object": Refusal(410, "Expired", f"too old resource version: {at} ({self.oldest})").body,
                }
                return
            else:
                found, at = [], int(at)
        yield from ({"type": "ADDED", "object": each} for each in found)
        next_bookmark = time.monotonic() + 0.5
        while time.monotonic() < end and not stopped.is_set():
            with self.lock:
                if at < self.oldest:
                    return
                first = bisect.bisect_right(self.log, at, key=lambda entry: entry[0])
                news = [entry for entry in self.log[first:] if mine(entry[2])]
                at = max(at, self.version)
                if not news:
                    self.lock.wait(0.05)
            for _, kind, _, body, before in news:
                shown = as_seen(kind, body, before, chosen)
                if shown:
                    yield {"type": shown, "object": copied(body)}
            if parameters.get("allowWatchBookmarks") and time.monotonic() > next_bookmark and at <= self.version:
                next_bookmark = time.monotonic() + 0.5
                api = f"{resource.group}/{place['version']}" if resource.group else "v1"
                yield {
                    "type": "BOOKMARK",
                    "object": {"apiVersion": api, "kind": resource.kind, "metadata": {"resourceVersion": str(at)}},
                }
