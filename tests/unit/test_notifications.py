"""How people and programs are told: events that prove themselves, deployments, chats; and what is never told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from datetime import UTC, datetime, timedelta

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
KEY = "a-key-of-the-webhook-that-proves-events"
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
    assert kind in HEADINGS and kind in github.STATES and kind in services.TYPES
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
    expected = base64.b64encode(hmac.new(KEY.encode(), signed, hashlib.sha256).digest()).decode()
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


@pytest.mark.parametrize(("key", "why"), [("tooshortkey", "shorter than 16"), ("whsec_not base64!", "is not base64")])
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
    ("status", "why"),
    [(401, "not valid"), (403, "may not write"), (404, "there is no acme/agent"), (422, "is no tag, branch or commit")],
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


def test_without_apprise_it_says_how_it_is_installed(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(PageUnavailable, match=r"agent-rollout\[notify\]"):
        services.send("json://127.0.0.1/", content())


# what may be sent where


def test_a_secret_is_asked_for_with_where_it_goes_and_an_operator_is_heard():
    asked = []

    def secret(source, namespace, sent_to):
        asked.append((namespace, sent_to))
        return KEY

    webhook = declared(webhook={"url": "https://bus.example.com/x", "key": {"env": "K"}}).targets[0]
    hub = declared(github={"repository": "a/b", "token": {"env": "T"}}).targets[0]
    chat = declared(apprise={"url": {"env": "C"}}).targets[0]
    send = sender(Services(), secret, Egress({}, ("only.example.com",)), FakeClock())
    for target, why in ((webhook, "bus.example.com"), (hub, "api.github.com")):
        with pytest.raises(PageUnavailable, match=f"has not listed {why}"):
            send(target, content())
    assert asked == [], "a secret is not even read for a host that is barred"
    with pytest.raises(PageUnavailable, match="has not listed the service://|the operator has not listed"):
        send(chat, content())
    allowed = Egress({}, ("json://", "bus.example.com"))
    allowed.check_service("json")
    with pytest.raises(PageUnavailable, match="has not listed slack://"):
        allowed.check_service("slack")


# beside the turns


def delivered(queue: QueueOfNotices, one: Rollout, notifications: Notifications) -> dict:
    facts = queue.deliveries(one, notifications)
    return {key.rpartition("/")[0]: fact.delivered for key, fact in facts.items()}


CHAT = declared(apprise={"url": {"env": "C"}})


def test_a_turn_is_not_held_up_by_whoever_does_not_answer():
    release, begun = threading.Event(), threading.Event()

    def hang(_target, _content):
        begun.set()
        release.wait(60)

    queue = QueueOfNotices(hang)
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

    queue = QueueOfNotices(fail, lambda: clock[0])
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


def test_what_is_delivered_is_not_delivered_again_and_is_forgotten_with_its_notice():
    sent = []
    queue = QueueOfNotices(lambda _target, what: sent.append(what.id))
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

    queue = QueueOfNotices(send)
    slow = rollout(*(notice(number=number) for number in range(30)), namespace="slow")
    quick = rollout(notice(), namespace="quick")
    for _ in range(10):
        queue.deliveries(slow, CHAT)
    busy = [thread for thread in threading.enumerate() if thread.name == "notify-bus"]
    assert len(busy) == OF_ONE_NAMESPACE_MAX
    eventually(lambda: queue.deliveries(quick, CHAT) and told == ["quick"], 60, f"{told}")
    release.set()
    eventually(lambda: not any(t.name == "notify-bus" for t in threading.enumerate()), 60, "goes on")


def test_a_fault_of_a_plugin_is_a_delivery_that_failed():
    def crash(_target, _content):
        raise RuntimeError("with slack://secret in it")

    queue = QueueOfNotices(crash)
    one = rollout(notice())
    eventually(lambda: next(iter(queue.deliveries(one, CHAT).values())).message != "", 60, "nothing is said")
    (fact,) = queue.deliveries(one, CHAT).values()
    assert fact.message == "internal error: RuntimeError" and not fact.delivered
