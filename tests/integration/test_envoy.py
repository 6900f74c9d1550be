"""A real Envoy: weights take effect, conversations stay, nothing is lost, and restarts change nothing."""

import http.client
import json
import os
import signal
import socket
import stat
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rollout.adapters.http import Pages
from rollout.adapters.metrics.scrape import ScrapeSource
from rollout.adapters.routers import envoy_admin, envoy_managed
from rollout.adapters.routers.envoy import EnvoyRouter
from rollout.adapters.routers.envoy_managed import ManagedEnvoy
from rollout.engine.effects import SetWeight
from rollout.engine.routes.wanted import is_effective
from rollout.errors import RouterUnavailable
from rollout.local import reach
from rollout.local.reach import unreached
from rollout.model.api.conversations import Conversations
from rollout.model.api.kpi import Kpi
from tests.integration.real import needs_envoy
from tests.network import free_port
from tests.waiting import eventually

pytestmark = [pytest.mark.real, needs_envoy]


class Backend:
    """Answers with its version; fails where asked to."""

    def __init__(self, version: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self):
                self.send_response(500 if self.path == "/fail" else 200)
                self.send_header("content-length", str(len(version)))
                self.end_headers()
                self.wfile.write(version.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def backends():
    made = {version: Backend(version) for version in ("v1", "v2", "v3")}
    yield {version: (backend.url,) for version, backend in made.items()}
    for backend in made.values():
        backend.close()


@pytest.fixture
def http_pages():
    pages = Pages()
    yield pages
    pages.close()


@pytest.fixture
def listen():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def process(tmp_path, listen, http_pages):
    made = ManagedEnvoy("agent", listen, tmp_path / "envoy", http_pages)
    yield made
    made.stop()


@pytest.fixture
def router(backends, process):
    return EnvoyRouter("agent", Conversations(), backends, process)


def put(router: EnvoyRouter, weight: SetWeight) -> None:
    router.apply(weight)
    facts = None

    def there() -> bool:
        nonlocal facts
        facts = router.observe()
        return (facts.stable, facts.candidate, facts.weight_bp) == (
            weight.stable,
            weight.candidate,
            weight.weight_bp,
        )

    eventually(there, why=f"{weight} did not become effective: {facts}")


def answers(listen: str, threads: range, path: str = "/") -> list[str]:
    connection = http.client.HTTPConnection(listen, timeout=5)
    found = []
    for thread in threads:
        connection.request("GET", path, headers={"x-thread-id": f"thread-{thread}"})
        found.append(connection.getresponse().read().decode())
    connection.close()
    return found


def test_conversations_stay_on_their_version_and_only_move_forward(router, listen):
    put(router, SetWeight("v1"))
    assert set(answers(listen, range(50))) == {"v1"}
    moved_before: set[int] = set()
    for bp in (1000, 2000, 5000, 10_000):
        put(router, SetWeight("v1", "v2", bp))
        first, again = answers(listen, range(400)), answers(listen, range(400))
        assert first == again, "the same conversation, the same version"
        on_candidate = {thread for thread, version in enumerate(first) if version == "v2"}
        assert moved_before <= on_candidate, "none goes back while the weight rises"
        assert abs(len(on_candidate) / 400 - bp / 10_000) < 0.08
        moved_before = on_candidate
    put(router, SetWeight("v1", "v2", 0))
    assert set(answers(listen, range(100))) == {"v1"}


def test_no_request_is_lost_while_the_weight_moves(router, listen):
    put(router, SetWeight("v1"))
    stop, lost, count = threading.Event(), [], [0]

    def user(number: int) -> None:
        connection = http.client.HTTPConnection(listen, timeout=5)
        while not stop.is_set():
            try:
                connection.request("GET", "/", headers={"x-thread-id": f"{number}-{count[0]}"})
                response = connection.getresponse()
                if response.status != 200 or not response.read():
                    lost.append(response.status)
            except OSError as error:
                lost.append(error)
                connection.close()
            count[0] += 1
        connection.close()

    users = [threading.Thread(target=user, args=(number,)) for number in range(4)]
    for each in users:
        each.start()
    splits = [SetWeight("v1", "v2", bp) for bp in (100, 1000, 5000, 10_000, 0, 5000, 0)]
    try:
        for weight in (*splits, SetWeight("v1", "v3", 3000), SetWeight("v3")):
            put(router, weight)
            answered_before = count[0]
            eventually(lambda before=answered_before: count[0] > before + 20, why="users wait for an answer")
    finally:
        stop.set()
        for each in users:
            each.join()
    assert lost == []


def test_envoy_outlives_its_controller_and_is_found_again(router, process, tmp_path, listen, http_pages, backends):
    put(router, SetWeight("v1", "v2", 3000))
    child = process._child
    other = ManagedEnvoy("agent", listen, tmp_path / "envoy", http_pages)
    again = EnvoyRouter("agent", Conversations(), backends, other)
    assert other.admin() == process.admin()
    facts = again.observe()
    assert (facts.stable, facts.candidate, facts.weight_bp) == ("v1", "v2", 3000)
    put(again, SetWeight("v1", "v2", 4000))
    assert process._child is child and child.poll() is None, "it was steered, not started anew"


def test_a_restarted_envoy_has_the_same_weights(router, process, listen):
    put(router, SetWeight("v1", "v2", 2500))
    before = answers(listen, range(200))
    process.stop()
    assert not router.observe().reachable
    put(router, SetWeight("v1", "v2", 2500))
    assert answers(listen, range(200)) == before


def test_somebody_elses_process_is_never_taken_for_ours(router, process, tmp_path, listen, http_pages):
    put(router, SetWeight("v1"))
    stranger = ManagedEnvoy("other", "127.0.0.1:1", tmp_path / "other", http_pages)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "admin.txt").write_text((tmp_path / "envoy" / "admin.txt").read_text())
    assert stranger.admin() is None
    stranger.stop()
    assert router.observe().reachable, "it was not stopped either"


