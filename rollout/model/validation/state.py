"""Rules for state contracts: each version has its own, and everything is in one place."""

from collections.abc import Iterator
from typing import Any

from rollout.errors import Fault
from rollout.model.units import duration_s, template_names
from rollout.model.validation.rules import IN_A_CLUSTER, Raw, exactly_one, items, mapping, number, template

TIMEOUT_MAX_S = 30.0
EVERY_MIN_S = 5.0


def contract(raw: Raw) -> Iterator[Fault]:
    """A contract is found in exactly one way, for each version its own."""
    declared = raw.get("contract")
    if not isinstance(declared, dict):
        return
    yield from exactly_one(declared, "contract", "contract")
    for path, text in (
        ("configMap.name", mapping(declared.get("configMap")).get("name")),
        ("file", declared.get("file")),
    ):
        yield from template(text, f"contract.{path}")
        if isinstance(text, str) and "version" not in template_names(text):
            remedy = "put $version into it, such as contracts/$version.json"
            yield Fault(f"contract.{path}", "has no $version, so all versions have the same name", remedy, text)
    timeout = number(duration_s, mapping(declared.get("http")).get("timeout"))
    if timeout is not None and not 0 < timeout <= TIMEOUT_MAX_S:
        remedy = "write 1s to 30s"
        yield Fault("contract.http.timeout", "is out of bounds", remedy, mapping(declared.get("http")).get("timeout"))
    yield from _in_one_place(raw, "contract", declared, local=("file",), cluster=("configMap",))


def state_store(raw: Raw) -> Iterator[Fault]:
    """A store is one, and can be reached from where the rollout is carried out."""
    store = raw.get("stateStore")
    if not isinstance(store, dict):
        return
    yield from exactly_one(store, "stateStore", "stateStore")
    yield from _in_one_place(raw, "stateStore", store, local=("sqlite",), cluster=())
    postgres = store.get("postgres")
    if isinstance(postgres, dict):
        yield from exactly_one(postgres, "stateStore.postgres", "postgres")
        yield from _in_one_place(raw, "stateStore.postgres", postgres, local=("env",), cluster=("secretKeyRef",))


def _in_one_place(
    raw: Raw, path: str, sources: dict[str, Any], *, local: tuple[str, ...], cluster: tuple[str, ...]
) -> Iterator[Fault]:
    backends = mapping(raw.get("backends"))
    is_local, is_cluster = "endpoints" in backends, not backends.keys().isdisjoint(IN_A_CLUSTER)
    for key in local:
        if key in sources and is_cluster and not is_local:
            yield Fault(f"{path}.{key}", "is on one machine, and the backend is a Service", "use another form")
    for key in cluster:
        if key in sources and is_local and not is_cluster:
            yield Fault(f"{path}.{key}", "is in a cluster, and the backends are endpoints", "use another form")


def state_gate(raw: Raw) -> Iterator[Fault]:
    """The census comes neither never nor all the time, and the gate asks for no more than it can have."""
    gate = mapping(mapping(raw.get("gates")).get("state"))
    every = number(duration_s, gate.get("every"))
    if every is not None and every < EVERY_MIN_S:
        yield Fault("gates.state.every", "is too often for a database", "write 5s or more", gate["every"])
    for index, waiver in enumerate(items(gate.get("waivers"))):
        code = mapping(waiver).get("code")
        if code in UNWAIVABLE:
            remedy = "remove it, and mend what it is about"
            yield Fault(
                f"gates.state.waivers[{index}].code", "cannot be waived: nobody knows what it hides", remedy, code
            )


UNWAIVABLE = ("NO_CONTRACT", "SCHEMA_TOO_LARGE")
