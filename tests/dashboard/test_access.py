"""Who may come in, and what a page of somebody else cannot do."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from kubernetes import client as kubernetes_client
from starlette.testclient import TestClient

from rollout.adapters.kubernetes.api import HttpApi
from rollout.adapters.kubernetes.on_behalf import with_token
from rollout.adapters.storage.sqlite import SqliteStore
from rollout.dashboard.access import ClusterTokens
from rollout.dashboard.app import dashboard
from rollout.dashboard.local_source import LocalSource
from rollout.dashboard.security import COOKIE
from rollout.dashboard.sessions import LASTS, SESSIONS_MAX, Sessions
from rollout.errors import Forbidden
from rollout.redaction import SECRETS
from rollout.testing import FakeClock
from tests.dashboard.conftest import visiting

PAGES = ["/", "/events", "/rollouts/default/billing-agent", "/rollouts/default/billing-agent/events",
         "/rollouts/default/billing-agent/releases/1"]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_without_the_token_no_page_shows_anything(outside, page):
    answer = outside.get(page)
    assert answer.status_code == 401
    assert "billing-agent" not in answer.text and "the address that `rollout dashboard` printed" in answer.text.replace(
        "&#39;", "'"
    )


def test_the_token_leaves_the_address_at_once(outside):
    answer = outside.get("/", params={"token": outside.access.token}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert outside.access.token.lower() not in cookie and "httponly" in cookie and "samesite=lax" in cookie
    assert outside.get("/").status_code == 200


def test_a_wrong_token_lets_nobody_in_and_is_not_repeated(outside):
    answer = outside.get("/", params={"token": "guess-guess"})
    assert answer.status_code == 403 and "not the token of this dashboard" in answer.text
    assert "guess-guess" not in answer.text and outside.get("/").status_code == 401


def test_a_page_that_was_led_here_by_another_name_gets_nothing(client):
    answer = client.get("/", headers={"Host": "evil.example:3200"})
    assert answer.status_code == 421 and "billing-agent" not in answer.text


@pytest.mark.parametrize("page", [*PAGES, "/static/dashboard.css", "/nowhere", "/sign-in"])
def test_every_answer_forbids_frames_foreign_scripts_and_referrers(client, page):
    if page.endswith("events"):
        client.served.changes.ending = True  # it answers at once
    headers = client.get(page).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert (headers["referrer-policy"], headers["x-content-type-options"]) == ("same-origin", "nosniff")


def test_pages_need_nothing_that_the_policy_forbids(client):
    for page in ("/", "/rollouts/default/billing-agent", "/rollouts/default/support-agent"):
        text = client.get(page).text
        assert not re.search(r"<script(?![^>]*\bsrc=\"/static/)|\bstyle=|\bon[a-z]+=\"|<style", text), page
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text), page


def test_a_session_ends_by_itself(recorded):
    clock = FakeClock()
    with visiting(LocalSource(SqliteStore(recorded), "ada"), clock) as client:
        assert client.get("/", params={"token": client.access.token}).status_code == 200
        clock.pass_s((LASTS - timedelta(minutes=1)).total_seconds())
        assert client.get("/").status_code == 200
        clock.pass_s(120)
        assert client.get("/").status_code == 401


def test_signing_out_ends_the_session_on_the_server(client):
    (name,) = (name for name in client.cookies if name.startswith(COOKIE))
    session = client.cookies[name]
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/").text)[1]
    client.post("/sign-out", data={"csrf": csrf})
    client.cookies.set(name, session)
    assert client.get("/").status_code == 401


def test_sessions_are_bounded_the_oldest_goes():
    sessions = Sessions(FakeClock())
    ids = [sessions.begin(User(f"user-{number}")).id for number in range(SESSIONS_MAX + 2)]
    assert [sessions.get(one) is not None for one in ids[:3]] == [False, False, True] and sessions.get(ids[-1])


class User:
    def __init__(self, actor):
        self.actor = actor


def test_nobody_signs_others_out_by_signing_in_again_and_again():
    sessions = Sessions(FakeClock())
    ada = sessions.begin(User("ada"))
    own = [sessions.begin(User("bob")) for _ in range(SESSIONS_MAX + 10)]
    assert sessions.get(ada.id) is ada and sessions.get(own[-1].id) and sessions.get(own[0].id) is None


class KnownUser:
    label, actor, poll_s = "all namespaces", "ada@example.com", 1.0

    def all(self, namespace=None):
        return []


class Unknown(KnownUser):
    actor = "unknown"


def cluster_door(header=""):
    sessions = Sessions(FakeClock())
    asked = []

    def source_of(token):
        asked.append(token)
        return KnownUser() if token == "ada-token" else Unknown()

    return ClusterTokens(source_of, sessions, header), asked


def by_header(door, headers):
    """The session of a request with these headers."""
    token = door.token_in(headers)
    return (door.known(token) or door.by_token(token)) if token else None


def test_in_a_cluster_a_token_that_nobody_knows_is_refused():
    door, _ = cluster_door()
    assert door.sign_in(" ada-token\n").source.actor == "ada@example.com"
    for token in ("", "bob-token", "a\nb", "x" * 20_000, "ünknown"):
        with pytest.raises(Forbidden):
            door.sign_in(token)


def test_a_proxy_hands_the_users_token_on_and_it_is_asked_about_once():
    door, asked = cluster_door("x-forwarded-access-token")
    first = by_header(door, {"authorization": "Bearer ada-token"})
    assert by_header(door, {"authorization": "bearer ada-token"}) is first and asked == ["ada-token"]
    assert by_header(door, {"x-forwarded-access-token": "ada-token"}) is first
    assert by_header(door, {"authorization": "Basic YTpi"}) is None and by_header(door, {}) is None


def test_a_header_that_was_not_named_lets_nobody_in():
    door, _ = cluster_door()
    assert by_header(door, {"x-forwarded-access-token": "ada-token", "": "ada-token"}) is None


def test_a_session_of_a_header_is_no_cookie():
    door, _ = cluster_door()
    session = by_header(door, {"authorization": "Bearer ada-token"})
    assert door._sessions.get(session.id) is session and door._sessions.by_cookie(session.id) is None


def test_a_token_in_an_address_signs_nobody_in_to_a_cluster():
    """Else somebody's link would sign its reader in as somebody else."""
    door, asked = cluster_door()
    served = dashboard(door, door._sessions, FakeClock())
    with TestClient(served.asgi, base_url="http://dashboard.example") as client:
        answer = client.get("/", params={"token": "ada-token"}, follow_redirects=False)
    assert (answer.status_code, asked) == (401, [])