def test_an_envoy_whose_admin_page_hangs_is_left_to_serve(router, process, tmp_path):
    put(router, SetWeight("v1", "v2", 2500))
    child = process._child
    os.kill(child.pid, signal.SIGSTOP)
    try:
        assert not router.observe().reachable
        with pytest.raises(RouterUnavailable, match="admin page does not answer"):
            router.apply(SetWeight("v1", "v2", 5000))
    finally:
        os.kill(child.pid, signal.SIGCONT)
    assert child.poll() is None
    put(router, SetWeight("v1", "v2", 5000))
    assert process._child is child


def test_a_directory_that_cannot_be_written_is_told_as_such(backends, tmp_path, http_pages, listen):
    (tmp_path / "file").write_text("")
    router = EnvoyRouter(
        "agent", Conversations(), backends, ManagedEnvoy("agent", listen, tmp_path / "file", http_pages)
    )
    with pytest.raises(RouterUnavailable, match="cannot be written"):
        router.apply(SetWeight("v1"))


def test_a_port_in_use_is_told_with_what_to_do(backends, tmp_path, http_pages):
    with closing(socket.socket()) as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        listen = f"127.0.0.1:{busy.getsockname()[1]}"
        router = EnvoyRouter("agent", Conversations(), backends, ManagedEnvoy("agent", listen, tmp_path, http_pages))
        with pytest.raises(RouterUnavailable, match=r"cannot listen .* in use.* change `listen`"):
            router.apply(SetWeight("v1"))


def test_a_foreign_edit_of_the_route_is_seen(router, process, tmp_path):
    put(router, SetWeight("v1", "v2", 1000))
    path = tmp_path / "envoy" / "routes.json"
    document = json.loads(path.read_text())
    split = document["resources"][0]["virtual_hosts"][0]["routes"][0]["route"]["weighted_clusters"]["clusters"]
    split[0]["weight"], split[1]["weight"] = 2000, 8000
    process.files.write("routes.json", document)
    eventually(lambda: router.observe().weight_bp == 8000)
    put(router, SetWeight("v1", "v2", 1000))
    assert router.observe().weight_bp == 1000, "and it can be put back"


def test_envoys_own_counters_tell_versions_apart(router, listen, http_pages):
    put(router, SetWeight("v1", "v2", 5000))
    answers(listen, range(60))
    answers(listen, range(20), "/fail")
    kpis = [
        {"name": "errors", "preset": "envoy/errors"},
        {"name": "slow", "preset": "envoy/slow-requests", "with": {"slowerThan": "500ms"}},
    ]
    wanted = tuple(Kpi.model_validate(each) for each in kpis)
    source = ScrapeSource("agent", lambda _: (), router.stats_page, http_pages, 2.0)

    def counted() -> bool:
        found = source.read("v1", "v2", wanted)
        errors, slow = found.kpis["errors"], found.kpis["slow"]
        bad = [sum(arm.bad.values()) for arm in (errors.stable, errors.candidate)]
        total = [sum(arm.total.values()) for arm in (errors.stable, errors.candidate)]
        timed = [sum(arm.total.values()) for arm in (slow.stable, slow.candidate)]
        return sum(bad) == 20 and min(bad) > 0 and sum(total) == 80 and timed == total and not slow.problem

    eventually(counted)
    assert counted(), "counters do not go away"
    source.close()


def test_an_endpoint_that_is_down_counts_as_errors_of_its_version(
    router, listen, backends, http_pages, tmp_path, process
):
    dead = EnvoyRouter("agent", Conversations(), {**backends, "v2": ("http://127.0.0.1:1",)}, process)
    put(dead, SetWeight("v1", "v2", 5000))
    answers(listen, range(40))
    wanted = (Kpi.model_validate({"name": "errors", "preset": "envoy/errors"}),)
    source = ScrapeSource("agent", lambda _: (), dead.stats_page, http_pages, 2.0)
    reading = source.read("v1", "v2", wanted).kpis["errors"]
    source.close()
    assert sum(reading.candidate.bad.values()) == sum(reading.candidate.total.values()) > 5
    assert sum(reading.stable.bad.values()) == 0


