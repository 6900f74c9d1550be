"""How people and programs are told: events that prove themselves, deployments, chats; and what is never told."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import resource
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rollout.adapters.egress import Egress
from rollout.adapters.http import Services
from rollout.adapters.notifications import events, github, services
from rollout.adapters.notifications.notifier import OF_ONE_NAMESPACE_MAX, TRIES_MAX, QueueOfNotices
from rollout.adapters.notifications.sender import sender
from rollout.adapters.notifications.telling import HEADINGS, telling
from rollout.errors import PageUnavailable
from rollout.model.api.notifications import GitHubDeployment, Notifications
from rollout.model.api.rollout import Metadata
from rollout.model.notice_kinds import EVERY_KIND
from rollout.model.rollout import Rollout
from rollout.model.status.notices import Notice
from rollout.model.status.status import Status
from rollout.redaction import SECRETS
from rollout.testing import FakeClock
from tests.fakes.http import serving
from tests.waiting import eventually
from tests.world import policy, spec

AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
CLOCK = FakeClock(AT)
ROOT = Path(__file__).parents[2]
KEY = "whsec_" + base64.b64encode(b"a key of the webhook that proves events").decode()
SECRET = b"a key of the webhook that proves events"
LINK = "https://rollouts.example.com/rollouts/$namespace/$name"


def notice(kind="rolledBack", number=1, pending=("bus",)) -> Notice:
    return Notice(
        id=f"17-v2-{kind}-{number}", kind=kind, at=AT, deadline=AT + timedelta(hours=1), pending=pending,
        message="v2 is worse than v1. tasks: 30 of 160 bad", stable="v1", candidate="v2", weight_bp=1000, release="17",
    )  # fmt: skip


def rollout(*notices: Notice, namespace="agents", name="support-agent") -> Rollout:
    status = Status(stable_version="v1", notices=notices)
    return Rollout(Metadata(name=name, namespace=namespace), spec("v2", policy()), status)


def declared(**target) -> Notifications:
    return Notifications.model_validate({"link": LINK, "targets": [{"name": "bus", **target}]})


def content(kind="rolledBack", link=LINK):
    return telling(rollout(), notice(kind), Notifications.model_validate({"link": link}))


# what is said


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_has_a_heading_a_state_at_github_and_a_type(kind):
    assert kind in HEADINGS and (kind in github.STATES or kind == "drift") and kind in services.TYPES
    assert content(kind).title.startswith("support-agent: ")


def test_it_says_the_reason_and_where_to_look():
    assert content().title == "support-agent: v2 was rolled back"
    assert content().text == (
        "v2 is worse than v1. tasks: 30 of 160 bad\nhttps://rollouts.example.com/rollouts/agents/support-agent"
    )


def test_a_secret_that_is_known_is_in_nothing_that_is_told():
    SECRETS.note("hunter2-of-the-database")
    leaking = notice().model_copy(update={"message": "connection to hunter2-of-the-database refused"})
    assert "hunter2" not in telling(rollout(), leaking, Notifications()).message


# events


def test_an_event_is_a_cloudevent_that_its_receiver_can_prove():
    received = []
    with serving(lambda *request: received.append(request) or "{}", with_headers=True) as address:
        events.send(Services(), f"http://{address}/events", KEY, content(), AT)
    method, path, body, headers = received[0]
    assert (method, path, headers["Content-Type"]) == ("POST", "/events", "application/cloudevents+json")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "agents/support-agent/17-v2-rolledBack-1",
        "source": "/namespaces/agents/rollouts/support-agent",
        "type": "dev.rollout.release.rolledBack",
        "subject": "v2",
        "time": "2026-11-27T12:00:00+00:00",
        "datacontenttype": "application/json",
        "data": {
            "event": "rolledBack",
            "rollout": "support-agent",
            "namespace": "agents",
            "stable": "v1",
            "candidate": "v2",
            "weight": "10%",
            "message": "v2 is worse than v1. tasks: 30 of 160 bad",
            "link": "https://rollouts.example.com/rollouts/agents/support-agent",
        },
    }


def test_the_example_of_standard_webhooks_gives_the_signature_that_it_names():
    """From the specification's reference test: a base64 key behind `whsec_`."""
    headers = events.signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        datetime.fromtimestamp(1614265330, UTC),
    )  # fmt: skip
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("c2hvcnRrZXk=", "fewer than 16"),
        ("whsec_not base64!", "is not base64"),
        ("a-key-as-text-that-is-long", "is not base64"),
    ],
)
def test_a_key_that_proves_nothing_is_refused_and_not_quoted(key, why):
    with pytest.raises(PageUnavailable, match=why) as refused:
        events.send(Services(), "http://127.0.0.1:9/", key, content(), AT)
    assert key not in str(refused.value)


