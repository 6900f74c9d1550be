"""What many rollouts cost a controller on a real API server and a real Prometheus: CPU, calls, queries, memory.

CPU is the kernel's account of the controller's process, calls are the API server's audit log, queries are Prometheus'
own count. Needs `make cluster-binaries` and Debian's prometheus.

    python benchmarks/bench_cluster.py [ROLLOUTS:ACTIVE …]
"""

from __future__ import annotations

import collections
import json
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import fleet
from benchmarks.costs import measured, table
from benchmarks.counters import RisingCounters
from tests.cluster import server as cluster_server
from tests.cluster.world import AdminApi
from tests.integration.prometheus import Prometheus

SIZES = ("1:1", "20:20", "200:0", "200:200")
SETTLED_S = 90.0
MEASURED_S = 120.0
ADDRESS = "10.1.0.7"
AGENT = "rollout-controller"


@contextmanager
def page(counters: RisingCounters) -> Iterator[str]:
    """Serve the counters as a page to be scraped; return where."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = "".join(_lines(counters)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{serving.server_port}"
    finally:
        serving.shutdown()
        serving.server_close()


def _lines(counters: RisingCounters) -> Iterator[str]:
    now = time.time()
    for name, series in counters.labels.items():
        yield f"# TYPE {name} counter\n"
        for pairs, labels in series:
            written = ",".join(f'{label}="{value}"' for label, value in pairs)
            yield f"{name}{{{written}}} {counters.value(name, labels['pod'], now):.0f}\n"


def measure(size: int, active: int, folder: Path) -> None:
    names = [f"agent{number}" for number in range(size)]
    with ExitStack() as close:
        server = close.enter_context(cluster_server.Server(folder))
        cluster_server.install_definitions(server)
        server.kubectl("apply", "--server-side", "-k", "manifests/")
        server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        server.kubectl("create", "namespace", fleet.NAMESPACE)
        named = size >= fleet.LARGE
        counters = RisingCounters(names, named=named)
        target = close.enter_context(page(counters))
        prometheus = Prometheus(folder, {"agents": ("/metrics", [target])}, every="2s", honors=True)
        close.callback(prometheus.close)
        api = AdminApi(cluster_server.configured(server.kubeconfig)[0], agent="bench", read_timeout_s=10)
        fleet.create(api, names, prometheus.url, address=ADDRESS, named=named)
        began = time.monotonic()
        process = close.enter_context(fleet.controller(server.kubeconfig, folder / "log"))
        process.wait_until_ready()
        ready_s = time.monotonic() - began
        fleet.wait_until_seen(api, size)
        seen_s = time.monotonic() - began
        fleet.release(api, names[:active])
        fleet.wait("all are shifted", lambda: all(fleet.weight(api, name) == 50 for name in names[:active]))
        time.sleep(SETTLED_S)
        costs = measured(process, MEASURED_S, lambda since: _calls(folder, since), lambda: _queries(prometheus))
    print(costs.row(size, active, ready_s, seen_s), flush=True)


def _queries(prometheus: Prometheus) -> float:
    """Return how many queries Prometheus has answered."""
    with urllib.request.urlopen(f"{prometheus.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    counted = (line for line in lines if line.startswith("prometheus_http_requests_total{") and "/api/v1/query" in line)
    return sum(float(line.rpartition(" ")[2]) for line in counted)


def _calls(folder: Path, since: float) -> collections.Counter[str]:
    """Return the controller's calls since a time, without its watches, by the API server's audit log."""
    calls: collections.Counter[str] = collections.Counter()
    for line in (folder / "audit.log").read_text().splitlines():
        event = json.loads(line)
        at = datetime.fromisoformat(event["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp()
        if at >= since and event["verb"] != "watch" and event.get("userAgent", "").startswith(AGENT):
            of = event.get("objectRef") or {}
            sub = f"/{of['subresource']}" if of.get("subresource") else ""
            calls[f"{event['verb']} {of.get('resource', event['requestURI'])}{sub}"] += 1
    return calls


def main() -> None:
    if why := cluster_server.missing():
        sys.exit(why)
    # Nothing writes over the Deployments, which have no node to run on.
    cluster_server.CONTROLLERS = "serviceaccount-controller,namespace-controller,garbage-collector-controller"
    table(measure, SIZES)


if __name__ == "__main__":
    main()
