"""Webhooks that hang, lie, answer late or with 10 MB; commands that never end. Nobody waits for them."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from rollout.adapters.checks import webhooks
from rollout.adapters.checks.runner import CheckRunner, asked
from rollout.adapters.egress import Egress
from rollout.adapters.http import Services
from rollout.engine.facts import CheckFact
from rollout.errors import PageUnavailable
from rollout.model.api.gates import Gates, Webhook
from rollout.model.api.rollout import Metadata
from rollout.model.rollout import Rollout
from rollout.model.status.release import CheckRun
from rollout.model.status.vocabulary import Phase
from tests.statuses import status_with
from tests.world import EPOCH, FakeClock, policy, spec

HOOK = Webhook.model_validate({"name": "evals", "url": "http://evals:8000/run", "timeout": "10m"})
QUESTION = {"namespace": "default", "id": "agent/v2/1/before-traffic/evals/0"}


def answered(status: int, body: object = "", where: str = "", **headers: str) -> CheckFact:
    """What one answer comes to."""
    text = body if isinstance(body, (str, bytes)) else json.dumps(body)

    def handle(_: httpx.Request) -> httpx.Response:
        raw = text if isinstance(text, bytes) else text.encode()
        return httpx.Response(status, stream=httpx.ByteStream(raw), headers=headers)

    services = Services(httpx.MockTransport(handle))
    try:
        return webhooks.ask(services, Egress(), HOOK, QUESTION, where)
    finally:
        services.close()


def test_a_verdict_is_true_or_false_with_its_message():
    assert answered(200, {"passed": True, "message": "47 of 50"}) == CheckFact(True, "", "47 of 50")
    assert answered(200, {"passed": False}).passed is False


@pytest.mark.parametrize("location", ["/run/7", "http://evals:8000/run/7", "run/7"])
def test_a_202_says_where_to_poll(location):
    found = answered(202, {"message": "12 of 50 done"}, location=location)
    assert found == CheckFact(None, "http://evals:8000/run/7", "12 of 50 done")


def test_a_202_while_polling_keeps_the_place():
    assert answered(202, where="http://evals:8000/run/7").where == "http://evals:8000/run/7"


@pytest.mark.parametrize(
    ("status", "body", "headers", "word"),
    [
        (200, {"passed": "true"}, {}, "without"),  # a word that looks like a verdict
        (200, {"passed": 1}, {}, "without"),
        (200, {"ok": True}, {}, "without"),
        (200, [True], {}, "without"),
        (200, "", {}, "not JSON"),
        (200, "<html>login</html>", {}, "not JSON"),
        (200, "[" * 60_000, {}, "not JSON"),
        (204, "", {}, "204"),
        (302, "", {"location": "http://elsewhere/"}, "302"),
        (202, "", {}, "without a Location"),
        (202, "", {"location": "http://169.254.169.254/latest/meta-data"}, "elsewhere"),
        (202, "", {"location": "https://evals:8000/run/7"}, "elsewhere"),
        (202, "", {"location": "http://[bad"}, "elsewhere"),
        (500, {"passed": True}, {}, "500"),
        (200, b"x" * 10_000_000, {}, "larger than 64 KiB"),
    ],
)
def test_anything_else_is_no_verdict_and_is_told(status, body, headers, word):
    found = answered(status, body, **headers)
    assert found.passed is None and word in found.message


def test_every_request_carries_one_id_so_that_asking_twice_is_asking_once(monkeypatch):
    seen = []
    monkeypatch.setenv("EVALS_TOKEN", "s3cret")
    hook = HOOK.model_copy(
        update={
            "auth": Webhook.model_validate(
                {
                    **HOOK.model_dump(by_alias=True),
                    "timeout": "1m",
                    "pollEvery": "5s",
                    "auth": {"bearer": {"env": "EVALS_TOKEN"}},
                }
            ).auth
        }
    )

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.headers["idempotency-key"], request.headers["authorization"]))
        return httpx.Response(202, stream=httpx.ByteStream(b""), headers={"location": "/run/7"})

    services = Services(httpx.MockTransport(handle))
    where = webhooks.ask(services, Egress(), hook, QUESTION, "").where
    webhooks.ask(services, Egress(), hook, QUESTION, where)
    assert seen == [("POST", QUESTION["id"], "Bearer s3cret"), ("GET", QUESTION["id"], "Bearer s3cret")]
    services.close()


@pytest.mark.parametrize("message", ["\ud83d fine", "line\nbreak", "\x1b[31mred\x00", "x" * 5000])
def test_what_others_say_can_always_be_written_down(message):
    found = answered(200, json.dumps({"passed": True, "message": message}))
    assert found.passed is True and found.message.encode() and found.message.isprintable()
    assert len(found.message) <= 500


@pytest.mark.parametrize("token", ["s3cr3t-token\n", "s3cr3t\ttoken", "s3cr3t-tökén"])
def test_a_token_is_never_told_whatever_is_wrong_with_it(token, monkeypatch):
    monkeypatch.setenv("EVALS_TOKEN", token)
    hook = Webhook.model_validate({"name": "a", "url": "http://x/y", "auth": {"bearer": {"env": "EVALS_TOKEN"}}})

    def handle(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer s3cr3t-token"
        return httpx.Response(200, stream=httpx.ByteStream(b'{"passed": true}'))

    services = Services(httpx.MockTransport(handle))
    found = webhooks.ask(services, Egress(), hook, QUESTION, "")
    services.close()
    assert "s3cr3t" not in str(found)
    assert found.passed is (True if token.endswith("\n") else None)


def test_a_token_that_is_not_there_is_told_by_its_name_only(monkeypatch):
    monkeypatch.delenv("EVALS_TOKEN", raising=False)
    hook = Webhook.model_validate({"name": "a", "url": "http://x/y", "auth": {"bearer": {"env": "EVALS_TOKEN"}}})
    assert "EVALS_TOKEN" in webhooks.ask(Services(), Egress(), hook, QUESTION, "").message


def under_way(name: str = "evals") -> Rollout:
    run = CheckRun(
        id=f"agent/v2/{name}", name=name, point="before-traffic", asked_at=EPOCH, deadline=EPOCH + timedelta(seconds=60)
    )
    status = status_with(phase=Phase.PREFLIGHT, stable_version="v1", candidate_version="v2", checks=(run,))
    return Rollout(Metadata(name="agent"), spec("v2", policy()), status)


def over(rollout: Rollout) -> Rollout:
    return Rollout(rollout.metadata, rollout.spec, status_with(rollout.status, checks=()))


@contextmanager
def service(handle):
    """A webhook service of the test's own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            handle(self)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/run"
    finally:
        server.shutdown()
        server.server_close()


