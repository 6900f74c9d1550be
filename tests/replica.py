"""One replica of a controller for the namespace `agents`: `python -m tests.replica KUBECONFIG IDENTITY SHARDS`."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from rollout.adapters.kubernetes.elector import LeaseTimings
from rollout.controller.controller import Settings
from rollout.controller.manager import serve

TIMINGS = LeaseTimings(lease_s=10.0, renew_s=8.0, retry_s=0.5)
"""A busy machine renews late; who is dead is missed soon all the same."""


def main() -> int:
    kubeconfig, identity, shards = sys.argv[1:]
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    settings = Settings(namespace="agents", identity=identity, workers=2)
    return serve(
        settings, stopped, kubeconfig=Path(kubeconfig), lease_namespace="agents", terms=TIMINGS, shards=int(shards)
    )


if __name__ == "__main__":
    sys.exit(main())