@pytest.mark.parametrize("status", [301, 400, 410, 500])
def test_an_event_that_is_not_taken_is_not_delivered(status):
    with serving(lambda *_: "no", status=status) as address, pytest.raises(PageUnavailable, match=str(status)):
        events.send(Services(), f"http://{address}/", KEY, content(), AT)


# GitHub


class GitHub:
    """A repository's deployments, as its API keeps them."""

    def __init__(self) -> None:
        self.deployments: list[dict] = []
        self.statuses: list[tuple[int, dict]] = []
        self.tokens: set[str] = set()
        self.lose_answers = 0

    def answer(self, method, path, body, headers):
        self.tokens.add(headers["Authorization"])
        path, _, query = path.partition("?")
        if path == "/repos/acme/agent/deployments" and method == "GET":
            ref = query.partition("ref=")[2].partition("&")[0]
            return json.dumps([one for one in self.deployments if one["ref"] == ref])
        if path == "/repos/acme/agent/deployments":
            made = {**json.loads(body), "id": len(self.deployments) + 1}
            self.deployments.append(made)
            if self.lose_answers:
                self.lose_answers -= 1
                return None
            return json.dumps(made)
        number = int(path.split("/")[5])
        self.statuses.append((number, json.loads(body)))
        return "{}"


def deployment(address: str, **more) -> GitHubDeployment:
    raw = {"repository": "acme/agent", "ref": "v$version", "token": {"env": "T"}, "api": f"http://{address}", **more}
    return GitHubDeployment.model_validate(raw)


def test_a_release_is_one_deployment_whose_status_follows_it():
    hub = GitHub()
    with serving(hub.answer, with_headers=True) as address:
        for kind in ("started", "stepPassed", "needsApproval", "promoted"):
            github.send(Services(), deployment(address), "token", content(kind))
    (made,) = hub.deployments
    assert (made["ref"], made["environment"], made["required_contexts"]) == ("vv2", "production", [])
    assert [status["state"] for _, status in hub.statuses] == ["in_progress", "in_progress", "pending", "success"]
    assert hub.statuses[-1][1]["log_url"].endswith("/agents/support-agent")
    assert hub.tokens == {"Bearer token"}


def test_a_deployment_whose_answer_was_lost_is_found_again():
    hub = GitHub()
    hub.lose_answers = 1
    with serving(hub.answer, with_headers=True) as address:
        with pytest.raises(PageUnavailable, match="503"):
            github.send(Services(), deployment(address), "token", content("started"))
        github.send(Services(), deployment(address), "token", content("started"))
    assert len(hub.deployments) == 1 and [number for number, _ in hub.statuses] == [1]


def test_another_release_of_the_same_version_is_another_deployment():
    hub = GitHub()
    with serving(hub.answer, with_headers=True) as address:
        for release in ("17", "18"):
            again = telling(rollout(), notice("started").model_copy(update={"release": release}), Notifications())
            github.send(Services(), deployment(address), "token", again)
    assert len(hub.deployments) == 2


@pytest.mark.parametrize(
    "answer", ["[]", "{}", "null", "text", '[{"payload": {"release": "agents/support-agent/17"}}]']
)
def test_an_answer_of_github_that_makes_no_sense_is_a_delivery_that_failed(answer):
    with serving(lambda *_: answer) as address, pytest.raises(PageUnavailable, match="GitHub answered with"):
        github.send(Services(), deployment(address), "token", content("started"))


@pytest.mark.parametrize(
    "more", [{"repository": "../.."}, {"repository": "a/.."}, {"api": "https://api.github.com/?x="}]
)
def test_no_other_api_is_asked_by_way_of_a_name(more):
    with pytest.raises(ValueError, match="pattern"):
        deployment("127.0.0.1:9", **more)