def settled(keeper: CheckRunner, rollout: Rollout, gates: Gates, until, timeout_s: float = 60.0) -> CheckFact:
    deadline = time.monotonic() + timeout_s
    while True:
        (fact,) = keeper.checks(rollout, gates).values()
        if until(fact):
            return fact
        assert time.monotonic() < deadline, fact
        time.sleep(0.02)


@pytest.fixture
def keeper(tmp_path):
    services = Services()
    made = CheckRunner(services, tmp_path, FakeClock(), under_way().spec.backends.of)
    yield made
    made.close()
    services.close()


def hooked(url: str) -> Gates:
    return Gates.model_validate({"webhooks": [{"name": "evals", "url": url, "pollEvery": "50ms"}]})


def test_a_webhook_that_hangs_holds_nobody_up(keeper, monkeypatch):
    monkeypatch.setattr("rollout.adapters.checks.webhooks.REQUEST_TIMEOUT_S", 0.5)
    release = threading.Event()
    with service(lambda _: release.wait(30)) as url:
        began = time.monotonic()
        for _ in range(50):
            keeper.checks(under_way(), hooked(url))
        assert time.monotonic() - began < 15, "fifty looks while the first request hangs"
        assert "did not answer" in settled(keeper, under_way(), hooked(url), lambda fact: fact.message).message
        release.set()


def test_a_webhook_that_trickles_is_given_up_in_time(keeper, monkeypatch):
    monkeypatch.setattr("rollout.adapters.checks.webhooks.REQUEST_TIMEOUT_S", 0.4)

    def trickle(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(40):
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                return
            time.sleep(0.05)

    with service(trickle) as url:
        assert "0.4 s" in settled(keeper, under_way(), hooked(url), lambda fact: fact.message).message


def test_a_webhook_that_trickles_its_headers_is_cut_off_too(keeper, monkeypatch):
    """Each read is in time, so nothing but a deadline over all of them ends it."""
    monkeypatch.setattr("rollout.adapters.checks.webhooks.REQUEST_TIMEOUT_S", 0.4)
    over = threading.Event()

    def trickle(handler):
        for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"y" * 600:
            try:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
            except OSError:
                break
            time.sleep(0.05)
        over.set()

    with service(trickle) as url:
        assert "did not finish" in settled(keeper, under_way(), hooked(url), lambda fact: fact.message, 3.0).message
        assert over.wait(60), "the connection is given back"


def test_a_slow_evaluation_is_polled_until_its_verdict(keeper):
    asks = []

    def evaluate(handler):
        asks.append((handler.command, handler.path))
        done = len(asks) > 3
        handler.send_response(200 if done else 202)
        handler.send_header("location", "/run/7")
        handler.end_headers()
        handler.wfile.write(json.dumps({"passed": True} if done else {"message": f"{len(asks)} done"}).encode())

    with service(evaluate) as url:
        assert settled(keeper, under_way(), hooked(url), lambda fact: fact.passed is not None).passed is True
    assert asks[0] == ("POST", "/run") and set(asks[1:]) == {("GET", "/run/7")}


def test_after_a_restart_the_place_to_poll_is_not_asked_for_again(keeper):
    asks = []

    def evaluate(handler):
        asks.append(handler.command)
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b'{"passed": true}')

    with service(evaluate) as url:
        rollout = under_way()
        run = rollout.status.latest.checks[0].model_copy(update={"where": f"{url}/7"})
        known = Rollout(rollout.metadata, rollout.spec, status_with(rollout.status, checks=(run,)))
        settled(keeper, known, hooked(url), lambda fact: fact.passed)
    assert asks == ["GET"]


