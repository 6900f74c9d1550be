"""Contracts of versions, from wherever a rollout says: the agent itself, a file, a ConfigMap, or the rollout."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from rollout.adapters.http import Services
from rollout.adapters.kubernetes.api import Api
from rollout.adapters.kubernetes.resources import CONFIG_MAP
from rollout.causes import why
from rollout.contracts.served import no_contract
from rollout.engine.facts import FetchedContract
from rollout.errors import PageUnavailable, Unavailable
from rollout.model.api.state_sources import ConfigMapContract, HttpContract
from rollout.model.rollout import Rollout
from rollout.model.units import expand, object_form
from rollout.model.yaml_text import read_bounded

CONTRACT_MAX_BYTES = 1024 * 1024
OK = 200

Addresses = Callable[[str], Sequence[str]]
"""Where a version answers, by version."""


class ContractReader:
    """Reads the contract of a version.

    Args:
        addresses: where it answers.
        api: where there is a cluster.
    """

    def __init__(self, services: Services, addresses: Addresses, api: Api | None = None) -> None:
        self._services, self.addresses, self._api = services, addresses, api

    def read(self, rollout: Rollout, version: str) -> FetchedContract:
        """Return what a version's contract says, or why it cannot be had."""
        source = rollout.spec.contract
        if source is None:
            return FetchedContract(problem="the rollout does not say where it is: declare spec.contract")
        try:
            if source.inline is not None:
                return _inline(source.inline, version)
            if source.file is not None:
                return _file(Path(_filled(source.file, rollout, version)))
            if source.config_map is not None:
                return self._config_map(source.config_map, rollout, version)
            return self._http(source.http or HttpContract(), version)
        except Unavailable as error:
            return FetchedContract(problem=str(error))

    def _http(self, source: HttpContract, version: str) -> FetchedContract:
        """Ask the agent: the first address that answers. Redirects are not followed, and a page is bounded."""
        problem = f"{version} has no address"
        for address in self.addresses(version):
            url = address.rstrip("/") + source.path
            try:
                answer = self._services.ask("GET", url, None, {}, source.timeout_s, CONTRACT_MAX_BYTES)
            except PageUnavailable as error:
                problem = str(error)
                continue
            if answer.status == OK:
                return _believed(answer.text, url)
            problem = f"{url} answered {answer.status}: serve the contract there (docs/state-how-to.md)"
        return FetchedContract(problem=problem)

    def _config_map(self, source: ConfigMapContract, rollout: Rollout, version: str) -> FetchedContract:
        name, namespace = _filled(source.name, rollout, object_form(version)), rollout.metadata.namespace
        assert self._api is not None, "documents were checked before"
        data = self._api.get(CONFIG_MAP, namespace, name).get("data") or {}
        if source.key not in data:
            return FetchedContract(problem=f"the ConfigMap {namespace}/{name} has no key {source.key}")
        return _believed(str(data[source.key]), f"the ConfigMap {namespace}/{name}")


def _believed(text: str, where: str) -> FetchedContract:
    """Return what was fetched, if it is a contract or a schema. Nothing else is kept or quoted: whose is it?"""
    if problem := no_contract(text):
        return FetchedContract(
            problem=f"{where} answers with what is no state contract: {problem} (docs/state-how-to.md)"
        )
    return FetchedContract(text=text)


def _inline(contracts: dict[str, object], version: str) -> FetchedContract:
    if version not in contracts:
        return FetchedContract(problem=f"spec.contract.inline has none for {version}: add it")
    inline = contracts[version]
    return FetchedContract(text=inline if isinstance(inline, str) else json.dumps(inline))


def _file(path: Path) -> FetchedContract:
    try:
        text = read_bounded(path, CONTRACT_MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        return FetchedContract(problem=f"{path} cannot be read: {why(error)}")
    if text is None:
        return FetchedContract(problem=f"{path} is larger than 1 MiB")
    return FetchedContract(text=text)


def _filled(template: str, rollout: Rollout, version: str) -> str:
    return expand(template, name=rollout.metadata.name, version=version, namespace=rollout.metadata.namespace)