def test_a_drift_changes_no_state_of_a_deployment():
    github.send(Services(), deployment("127.0.0.1:9"), "token", content("drift"))


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (401, "not valid"),
        (403, "may not write"),
        (404, "there is no acme/agent"),
        (422, "is vv2 a tag, branch or commit"),
    ],
)
def test_what_github_refuses_is_told_with_what_it_means(status, why):
    with (
        serving(lambda *_: '{"message": "token ghp_abc is bad"}', status=status) as address,
        pytest.raises(PageUnavailable, match=why) as refused,
    ):
        github.send(Services(), deployment(address), "ghp_abc", content())
    assert "ghp_abc" not in str(refused.value)


# chats and mail


def test_a_service_is_told_through_apprise():
    pytest.importorskip("apprise", reason="apprise is not installed")
    received = []
    with serving(lambda *request: received.append(request) or "ok") as address:
        services.send(f"json://{address}/team", content())
    body = json.loads(received[0][2])
    assert body["title"] == content().title and body["message"] == content().text and body["type"] == "failure"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("nonsense://topsecretpart/x", "nonsense is no address that Apprise knows"),
        ("topsecretpart", "the service is no address"),
        ("json://127.0.0.1:9/topsecretpart", "json did not take the message"),
    ],
)
def test_a_service_that_cannot_be_told_is_named_by_its_scheme_alone(address, why, caplog, capsys):
    pytest.importorskip("apprise", reason="apprise is not installed")
    with pytest.raises(PageUnavailable, match=why) as refused:
        services.send(address, content())
    shown = capsys.readouterr()
    assert "topsecretpart" not in f"{refused.value}{caplog.text}{shown.out}{shown.err}"


def test_without_apprise_it_says_how_it_is_installed(monkeypatch, tmp_path):
    (tmp_path / "apprise.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    with pytest.raises(PageUnavailable, match=r"agent-rollout\[notify\]"):
        services.send("json://127.0.0.1/", content())


# what an address of somebody else may make the controller do


@pytest.fixture
def apprise():
    return pytest.importorskip("apprise", reason="apprise is not installed")


def test_a_service_that_never_answers_is_left_in_time_whatever_its_address_says(apprise, monkeypatch):
    monkeypatch.setattr(services, "TIMEOUT_S", 5.0)
    release = threading.Event()
    with serving(lambda *_: release.wait(60) and "") as address:
        began = time.monotonic()
        with pytest.raises(PageUnavailable, match="did not answer within 5 s"):
            services.send(f"json://{address}/x?rto=999999&cto=999999", content())
        assert time.monotonic() - began < 50
        release.set()


def test_a_service_that_answers_without_end_fills_no_memory_of_ours(apprise):
    sent = [0]

    def endless(listener):
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError):
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
            for _ in range(4096):  # four gigabytes, if somebody takes them
                client.sendall(b"x" * (1 << 20))
                sent[0] += 1

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=endless, args=(listener,), daemon=True)
        server.start()
        with pytest.raises(PageUnavailable, match="did not"):
            services.send(f"json://127.0.0.1:{listener.getsockname()[1]}/x?rto=60", content())
        server.join(60)
    assert sent[0] < 1200, "more was taken than the child may have"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.parametrize("option", ["", "?redirect=yes", "?REDIRECT=yes&rto=5"])
def test_a_message_is_not_sent_on_to_where_an_answer_points(apprise, option):
    elsewhere = []
    with (
        serving(lambda *request: elsewhere.append(request) or "{}") as target,
        serving(lambda *_: "{}", status=307, headers={"Location": f"http://{target}/x"}) as address,
        pytest.raises(PageUnavailable, match="did not take the message"),
    ):
        services.send(f"json://{address}/x{option}", content())
    assert elsewhere == []


def test_a_host_that_the_operator_has_not_listed_is_not_asked_by_any_plugin(apprise):
    asked = []
    with serving(lambda *request: asked.append(request) or "{}") as address:
        services.send(f"json://{address}/x", content(), (address,), tenant=True)
        for other in ("json://{}/x", "workflows://{}/w/sig?verify=no", "json://localhost:{}/x"):
            where = other.format(address if "{}/" in other and "localhost" not in other else address.partition(":")[2])
            with pytest.raises(PageUnavailable, match="has not listed the host|did not take"):
                services.send(where, content(), ("only.example.com",), tenant=True)
    assert len(asked) == 1