def test_a_check_that_is_over_is_given_up(keeper):
    gates = Gates.model_validate({"commands": [{"name": "evals", "run": ["sleep", "60"]}]})
    keeper.checks(under_way(), gates)
    (job,) = keeper._jobs.values()
    assert keeper.checks(over(under_way()), gates) == {}
    job._guard.wait(60)


def command(*words: str) -> Gates:
    return Gates.model_validate({"commands": [{"name": "evals", "run": list(words)}]})


def test_a_command_says_yes_with_0_and_no_with_anything_else(keeper):
    yes = settled(keeper, under_way(), command("echo", "all", "well"), lambda fact: fact.passed is not None)
    assert yes == CheckFact(True, "", "all well")
    keeper.checks(over(under_way()), Gates())
    no = settled(
        keeper, under_way(), command("sh", "-c", "echo 3 of 9 fail; exit 4"), lambda fact: fact.passed is not None
    )
    assert no == CheckFact(False, "", "exit 4: 3 of 9 fail")


def test_a_command_is_told_what_it_checks(keeper):
    said = settled(
        keeper, under_way(), command("sh", "-c", "echo $ROLLOUT_CANDIDATE $ROLLOUT_CANDIDATE_URL"), lambda f: f.passed
    )
    assert said.message == "v2 http://v2:80"


def test_a_command_that_is_not_there_is_a_no_with_its_reason(keeper):
    found = settled(keeper, under_way(), command("no-such-program"), lambda fact: fact.passed is not None)
    assert found.passed is False and "cannot be run" in found.message


def test_a_command_that_floods_its_output_is_judged_all_the_same(keeper):
    found = settled(keeper, under_way(), command("sh", "-c", "seq 500000; exit 1"), lambda f: f.passed is not None)
    assert found == CheckFact(False, "", "exit 1: 500000")


MARK = f"{os.getpid():07}"
"""Tells this run's processes from those of another that runs on the same machine."""

GUARD = (sys.executable, "-m", "rollout.adapters.checks.command_supervisor")


