"""The fake API server answers as a real one was seen to: every recorded exchange, in order."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.fakes.cluster import FakeCluster
from tests.fakes.resources import Refusal

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "apiserver" / "exchanges.json"
pytestmark = pytest.mark.skipif(
    not RECORDED.exists(), reason=f"no recorded exchanges beside the project ({RECORDED.name})"
)

VOLATILE = ("uid", "creationTimestamp", "deletionTimestamp", "managedFields", "resourceVersion")
SKIPPED = {
    "watch-label-selector": "the recorded answer is that the server's cache was behind",
}


def settled(value):
    """An object without what differs from run to run."""
    if isinstance(value, dict):
        return {k: settled(v) for k, v in value.items() if k not in VOLATILE}
    return [settled(each) for each in value] if isinstance(value, list) else value


def essence(status, body):
    """What clients rely on: code, reason, causes; of a success the object."""
    if status < 400:
        if isinstance(body, dict) and body.get("kind") == "Status":
            return status, "Success"
        if isinstance(body, dict) and "items" in body:
            return status, [settled(each) for each in body["items"]], bool(body["metadata"].get("continue"))
        return status, settled(body)
    if not isinstance(body, dict):
        return status, "page"
    causes = sorted((c["reason"], c.get("field", "")) for c in (body.get("details") or {}).get("causes", ()))
    return status, body.get("reason"), causes


LEAVE = {"metadata": {"labels": {"team": "x"}, "finalizers": ["example.dev/hold"]}}
BETWEEN = {
    # What happened between the exchanges, as their answers show.
    "list-label-selector": [("PATCH", "a", LEAVE)],
    "watch-from-rv": [
        ("PATCH", "a", {"spec": {"weight": 41}}),
        (
            "POST",
            "",
            {"apiVersion": "example.dev/v1", "kind": "Widget", "metadata": {"name": "w2"}, "spec": {"version": "v1"}},
        ),
        ("DELETE", "w2", None),
    ],
}


class Replay:
    """Replays requests, with the recorded versions and uids translated into the fake's own."""

    def __init__(self):
        self.cluster = FakeCluster(first_version=1272)
        self.known = {}

    def translate(self, value):
        if isinstance(value, dict):
            return {
                k: self.known.get(v, v) if k in ("resourceVersion", "uid") else self.translate(v)
                for k, v in value.items()
            }
        return [self.translate(each) for each in value] if isinstance(value, list) else value

    def learn(self, recorded, mine):
        if isinstance(recorded, dict) and isinstance(mine, dict) and "metadata" in recorded:
            for key in ("resourceVersion", "uid"):
                if key in recorded["metadata"] and key in mine.get("metadata", {}):
                    self.known[recorded["metadata"][key]] = mine["metadata"][key]
            for one, other in zip(recorded.get("items") or (), mine.get("items") or (), strict=False):
                self.learn(one, other)

    def answer(self, exchange):
        request, name = exchange["request"], exchange["name"]
        if name in BETWEEN:
            self.known[str(request.get("params", {}).get("resourceVersion"))] = str(self.cluster.version)
        for method, which, body in BETWEEN.get(name, ()):
            path = f"/apis/example.dev/v1/namespaces/default/widgets/{which}".rstrip("/")
            self.cluster.handle(method, path, {}, "application/merge-patch+json", body)
        parameters = {k: self.known.get(v, v) for k, v in (request.get("params") or {}).items()}
        if parameters.get("continue") and "continue" in self.known:
            parameters["continue"] = self.known["continue"] if parameters["continue"] != "garbage" else "garbage"
        if parameters.get("watch"):
            parameters["timeoutSeconds"] = "0.2"
            return 200, list(self.cluster.events(request["path"], parameters, threading.Event()))
        body = request.get("body")
        if name == "lease-put-without-rv":  # it was recorded after the next one had been made of it
            body["spec"]["renewTime"] = "2026-11-21T00:00:00.000000Z"
        agent = "unknown" if "apply" in str(request.get("contentType")) else "python-requests"
        try:
            return self.cluster.handle(
                request["method"], request["path"], parameters, request.get("contentType"), self.translate(body), agent
            )
        except Refusal as refusal:
            return refusal.code, "404 page not found\n" if refusal.body[
                "message"
            ] == "404 page not found" else refusal.body


def test_every_recorded_exchange_is_answered_alike():
    replay, wrong, seen = Replay(), [], 0
    for exchange in json.loads(RECORDED.read_text()):
        name = exchange["name"]
        if name in SKIPPED or name in ("bad-token", "forbidden", "unknown-api"):
            continue
        seen += 1
        code, mine = replay.answer(exchange)
        recorded = exchange["response"]
        if "events" in recorded:
            same = [
                (e["type"], settled(e["object"]) if e["type"] != "ERROR" else e["object"]["code"])
                for e in recorded["events"]
                if e["type"] != "BOOKMARK"
            ]
            got = [
                (e["type"], settled(e["object"]) if e["type"] != "ERROR" else e["object"]["code"])
                for e in mine
                if e["type"] != "BOOKMARK"
            ]
            if same != got:
                wrong.append((name, same, got))
            continue
        if essence(recorded["status"], recorded["body"]) != essence(code, mine):
            wrong.append((name, essence(recorded["status"], recorded["body"]), essence(code, mine)))
        elif code < 400:
            replay.learn(recorded["body"], mine)
            if isinstance(mine, dict) and mine.get("metadata", {}).get("continue"):
                replay.known["continue"] = mine["metadata"]["continue"]
            if name.endswith("noop"):
                assert mine["metadata"]["resourceVersion"] == str(replay.cluster.version)
    assert seen >= 70
    assert not wrong, "\n".join(f"{name}\n  recorded {one}\n  fake     {other}" for name, one, other in wrong)


def recorded(name):
    return next(each for each in json.loads(RECORDED.read_text()) if each["name"] == name)["response"]


def test_what_is_not_known_not_allowed_and_not_there_is_refused_alike(tmp_path):
    """Recorded without their requests: a wrong token, a right that is missing, a kind that is not installed."""
    import urllib.error
    import urllib.request

    from tests.fakes.server import serving

    cluster = FakeCluster()
    paths = {
        "bad-token": ("/apis/example.dev/v1/namespaces/default/widgets", "wrong"),
        "forbidden": ("/apis/example.dev/v1/namespaces/default/widgets", "right"),
        "unknown-api": ("/apis/nobody.dev/v1/nothings", "right"),
    }
    with serving(cluster, token="right") as url:
        for name, (path, token) in paths.items():
            cluster.allowed = (lambda verb, resource, place: False) if name == "forbidden" else None
            request = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {token}"})
            with pytest.raises(urllib.error.HTTPError) as told:
                urllib.request.urlopen(request, timeout=5)
            body = told.value.read().decode()
            told.value.close()
            expected = recorded(name)
            if isinstance(expected["body"], str):
                assert (told.value.code, body) == (expected["status"], expected["body"]), name
            else:
                mine = json.loads(body)
                keys = ("kind", "apiVersion", "status", "reason", "code")
                assert {key: mine[key] for key in keys} == {key: expected["body"][key] for key in keys}, name
                wanted = expected["body"].get("details") or {}
                assert {key: (mine.get("details") or {}).get(key) for key in wanted} == wanted, name