def test_a_host_that_the_operator_has_listed_by_its_name_is_asked(apprise):
    asked = []
    with serving(lambda *request: asked.append(request) or "{}") as address:
        port = address.partition(":")[2]
        for listed in (f"localhost:{port}", "localhost"):
            services.send(f"json://localhost:{port}/x", content(), (listed,), tenant=True)
        with pytest.raises(PageUnavailable, match="has not listed the host"):
            services.send(f"json://localhost:{port}/x", content(), ("localhost:1",), tenant=True)
    assert len(asked) == 2


def test_an_address_that_no_listed_name_has_is_not_connected_to(apprise):
    """Whoever lists a name has not listed all that is behind the addresses of others."""
    asked = []
    with serving(lambda *request: asked.append(request) or "{}") as address, pytest.raises(PageUnavailable):
        services.send(f"json://{address}/x", content(), ("localhost",), tenant=True)
    assert asked == []


def test_a_template_of_a_plugin_reaches_no_other_host_and_no_file(apprise, tmp_path):
    posted, inner = [], []
    card = {"type": "message", "attachments": [], "secret": "of-the-metadata-service"}
    (tmp_path / "card.json").write_text(json.dumps(card))
    with (
        serving(lambda *request: posted.append(request) or "{}") as address,
        serving(lambda *request: inner.append(request) or json.dumps(card)) as metadata,
    ):
        for template in (f"http://{metadata}/latest", f"file://{tmp_path}/card.json"):
            with contextlib.suppress(PageUnavailable):
                services.send(
                    f"workflows://{address}/w/sig?verify=no&template={template}", content(), (address,), tenant=True
                )
    assert inner == [] and not any(b"of-the-metadata-service" in body for _, _, body in posted)


# what may be sent where


def test_a_secret_is_asked_for_with_where_it_goes_and_an_operator_is_heard():
    asked = []

    def secret(source, namespace, sent_to):
        asked.append((namespace, sent_to))
        return KEY

    webhook = declared(webhook={"url": "https://bus.example.com/x", "key": {"env": "K"}}).targets[0]
    hub = declared(github={"repository": "a/b", "token": {"env": "T"}}).targets[0]
    send = sender(Services(), secret, Egress({}, ("only.example.com",)), FakeClock())
    for target, why in ((webhook, "bus.example.com"), (hub, "api.github.com")):
        with pytest.raises(PageUnavailable, match=f"has not listed {why}"):
            send(target, content())
    assert asked == [], "a secret is not even read for a host that is barred"


# beside the turns


def numbered(number: int) -> Notice:
    return notice(number=number)


def delivered(queue: QueueOfNotices, one: Rollout, notifications: Notifications) -> dict:
    facts = queue.deliveries(one, notifications)
    return {key.rpartition("/")[0]: fact.delivered for key, fact in facts.items()}


CHAT = declared(apprise={"url": {"env": "C"}})


def test_a_turn_is_not_held_up_by_whoever_does_not_answer():
    release, begun = threading.Event(), threading.Event()

    def hang(_target, _content):
        begun.set()
        release.wait(60)

    queue = QueueOfNotices(hang, CLOCK)
    one = rollout(notice())
    assert delivered(queue, one, CHAT) == {notice().id: False}
    assert begun.wait(60)
    for _ in range(100):
        assert delivered(queue, one, CHAT) == {notice().id: False}
    release.set()
    eventually(lambda: delivered(queue, one, CHAT) == {notice().id: True}, 60, "is never delivered")