def guarded(*words: str, seconds: float) -> subprocess.Popen:
    return subprocess.Popen(
        [*GUARD, str(seconds), "--", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def children_of(marker: str) -> bool:
    listed = subprocess.run(["ps", "-axww", "-o", "command="], capture_output=True, text=True, check=True).stdout
    return any(marker in line and "guard" not in line for line in listed.splitlines())


def test_a_command_ends_with_its_time_and_all_its_children_with_it():
    with guarded("sh", "-c", f"trap '' TERM; sleep 61.{MARK} & wait; sleep 61.{MARK}", seconds=0.5) as child:
        out = child.stdout.read()
    assert json.loads(out)["code"] is None
    assert not children_of(f"sleep 61.{MARK}")


def test_a_command_ends_when_the_controller_dies_however_it_dies():
    with guarded("sleep", f"62.{MARK}", seconds=60) as child:
        while not children_of(f"sleep 62.{MARK}"):
            time.sleep(0.02)
        child.stdin.close()  # what the system does when the controller is killed
        child.wait(60)
    assert not children_of(f"sleep 62.{MARK}")


def test_a_command_that_has_closed_its_output_ends_with_the_controller_too():
    with guarded("sh", "-c", f"exec sleep 63.{MARK} >/dev/null 2>&1", seconds=60) as child:
        while not children_of(f"sleep 63.{MARK}"):
            time.sleep(0.02)
        child.stdin.close()
        child.wait(60)
    assert not children_of(f"sleep 63.{MARK}")


def test_what_a_command_leaves_in_the_background_neither_delays_nor_outlives_its_verdict():
    began = time.monotonic()
    with guarded("sh", "-c", f"sleep 64.{MARK} & echo all is well; exit 0", seconds=30) as child:
        said = json.loads(child.stdout.read())
    assert said == {"code": 0, "output": "all is well"} and time.monotonic() - began < 40
    assert not children_of(f"sleep 64.{MARK}")


def test_a_verdict_that_came_does_not_change_at_later_looks(keeper):
    gates = command("sh", "-c", "exit 3")
    first = settled(keeper, under_way(), gates, lambda fact: fact.passed is not None)
    for _ in range(5):
        assert keeper.checks(under_way(), gates)["agent/v2/evals"] == first


def test_files_beside_the_rollout_do_not_stand_in_for_ours(tmp_path):
    for name in ("rollout.py", "selectors.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit('not ours')")
    services = Services()
    made = CheckRunner(services, tmp_path, FakeClock(), under_way().spec.backends.of)
    assert settled(made, under_way(), command("true"), lambda fact: fact.passed is not None).passed is True
    made.close()


def test_a_few_kilobytes_on_the_wire_never_become_many_here():
    bomb = gzip.compress(b'{"passed": true, "message": "' + b"x" * 10_000_000 + b'"}')
    assert len(bomb) < 64 * 1024
    found = answered(200, bomb, **{"content-encoding": "gzip"})
    assert found.passed is None and "is larger than 64 KiB" in found.message


def test_a_fault_of_ours_while_asking_is_told_and_not_lost_on_its_thread(keeper, monkeypatch):
    def broken(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("rollout.adapters.checks.jobs.ask", broken)
    gates = hooked("http://127.0.0.1:1/run")
    assert settled(keeper, under_way(), gates, lambda fact: fact.message).message == "cannot be asked: RuntimeError"


def test_the_gatekeeper_reads_the_calendar(keeper):
    gates = Gates.model_validate({"freezes": [{"cron": "0 0 * * *", "for": "24h"}]})
    assert not keeper.calendar(gates).is_open and keeper.calendar(Gates()).is_open


def test_a_trickle_over_tls_is_cut_off_too(tmp_path):
    """TLS takes the socket for itself: cutting must reach it all the same."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run([*made, *names], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl here to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listening = socket.create_server(("127.0.0.1", 0))

    def trickle():
        connection, _ = listening.accept()
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as speaking:
            for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"y" * 2000:
                speaking.sendall(bytes([byte]))
                time.sleep(0.05)

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    services = Services(httpx.HTTPTransport(verify=ssl.create_default_context(cafile=str(certificate))))
    began = time.monotonic()
    with pytest.raises(PageUnavailable, match="did not finish"):
        services.ask("GET", f"https://127.0.0.1:{listening.getsockname()[1]}/", None, {}, 0.5, 1000)
    assert time.monotonic() - began < 50, "the server would have gone on for a hundred seconds"
    services.close()
    listening.close()
    thread.join(60)


def test_what_a_check_is_told_is_plain_data():
    rollout = under_way()
    told = asked(rollout.status.latest.checks[0], rollout, rollout.spec.backends.of, "")
    assert json.loads(json.dumps(told)) == told
    assert told["urls"] == {"stable": "http://v1:80", "candidate": "http://v2:80"} and told["preview"] == ""


@pytest.mark.parametrize(("expected", "passed"), [("paris", True), ("london", False)])
def test_the_documented_evaluation_on_a_golden_dataset_works(keeper, tmp_path, expected, passed):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    golden = tmp_path / "golden.jsonl"
    golden.write_text("\n".join(json.dumps({"question": "capital?", "expected": expected}) for _ in range(5)))
    example = Path(__file__).parents[2] / "docs" / "examples" / "evals.py"

    def agent(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"It is Paris.")

    with service(agent) as url, subprocess.Popen([sys.executable, example, golden, "--port", str(port)]) as evals:
        address = url.removesuffix("/run")
        endpoints = [{"version": "v1", "url": "http://v1:80"}, {"version": "v2", "url": address}]
        rollout = under_way()
        asked_for = Rollout(rollout.metadata, spec("v2", policy(), backends={"endpoints": endpoints}), rollout.status)
        keeper.addresses = asked_for.spec.backends.of
        try:
            gates = hooked(f"http://127.0.0.1:{port}/runs")
            found = settled(keeper, asked_for, gates, lambda fact: fact.passed is not None, 20.0)
        finally:
            evals.terminate()
    assert found.passed is passed and "of 5 answers right, 4.5 needed" in found.message