@pytest.mark.parametrize("token", ["is worse than", "over all KPIs", "x", "a b c d e f g h", 'quo"ted"token'])
def test_what_strangers_send_as_a_token_is_never_taken_for_a_secret_of_ours(token):
    """It would be taken out of what the controller writes."""

    def source_of(given):
        HttpApi(with_token(kubernetes_client.Configuration(), given), agent="test", ours=False)
        return Unknown()

    door = ClusterTokens(source_of, Sessions(FakeClock()))
    for given in (token, "known-to-nobody-else"):
        with pytest.raises(Forbidden):
            door.sign_in(given)
        with pytest.raises(Forbidden):
            by_header(door, {"authorization": f"Bearer {given}"})
    text = f"v2 {token} v1 known-to-nobody-else"
    assert SECRETS.redact(text) == text


def test_the_users_token_takes_the_place_of_every_credential_of_ours():
    ours = kubernetes_client.Configuration()
    ours.host, ours.username, ours.password, ours.cert_file = "https://api.example", "me", "secret", "/key"
    ours.api_key = {"authorization": "Bearer ours"}
    ours.refresh_api_key_hook = lambda configuration: configuration.api_key.update(authorization="Bearer ours")
    theirs = with_token(ours, "theirs-token")
    assert theirs.auth_settings()["BearerToken"]["value"] == "Bearer theirs-token"
    assert (theirs.host, theirs.username, theirs.password, theirs.cert_file) == (
        "https://api.example",
        None,
        None,
        None,
    )


def test_two_dashboards_of_one_machine_have_a_session_each(outside):
    outside.get("/", params={"token": outside.access.token})
    other = outside.get("http://127.0.0.1:3201/")
    assert other.status_code == 401 and outside.get("/").status_code == 200


@pytest.mark.parametrize("path", ["/rollouts/default/%3Fwatch=1", "/rollouts/..%2F..%2Fapi/x", "/rollouts/Default/agent",
                                  "/?namespace=..%2F..%2Fapi%2Fv1%2Fsecrets%3F", "/rollouts/default/a%00b"])  # fmt: skip
def test_what_cannot_be_a_name_becomes_part_of_no_request(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("headers", [{"Host": "["}, {"Host": ""}, {"Origin": "http://["}])
def test_odd_headers_are_refused_in_our_words(outside, headers):
    answer = outside.post("/sign-in", data={"token": "x"}, headers=headers)
    assert answer.status_code in (403, 421) and "Traceback" not in answer.text
