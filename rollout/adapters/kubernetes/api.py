"""Calls to the Kubernetes API: each bounded in time, each failure one of our own errors.

With `kubeconfig`, all that imports `kubernetes`, whose part is what it is best at: kubeconfig, tokens, TLS. Its
typed models are not used: they cost 12 times the parsing and raise for objects that are newer than they are, after the
write has happened; nor its watch and elector, which hang and split (docs/adr/0003 says what was measured).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from rollout.adapters.kubernetes.errors import error_for, lost
from rollout.adapters.kubernetes.resources import Kind, Object, version_of
from rollout.errors import ClusterUnavailable, Expired
from rollout.redaction import SECRETS

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 15.0
PAGE_SIZE = 500
PAGES_MAX = 200
"""100 000 objects of one kind: beyond that, watch fewer namespaces."""

LINE_MAX_BYTES = 4 * 1024 * 1024
"""etcd holds 1.5 MiB an object; a longer line of a watch is no event."""

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Api(Protocol):
    """What the rest of this tool asks of a cluster. Raises ClusterUnavailable, or one of its children."""

    @property
    def manager(self) -> str:
        """The name that our writes are recorded under in managedFields."""
        ...

    def get(self, kind: Kind, namespace: str, name: str) -> Object: ...

    def list_all(self, kind: Kind, namespace: str | None, **selectors: str) -> tuple[list[Object], str]:
        """Return all objects of a kind, and the version to watch from."""
        ...

    def pages(self, kind: Kind, namespace: str | None, **selectors: str) -> Iterator[tuple[list[Object], str]]:
        """Yield them page by page, each with that version: whoever keeps little of each need not hold them all."""
        ...

    def create(self, kind: Kind, namespace: str, body: Object) -> Object: ...

    def replace(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """Write an object whole, over the resourceVersion in it."""
        ...

    def merge(self, kind: Kind, namespace: str, name: str, patch: Object, *, sub: str = "") -> Object:
        """Change some fields; with a resourceVersion in the patch, only of that very version."""
        ...

    def patch(self, kind: Kind, namespace: str, name: str, operations: list[Object]) -> Object:
        """Carry out a JSON patch: all of it, or nothing where a `test` fails (Rejected)."""
        ...

    def delete(self, kind: Kind, namespace: str, name: str, version: str) -> None:
        """Delete an object as it was read at a resourceVersion; a later one is left alone (Conflict)."""
        ...

    def watch(self, kind: Kind, namespace: str | None, version: str, timeout_s: float, **selectors: str) -> Watch: ...


class Watch(Protocol):
    """A stream of events; iterate it in one thread, stop it from any."""

    def __iter__(self) -> Iterator[Object]: ...

    def stop(self) -> None: ...


class HttpApi:
    """The API over HTTP."""

    def __init__(
        self,
        configuration: Any,
        *,
        agent: str,
        read_timeout_s: float = READ_TIMEOUT_S,
        strict: bool = False,
        ours: bool = True,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            agent: our name as the manager of fields.
            strict: whether unknown fields are refused instead of dropped.
            ours: whether the credential is this process's own, to be kept out of whatever it writes. One that anybody
                may send is not: it would decide what is taken out.
        """
        import urllib3  # noqa: PLC0415
        from kubernetes.client import ApiClient  # noqa: PLC0415

        from rollout import __version__  # noqa: PLC0415

        if not configuration.verify_ssl:  # whoever has chosen that in a kubeconfig need not be told at each request
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        configuration.retries = False  # urllib3 would triple each failure behind our own back-off
        for credential in (*configuration.api_key.values(), configuration.password or "") if ours else ():
            SECRETS.note(str(credential))
        configuration.keep_alive = True
        configuration.connection_pool_maxsize = 32
        self._client = ApiClient(configuration)
        self._pool = self._client.rest_client.pool_manager
        self._timeout = urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, read_timeout_s), read=read_timeout_s)
        self._host = str(configuration.host).rstrip("/")
        self._manager, self._strict = agent, strict
        self._headers = {"User-Agent": f"{agent}/{__version__}", "Accept": "application/json"}

    @property
    def manager(self) -> str:
        return self._manager

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        return self._call("GET", kind.path(namespace, name))

    def list_all(self, kind: Kind, namespace: str | None, **selectors: str) -> tuple[list[Object], str]:
        pages = list(self.pages(kind, namespace, **selectors))
        return [obj for objects, _ in pages for obj in objects], pages[-1][1]

    def pages(self, kind: Kind, namespace: str | None, **selectors: str) -> Iterator[tuple[list[Object], str]]:
        parameters = {"limit": str(PAGE_SIZE), **selectors}
        for _ in range(PAGES_MAX):
            page = self._call("GET", kind.path(namespace), parameters)
            says = {"apiVersion": kind.api_version, "kind": kind.kind}  # which the items of a list do not
            yield [{**says, **obj} for obj in page.get("items") or ()], version_of(page)
            parameters["continue"] = page["metadata"].get("continue") or ""
            if not parameters["continue"]:
                return
        raise ClusterUnavailable(f"there are more than {PAGES_MAX * PAGE_SIZE} {kind.resource}: watch fewer namespaces")

    def create(self, kind: Kind, namespace: str, body: Object) -> Object:
        return self._write("POST", kind.path(namespace), body, "application/json")

    def replace(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        return self._write("PUT", kind.path(namespace, name), body, "application/json")

    def merge(self, kind: Kind, namespace: str, name: str, patch: Object, *, sub: str = "") -> Object:
        return self._write("PATCH", kind.path(namespace, name, sub), patch, MERGE)

    def patch(self, kind: Kind, namespace: str, name: str, operations: list[Object]) -> Object:
        return self._write("PATCH", kind.path(namespace, name), operations, JSON_PATCH)

    def delete(self, kind: Kind, namespace: str, name: str, version: str) -> None:
        body = json.dumps({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"resourceVersion": version}})
        self._call("DELETE", kind.path(namespace, name), None, body, "application/json")

    def watch(self, kind: Kind, namespace: str | None, version: str, timeout_s: float, **selectors: str) -> Watch:
        """Open a watch. The read timeout lies above `timeout_s`: a dead peer ends it too."""
        parameters = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", **selectors}
        parameters["timeoutSeconds"] = str(int(timeout_s))
        return _Stream(self._open("GET", kind.path(namespace), parameters, read_timeout_s=timeout_s + READ_TIMEOUT_S))

    def _write(self, method: str, path: str, body: Any, content_type: str) -> Object:
        parameters = {"fieldManager": self._manager}
        if self._strict:
            parameters["fieldValidation"] = "Strict"
        return self._call(method, path, parameters, json.dumps(body), content_type)

    def _call(
        self, method: str, path: str, parameters: Mapping[str, str] | None = None, body: str = "", kind: str = ""
    ) -> Object:
        import urllib3  # noqa: PLC0415

        answer = self._open(method, path, parameters, body, kind)
        try:
            raw = answer.read()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise lost(method, path, error) from error
        finally:
            answer.release_conn()
        try:
            parsed = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise ClusterUnavailable(f"{method} {path}: the answer is no JSON: is this a Kubernetes API?") from error
        if not isinstance(parsed, dict):
            raise ClusterUnavailable(f"{method} {path}: the answer is no object: is this a Kubernetes API?")
        return parsed

    def _open(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None,
        body: str = "",
        content_type: str = "",
        *,
        read_timeout_s: float | None = None,
    ) -> Any:
        import urllib3  # noqa: PLC0415

        headers = {**self._headers, **({"Content-Type": content_type} if content_type else {})}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = f"{self._host}{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        timeout = self._timeout
        if read_timeout_s is not None:
            timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=read_timeout_s)
        try:
            answer = self._pool.request(
                method, url, body=body or None, headers=headers, timeout=timeout, preload_content=False, redirect=False
            )
            if not 200 <= answer.status < 300:
                raw = answer.read()
                answer.release_conn()
                raise error_for(method, path, answer.status, raw, answer.headers)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise lost(method, path, error) from error
        return answer


class _Stream:
    """Events of one watch, a JSON object a line."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self._stopped = False

    def __iter__(self) -> Iterator[Object]:
        import urllib3  # noqa: PLC0415

        rest = b""
        try:
            while not self._stopped and (chunk := self._answer.read1(65_536)):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield _event(line)
                if len(rest) > LINE_MAX_BYTES:
                    raise ClusterUnavailable("the watch sent a line that is no event")
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            if not self._stopped:
                raise lost("WATCH", "", error) from error
        finally:
            self._answer.close()

    def stop(self) -> None:
        """End it from another thread, also while it waits for the next event."""
        self._stopped = True
        try:
            self._answer.shutdown()
        except (ValueError, RuntimeError, OSError, AttributeError):
            return  # it has ended already


def _event(line: bytes) -> Object:
    try:
        event = json.loads(line)
        kind, obj = event["type"], event["object"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ClusterUnavailable("the watch sent a line that is no event") from error
    if kind == "ERROR":
        message = str(obj.get("message", "the watch has failed"))
        raise Expired(message) if obj.get("code") == 410 else ClusterUnavailable(message)
    return {"type": kind, "object": obj}
