"""Contracts from wherever they are, and looks that nobody waits for."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import ormsgpack
import pytest

from rollout.adapters.http import Services
from rollout.adapters.statecontracts.collector import StateCollector
from rollout.adapters.statecontracts.fetch import ContractReader
from rollout.adapters.workloads.service_urls import service_urls
from rollout.engine.facts import FetchedContract
from rollout.errors import PageUnavailable
from rollout.model.api.naming import Naming
from rollout.model.api.rollout import Backends, Metadata
from rollout.model.api.state_sources import ContractSource, StateStore
from rollout.model.rollout import Rollout
from rollout.model.status.release import Pinned
from rollout.model.status.status import Status
from rollout.model.status.vocabulary import Phase
from rollout.runtime.clock import WallClock
from tests.fakes import agents
from tests.fakes.cluster import FakeCluster
from tests.fakes.server import FakeApi
from tests.statuses import status_with
from tests.world import policy, spec

CONTRACT = json.dumps(
    {"contractVersion": 1, "framework": {"name": "langgraph"}, "nodes": {"approve": {"interruptCalls": []}}}
)
OTHER = CONTRACT.replace("approve", "confirm")


@pytest.fixture
def agent():
    """An agent that answers each path in its own way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/slow":
                time.sleep(1.0)
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("location", "/contract")
                self.end_headers()
                return
            self.send_response(404 if self.path == "/none" else 200)
            self.end_headers()
            body = b"x" * 2_000_000 if self.path == "/large" else CONTRACT.encode()
            try:
                self.wfile.write(body)
            except OSError:
                return

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def declared(**source):
    changed = spec("v2", policy()).model_copy(update={"contract": ContractSource.model_validate(source)})
    return Rollout(Metadata(name="shop", namespace="agents"), changed, Status(stable_version="v1"))


def told(rollout, addresses=(), api=None, version="v2"):
    services = Services()
    try:
        return ContractReader(services, {"v1": addresses, "v2": addresses, "v3": addresses}.__getitem__, api).read(
            rollout, version
        )
    finally:
        services.close()


def test_an_agent_tells_its_contract_itself(agent):
    assert told(declared(http={"path": "/contract"}), [agent]) == FetchedContract(text=CONTRACT)


@pytest.mark.parametrize(
    ("path", "word"), [("/none", "404"), ("/moved", "302"), ("/large", "larger than"), ("/slow", "within 0.3 s")]
)
def test_whatever_else_it_answers_is_a_problem_in_bounded_time_and_size(agent, path, word):
    found = told(declared(http={"path": path, "timeout": "300ms"}), [agent])
    assert not found.text and word in found.problem


def test_another_address_of_the_version_is_asked_where_one_is_down(agent):
    assert told(declared(http={"path": "/contract"}), ["http://127.0.0.1:1", agent]).text == CONTRACT
    assert "cannot be reached" in told(declared(http={}), ["http://127.0.0.1:1"]).problem


def test_a_file_is_one_a_version(tmp_path):
    (tmp_path / "shop-v2.json").write_text(CONTRACT)
    rollout = declared(file=str(tmp_path / "$name-$version.json"))
    assert told(rollout).text == CONTRACT
    assert "cannot be read" in told(rollout, version="v3").problem
    (tmp_path / "shop-v3.json").write_text("x" * 2_000_000)
    assert "larger" in told(rollout, version="v3").problem


def test_what_is_written_into_the_rollout_is_taken_as_it_is():
    rollout = declared(inline={"v1": json.loads(CONTRACT), "v2": CONTRACT})
    assert json.loads(told(rollout, version="v1").text) == json.loads(told(rollout).text) == json.loads(CONTRACT)
    assert "none for v3" in told(rollout, version="v3").problem


class FakeMaps:
    """An API with config maps, and one that is down."""

    def __init__(self, maps):
        self.maps = maps

    def get(self, kind, namespace, name):
        found = self.maps.get((kind.kind, namespace, name))
        if found is None:
            raise PageUnavailable(f"there is no {namespace}/{name}")
        return {"data": found}


def test_a_config_map_is_one_a_version():
    api = FakeMaps({("ConfigMap", "agents", "shop-v2-state"): {"state-contract.json": CONTRACT}})
    rollout = declared(configMap={"name": "$name-$version-state"})
    assert told(rollout, api=api).text == CONTRACT
    assert "no agents/shop-v3-state" in told(rollout, api=api, version="v3").problem
    other = declared(configMap={"name": "$name-$version-state", "key": "x"})
    assert "has no key x" in told(other, api=api).problem


