"""The gatekeeper: reads the calendar, and steps along the checks that a status says are under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rollout.adapters.checks.jobs import CommandJob, Job, WebhookJob
from rollout.adapters.checks.release_windows import reading
from rollout.adapters.egress import Egress
from rollout.adapters.http import Services
from rollout.engine.facts import Calendar, CheckFact
from rollout.engine.ports import Clock
from rollout.model.api.gates import CommandGate, Gates, Webhook
from rollout.model.rollout import Rollout
from rollout.model.status.release import CheckRun

Addresses = Callable[[str], Sequence[str]]
"""Where a version answers, by version."""


class CheckRunner:
    """Carries out the checks of one rollout. Close it after use.

    Args:
        directory: where commands run.
        addresses: where versions answer.
        egress: what policies may ask, and send away of the environment.
        preview: where a candidate answers that is previewed; empty where that is its own address.
    """

    def __init__(
        self,
        services: Services,
        directory: Path,
        clock: Clock,
        addresses: Addresses,
        preview: str = "",
        egress: Egress = Egress(),  # noqa: B008  frozen
    ) -> None:
        self._services, self._egress = services, egress
        self._directory = directory
        self._clock = clock
        self.addresses = addresses
        self._preview = preview
        self._jobs: dict[str, Job] = {}

    def calendar(self, gates: Gates) -> Calendar:
        """Return whether the windows and freezes let traffic move: people mean the clock on the wall."""
        return reading(gates, datetime.now(UTC))

    def checks(self, rollout: Rollout, gates: Gates) -> Mapping[str, CheckFact]:
        """Return what is known of each check under way; begin the new ones, give up those that are over."""
        under_way = {run.id: run for run in rollout.status.latest.checks if run.state == "running"}
        if not rollout.status.is_active:
            under_way = {}
        for gone in self._jobs.keys() - under_way.keys():
            self._jobs.pop(gone).give_up()
        every: tuple[Webhook | CommandGate, ...] = (*gates.webhooks, *gates.commands)
        declared = {check.name: check for check in every}
        known = {}
        for run in under_way.values():
            if run.id not in self._jobs and run.name in declared:
                self._jobs[run.id] = self._begin(run, declared[run.name], rollout)
            if (job := self._jobs.get(run.id)) is not None:
                job.step()
                known[run.id] = job.fact
        return known

    def _begin(self, run: CheckRun, check: Webhook | CommandGate, rollout: Rollout) -> Job:
        question = asked(run, rollout, self.addresses, self._preview)
        if isinstance(check, Webhook):
            return WebhookJob(self._services, self._egress, check, question, run.where)
        left_s = max(0.0, (run.deadline - self._clock.now()).total_seconds())
        return CommandJob(check, question, self._directory, left_s)

    def close(self) -> None:
        """Give up every check; whoever comes next begins them again under the same ids."""
        for job in self._jobs.values():
            job.give_up()
        self._jobs.clear()


def asked(run: CheckRun, rollout: Rollout, addresses: Addresses, preview: str) -> dict[str, Any]:
    """Return what a check is told: plain data, the same for webhooks and commands, on one machine and in a cluster."""
    status = rollout.status
    stable, candidate = status.stable_version or "", status.candidate_version or ""
    return {
        "id": run.id,
        "point": run.point,
        "rollout": rollout.metadata.name,
        "namespace": rollout.metadata.namespace,
        "stable": stable,
        "candidate": candidate,
        "urls": {
            "stable": next(iter(addresses(stable)), ""),
            "candidate": next(iter(addresses(candidate)), ""),
        },
        "preview": preview,
    }