def test_what_fails_is_tried_again_later_and_later_and_not_for_ever():
    clock, tries, ended = [0.0], [], threading.Semaphore(0)

    def fail(_target, _content):
        tries.append(clock[0])
        ended.release()
        raise PageUnavailable("nobody answers")

    queue = QueueOfNotices(fail, CLOCK, lambda: clock[0])
    one = rollout(notice())
    for _ in range(TRIES_MAX):
        queue.deliveries(one, CHAT)
        assert ended.acquire(timeout=60)
        eventually(lambda: not any(t.name.startswith("notify-") for t in threading.enumerate()), 60, "goes on")
        before = len(tries)
        queue.deliveries(one, CHAT)  # at once: not due yet
        assert len(tries) == before
        clock[0] += 1000.0
    (fact,) = queue.deliveries(one, CHAT).values()
    assert fact.given_up and fact.message == "nobody answers" and len(tries) == TRIES_MAX


def test_what_happened_later_does_not_overtake_what_came_before_it():
    """Or the last state that GitHub knows is not the last one there was."""
    told, answers = [], [True, False, True, True]

    def send(_target, what):
        told.append(what.kind)
        if not answers.pop(0):
            raise PageUnavailable("503")

    seconds = [0.0]
    queue = QueueOfNotices(send, CLOCK, lambda: seconds[0])
    one = rollout(notice("started"), notice("stepPassed"), notice("promoted"))
    for number in range(1, 5):
        eventually(lambda number=number: queue.deliveries(one, CHAT) and len(told) == number, 60, f"{told}")
        eventually(lambda: not any(t.name == "notify-bus" for t in threading.enumerate()), 60, "goes on")
        seconds[0] += 10.0
    assert told == ["started", "stepPassed", "stepPassed", "promoted"]


def test_what_is_too_late_is_not_begun():
    sent = []
    queue = QueueOfNotices(lambda _target, what: sent.append(what), FakeClock(AT + timedelta(hours=2)))
    (fact,) = queue.deliveries(rollout(notice()), CHAT).values()
    assert not fact.delivered and sent == []


def test_a_system_without_threads_takes_no_place_of_others_for_ever(monkeypatch):
    def no_thread(_self):
        raise RuntimeError("can't start new thread")

    sent, seconds = [], [0.0]
    queue = QueueOfNotices(lambda _target, what: sent.append(what), CLOCK, lambda: seconds[0])
    one = rollout(*(notice(number=number) for number in range(12)))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        for _ in range(20):
            queue.deliveries(one, CHAT)
            seconds[0] += 1000.0
    queue.deliveries(rollout(notice("promoted")), CHAT)
    eventually(lambda: len(sent) == 1, 60, "nothing is delivered any more")


def test_what_is_delivered_is_not_delivered_again_and_is_forgotten_with_its_notice():
    sent = []
    queue = QueueOfNotices(lambda _target, what: sent.append(what.id), CLOCK)
    one = rollout(notice())
    eventually(lambda: delivered(queue, one, CHAT) == {notice().id: True}, 60, "is never delivered")
    for _ in range(20):
        queue.deliveries(one, CHAT)
    assert len(sent) == 1 and queue.deliveries(rollout(), CHAT) == {}


def test_one_namespace_s_slow_servers_do_not_keep_another_s_people_from_being_told():
    release, told = threading.Event(), []

    def send(_target, what):
        if what.namespace == "slow":
            release.wait(60)
        told.append(what.namespace)

    queue = QueueOfNotices(send, CLOCK)
    slow = [rollout(*map(numbered, range(30)), namespace="slow", name=f"agent-{number}") for number in range(5)]
    quick = rollout(notice(), namespace="quick")
    for one in slow * 5:
        queue.deliveries(one, CHAT)
    busy = [thread for thread in threading.enumerate() if thread.name == "notify-bus"]
    assert len(busy) == OF_ONE_NAMESPACE_MAX
    eventually(lambda: queue.deliveries(quick, CHAT) and told == ["quick"], 60, f"{told}")
    release.set()
    eventually(lambda: not any(t.name == "notify-bus" for t in threading.enumerate()), 60, "goes on")


def test_a_fault_of_a_plugin_is_a_delivery_that_failed():
    def crash(_target, _content):
        raise RuntimeError("with slack://secret in it")

    queue = QueueOfNotices(crash, CLOCK)
    one = rollout(notice())
    eventually(lambda: next(iter(queue.deliveries(one, CHAT).values())).message != "", 60, "nothing is said")
    (fact,) = queue.deliveries(one, CHAT).values()
    assert fact.message == "internal error: RuntimeError" and not fact.delivered