def test_in_a_cluster_a_version_answers_at_its_service():
    naming = Naming("shop", "agents", Backends(service="$name-$version", port=8000))
    api = FakeApi(FakeCluster())
    assert service_urls(api, naming)("v2") == ["http://shop-v2.agents.svc:8000"]
    agents.version(api, "v2", name="shop", namespace="agents")
    portless = Naming("shop", "agents", Backends(service="$name-$version"))
    assert service_urls(api, portless)("v2") == ["http://shop-v2.agents.svc:8000"], "the Service says which"
    assert service_urls(api, portless)("v3") == ["http://shop-v3.agents.svc"]


# -- the keeper --------------------------------------------------------------------------------------------------------


def until(ask, wanted=bool):
    deadline = time.monotonic() + 60
    while not wanted(found := ask()):
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


def same(rollout, version):
    return FetchedContract(text=CONTRACT)


def no_secret(store):
    return ""


def keeper(contract_of=same):
    return StateCollector(contract_of, no_secret, WallClock())


def test_a_slow_agent_holds_up_no_turn():
    gate = threading.Event()

    def slow(rollout, version):
        gate.wait(60)
        return FetchedContract(text=version)

    found = keeper(slow)
    began = time.monotonic()
    assert found.contracts(declared(http={}), ("v1", "v2")) == {} and time.monotonic() - began < 20
    gate.set()
    assert until(lambda: found.contracts(declared(http={}), ("v1", "v2"))) == {
        "v1": FetchedContract(text="v1"),
        "v2": FetchedContract(text="v2"),
    }
    assert found.contracts(declared(http={}), ("v1", "v3")) == {}, "what is known is of other versions"


def test_a_fault_of_ours_is_a_problem_and_no_silence():
    def broken(rollout, version):
        raise RuntimeError("boom")

    found = keeper(broken)
    assert "RuntimeError" in until(lambda: found.contracts(declared(http={}), ("v1",)))["v1"].problem


def stored(path, *waiting):
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE checkpoints (thread_id, checkpoint_ns, checkpoint_id, type, checkpoint, metadata)"
        )
        for number, node in enumerate(waiting):
            blob = ormsgpack.packb({"channel_values": {f"branch:to:{node}": None}})
            database.execute(
                "INSERT INTO checkpoints VALUES (?, '', '1', 'msgpack', ?, '{}')", (f"secret-{number}", blob)
            )
    database.close()


def under_way(path, old=CONTRACT, new=OTHER):
    changed = spec("v2", policy()).model_copy(
        update={"state_store": StateStore.model_validate({"sqlite": {"path": str(path)}})}
    )
    contracts = {"v1": Pinned(text=old, digest="1"), "v2": Pinned(text=new, digest="2")}
    status = status_with(stable_version="v1", candidate_version="v2", phase=Phase.PREFLIGHT, contracts=contracts)
    return Rollout(Metadata(name="shop"), changed, status)


def test_live_conversations_are_counted_in_both_directions_and_never_named(tmp_path):
    stored(tmp_path / "threads", "approve", "approve", "confirm")
    found = keeper()
    looked = until(lambda: found.census(under_way(tmp_path / "threads")))
    assert (looked.threads, looked.complete, looked.waiting) == (3, True, {"approve": 2, "confirm": 1})
    assert (looked.backward, looked.backward_reasons) == (2, {"node approve": 2})
    assert (looked.forward, looked.forward_reasons) == (1, {"node confirm": 1})
    assert "secret" not in looked.model_dump_json()


def test_a_census_by_other_contracts_is_no_answer(tmp_path):
    stored(tmp_path / "threads", "approve")
    found = keeper()
    until(lambda: found.census(under_way(tmp_path / "threads")))
    assert found.census(under_way(tmp_path / "threads", new=CONTRACT)) is None
    assert until(lambda: found.census(under_way(tmp_path / "threads", new=CONTRACT))).backward == 0


def test_a_store_that_cannot_be_reached_is_a_problem_of_the_census(tmp_path):
    found = keeper()
    assert "does not exist" in until(lambda: found.census(under_way(tmp_path / "none"))).problem


def test_a_contract_that_was_too_large_to_be_kept_is_a_problem_of_the_census(tmp_path):
    assert "too large" in keeper().census(under_way(tmp_path / "none", old="")).problem


def test_without_a_store_or_without_contracts_nothing_is_looked_at(tmp_path):
    bare = under_way(tmp_path / "threads")
    assert keeper().census(Rollout(bare.metadata, spec("v2", policy()), bare.status)) is None
    assert keeper().census(Rollout(bare.metadata, bare.spec, Status(stable_version="v1"))) is None
