"""A controller's life: warm caches, the leases, the workers, the probes, and an orderly end."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from pathlib import Path

import structlog

from rollout.adapters.kubernetes.api import HttpApi
from rollout.adapters.kubernetes.elector import Elector, LeaseTimings
from rollout.adapters.kubernetes.kubeconfig import configured
from rollout.controller.controller import Controller, Settings
from rollout.controller.healthz import HealthServer
from rollout.controller.shards import Shards, lease_names
from rollout.controller.share import All
from rollout.errors import Fault, InvalidInput

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

AGENT = "rollout-controller"
LEASE_NAME = "rollout-controller"
LEASE_NAMESPACE = "rollout-system"
"""One place for all who look after a whole cluster, from wherever they do it: so that one leads."""


def lease_name(namespace: str | None) -> str:
    """Return the name of the lease for one namespace, or for the whole cluster: two scopes are two leases."""
    return LEASE_NAME if namespace is None else f"{LEASE_NAME}-{namespace}"


def identity() -> str:
    """Return who we are: the pod, and a part that a restart changes."""
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}_{uuid.uuid4().hex[:8]}"


def serve(
    settings: Settings,
    stopped: threading.Event,
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    lease_namespace: str | None = None,
    listen: tuple[str, int] | None = None,
    terms: LeaseTimings = LeaseTimings(),  # noqa: B008  frozen
    shards: int = 1,
) -> int:
    """Carry rollouts out until stopped (0), or until a lease is lost (1): then the process must end.

    Args:
        lease_namespace: where the leases are; None: where we run.
        listen: where probes are answered, if anywhere.
        shards: how many there are of the rollouts; each has a lease.
    """
    configuration, here = configured(kubeconfig, context)
    api = HttpApi(configuration, agent=AGENT)
    # Its requests end within a retry period: a renewal that hangs must not outlive the lease.
    leases = HttpApi(configured(kubeconfig, context)[0], agent=AGENT, read_timeout_s=terms.retry_s)
    names = lease_names(lease_name(settings.namespace), shards)
    held = Shards([Elector(leases, lease_namespace or here, name, settings.identity, terms) for name in names], terms)
    controller = Controller(api, settings, All(lambda: True) if settings.dry_run else held)
    health = _health_server(listen, controller, held) if listen is not None else None
    controller.start()
    orderly = False
    try:
        if settings.dry_run:  # it writes nothing, so it needs no lease
            controller.gain()
            orderly = stopped.wait()
        else:
            orderly = held.run(stopped, controller)
    finally:
        controller.stop()
        if orderly and not settings.dry_run:
            held.release()
        if health is not None:
            health.close()
    _LOG.info("ended", orderly=orderly)
    return 0 if orderly else 1


def _health_server(listen: tuple[str, int], controller: Controller, held: Shards) -> HealthServer:
    """Answer probes and scrapes. Raises InvalidInput where the address cannot be used."""
    try:
        return HealthServer(
            listen, controller.not_alive, lambda: controller.not_ready() or held.problem, controller.figures.page
        )
    except OSError as error:
        where, remedy = f"{listen[0]}:{listen[1]}", "choose another address with --listen"
        raise InvalidInput([Fault("--listen", f"{where} cannot be used: {error.strerror}", remedy)]) from error
