"""What the controller shows of a rollout to Prometheus."""

from __future__ import annotations

import math

from rollout.controller.metrics import ControllerMetrics
from rollout.model.status.conversations import Draining
from rollout.model.status.status import Status
from tests.world import EPOCH

OPEN = "rollout_draining_conversations"


def status(**draining):
    drains = {version: Draining(since=EPOCH, open=count) for version, count in draining.items()}
    return Status(stable_version="v3", draining=drains)


def shown(metrics, version):
    labels = {"namespace": "agents", "rollout": "agent", "version": version}
    return metrics.registry.get_sample_value(OPEN, labels)


def test_each_version_that_is_drained_shows_how_many_conversations_are_open_until_it_is_over():
    metrics = ControllerMetrics()
    metrics.show("agents", "agent", status(v1=3, v2=None))
    assert shown(metrics, "v1") == 3 and math.isnan(shown(metrics, "v2")), "what is not known is not zero"
    metrics.show("agents", "agent", status(v2=1))
    assert shown(metrics, "v1") is None and shown(metrics, "v2") == 1
    metrics.forget("agents", "agent")
    assert OPEN.encode() + b"{" not in metrics.page()


def test_a_rollout_without_drains_has_no_series_of_them():
    metrics = ControllerMetrics()
    metrics.show("agents", "agent", status())
    assert OPEN.encode() + b"{" not in metrics.page() and b"rollout_phase{" in metrics.page()