def test_what_an_envoy_and_its_controller_leave_behind_is_for_this_user_only(router, process, tmp_path):
    put(router, SetWeight("v1", "v2", 2500))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "envoy").iterdir()}
    assert {"admin.sock", "envoy.log", "routes.json", "clusters.json", "bootstrap.json"} <= modes.keys()
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
    assert stat.S_IMODE((tmp_path / "envoy").stat().st_mode) == 0o700


def test_an_envoy_in_a_directory_with_a_long_name_has_its_admin_page_elsewhere(tmp_path, http_pages, listen, backends):
    directory = tmp_path / ("long" * 30) / "envoy"
    process = ManagedEnvoy("agent", listen, directory, http_pages)
    router = EnvoyRouter("agent", Conversations(), backends, process)
    try:
        put(router, SetWeight("v1", "v2", 2500))
        path = envoy_admin.socket_path(directory)
        assert path.parent != directory and path.is_socket()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        process.stop()


def test_the_log_of_an_envoy_is_bounded(router, process, tmp_path, monkeypatch):
    put(router, SetWeight("v1"))
    log = tmp_path / "envoy" / "envoy.log"
    monkeypatch.setattr(envoy_managed, "LOG_MAX_BYTES", 10_000)
    with log.open("a") as file:
        file.write("x" * 20_000)
    assert router.observe().reachable
    assert log.stat().st_size == 0
    process._http.post(process.admin() + "/logging?level=info", 5.0)
    process.stop()
    assert 0 < log.stat().st_size < 10_000, "it goes on where the file begins"


def agent_on(address: str, family: socket.AddressFamily) -> ThreadingHTTPServer:
    """An agent that listens on one family only."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"v1")

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        address_family = family

    return Server((address, 0), Handler)


@pytest.mark.parametrize(
    ("address", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)], ids=["IPv4", "IPv6"]
)
def test_an_agent_on_localhost_is_reached_over_whichever_family_it_listens_on(
    process, http_pages, listen, address, family
):
    try:
        server = agent_on(address, family)
    except OSError as error:
        pytest.skip(f"this machine has no {address}: {error}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://localhost:{server.server_address[1]}"
        put(EnvoyRouter("agent", Conversations(), {"v1": (url,)}, process), SetWeight("v1"))
        assert unreached(http_pages, listen, "/metrics", "v1", (url,)) == ""
        assert answers(listen, range(5)) == ["v1"] * 5
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_users_who_get_no_answer_are_told_before_anybody_says_done(process, http_pages, listen, monkeypatch):
    monkeypatch.setattr(reach, "TIMEOUT_S", 0.5)
    nobody = (f"http://127.0.0.1:{free_port()}",)
    put(EnvoyRouter("agent", Conversations(), {"v1": nobody}, process), SetWeight("v1"))
    problem = unreached(http_pages, listen, "/metrics", "v1", nobody)
    assert "users get no answer" in problem and "answers 503" in problem and nobody[0] in problem


def test_an_envoy_that_listens_on_localhost_starts(tmp_path, http_pages, backends):
    port = free_port()
    process = ManagedEnvoy("agent", f"localhost:{port}", tmp_path / "envoy", http_pages)
    try:
        put(EnvoyRouter("agent", Conversations(), backends, process), SetWeight("v1"))
        assert answers(f"127.0.0.1:{port}", range(3)) == ["v1"] * 3
    finally:
        process.stop()


def test_an_address_that_is_changed_reaches_envoy(router, process, backends, listen):
    put(router, SetWeight("v1"))
    moved = EnvoyRouter("agent", Conversations(), {**backends, "v1": backends["v2"]}, process)
    assert not is_effective(SetWeight("v1"), (moved.observe(),)), "so that the next turn writes it"
    moved.apply(SetWeight("v1"))
    eventually(lambda: is_effective(SetWeight("v1"), (moved.observe(),)))
    eventually(lambda: set(answers(listen, range(5))) == {"v2"})


def test_a_listener_that_is_changed_reaches_envoy(router, process, backends, tmp_path, http_pages):
    put(router, SetWeight("v1"))
    port = free_port()
    other = ManagedEnvoy("agent", f"127.0.0.1:{port}", tmp_path / "envoy", http_pages)
    moved = EnvoyRouter("agent", Conversations(), backends, other)
    try:
        assert not is_effective(SetWeight("v1"), (moved.observe(),))
        put(moved, SetWeight("v1"))
        assert answers(f"127.0.0.1:{port}", range(3)) == ["v1"] * 3
    finally:
        other.stop()
