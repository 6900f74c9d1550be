"""Who may come in, and what a page of somebody else cannot do."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.dashboard.access import ClusterTokens
from rollout.dashboard.local_source import LocalSource
from rollout.dashboard.security import COOKIE
from rollout.dashboard.sessions import LASTS, SESSIONS_MAX, Sessions
from rollout.errors import Forbidden
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
    session = client.cookies[COOKIE]
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/").text)[1]
    client.post("/sign-out", data={"csrf": csrf})
    client.cookies.set(COOKIE, session)
    assert client.get("/").status_code == 401


def test_sessions_are_bounded_the_oldest_goes():
    sessions = Sessions(FakeClock())
    ids = [sessions.begin(source=None).id for _ in range(SESSIONS_MAX + 2)]
    assert [sessions.get(one) is not None for one in ids[:3]] == [False, False, True] and sessions.get(ids[-1])


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


def test_in_a_cluster_a_token_that_nobody_knows_is_refused():
    door, _ = cluster_door()
    assert door.sign_in(" ada-token\n").source.actor == "ada@example.com"
    for token in ("", "bob-token", "a\nb", "x" * 20_000, "ünknown"):
        with pytest.raises(Forbidden):
            door.sign_in(token)


def test_a_proxy_hands_the_users_token_on_and_it_is_asked_about_once():
    door, asked = cluster_door("x-forwarded-access-token")
    first = door.by_header({"authorization": "Bearer ada-token"})
    assert door.by_header({"authorization": "bearer ada-token"}) is first and asked == ["ada-token"]
    assert door.by_header({"x-forwarded-access-token": "ada-token"}) is first
    assert door.by_header({"authorization": "Basic YTpi"}) is None and door.by_header({}) is None


def test_a_header_that_was_not_named_lets_nobody_in():
    door, _ = cluster_door()
    assert door.by_header({"x-forwarded-access-token": "ada-token", "": "ada-token"}) is None
