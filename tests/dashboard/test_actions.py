"""Actions: carried out in the user's name, and only for a page of ours."""

from __future__ import annotations

import re
import threading

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.dashboard.local_source import LocalSource
from rollout.errors import Busy, Forbidden
from tests.dashboard import stores
from tests.dashboard.conftest import ADDRESS, visiting

PAGE = "/rollouts/default/support-agent"


class Noting(LocalSource):
    """Notes what it is asked for, and answers as it is told."""

    def __init__(self, store, actor="ada"):
        super().__init__(store, actor)
        self.asked, self.problem = [], None

    def ask(self, row, verb, reason):
        self.asked.append((row.rollout.metadata.name, verb, reason))
        if self.problem:
            raise self.problem
        return f"{verb}: done"


@pytest.fixture
def source(recorded):
    return Noting(SqliteStore(recorded))


@pytest.fixture
def client(source):
    with visiting(source) as client:
        client.get("/", params={"token": client.access.token})
        yield client


def form(client, page=PAGE, **fields):
    """What a page's form sends: its marks, and what somebody has typed."""
    text = client.get(page).text
    return {name: re.search(f'name="{name}" value="([^"]+)"', text)[1] for name in ("csrf", "seen")} | fields


def test_an_action_is_carried_out_once_with_its_reason_and_the_page_says_what_became_of_it(client, source):
    answer = client.post(PAGE + "/approve", data=form(client, reason="looks fine"))
    assert source.asked == [("support-agent", "approve", "looks fine")]
    assert "approve: done" in answer.text
    assert "approve: done" not in client.get(PAGE).text


def test_a_refusal_is_shown_on_the_page(client, source):
    source.problem = Busy("approve was refused: no approval is pending")
    answer = client.post(PAGE + "/approve", data=form(client))
    assert answer.status_code == 200 and 'class="notice bad"' in answer.text and "no approval is pending" in answer.text


def test_missing_rights_are_shown_on_the_page(client, source):
    source.problem = Forbidden('rollouts.rollout.dev "support-agent" is forbidden: User "ada" cannot patch')
    assert "cannot patch" in client.post(PAGE + "/abort", data=form(client)).text


@pytest.mark.parametrize("given", [{}, {"csrf": ""}, {"csrf": "guess"}, {"csrf": "é"}])
def test_a_form_without_this_sessions_mark_changes_nothing(client, source, given):
    answer = client.post(PAGE + "/abort", data=given)
    assert (answer.status_code, source.asked) == (403, [])


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "http://127.0.0.1:9999"},
                                     {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                                     {"Sec-Fetch-Site": "same-site"}])  # fmt: skip
def test_a_form_of_another_page_changes_nothing_even_with_the_mark(client, source, headers):
    answer = client.post(PAGE + "/abort", data=form(client), headers=headers)
    assert (answer.status_code, source.asked) == (403, [])


def test_a_form_of_our_own_page_is_taken(client, source):
    headers = {"Origin": ADDRESS, "Sec-Fetch-Site": "same-origin"}
    client.post(PAGE + "/pause", data=form(client), headers=headers)
    assert [verb for _, verb, _ in source.asked] == ["pause"]


def test_without_a_session_nothing_is_changed(source):
    with visiting(source) as client:
        assert client.post(PAGE + "/abort", data={"csrf": "x"}).status_code == 401
    assert source.asked == []


@pytest.mark.parametrize("verb", ["undo", "retry", "drain", "delete", "approve%2F..", "releases"])
def test_only_the_actions_that_are_offered_exist(client, source, verb):
    answer = client.post(f"{PAGE}/{verb}", data=form(client))
    assert (answer.status_code in (404, 405), source.asked) == (True, [])


def test_reading_a_page_changes_nothing(client, source):
    for verb in ("approve", "abort", "pause"):
        assert client.get(f"{PAGE}/{verb}").status_code == 405
    assert source.asked == []


@pytest.mark.parametrize(
    "body", [b"x" * 40_000, b"csrf=%ff%fe&a=1", b"&".join(b"a%d=1" % n for n in range(50)), b"\xff\xfe"]
)
def test_an_odd_form_is_refused(client, source, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post(PAGE + "/abort", content=body, headers=headers).status_code in (400, 403, 413)
    assert source.asked == []


def test_an_action_goes_through_the_command_line_and_is_recorded_with_the_actor(directory):
    store = SqliteStore(directory)
    with visiting(LocalSource(store, "ada")) as client:
        client.get("/", params={"token": client.access.token})
        page = "/rollouts/default/research-agent"
        answer = client.post(page + "/pause", data=form(client, page, reason="-x; $(id)\x00\n 'quoted'"))
    assert 'class="notice good"' in answer.text and "the weight stays" in answer.text
    status = store.get("research-agent").rollout.status
    assert (status.phase, status.last_command.actor) == ("Paused", "ada")
    assert status.last_command.reason == "-x; $(id)   'quoted'"


def test_a_verb_that_makes_no_sense_is_refused_by_the_engine(directory):
    with visiting(LocalSource(SqliteStore(directory), "ada")) as client:
        client.get("/", params={"token": client.access.token})
        answer = client.post(PAGE + "/resume", data=form(client))
    assert 'class="notice bad"' in answer.text and "it waits for an approval" in answer.text


def test_an_action_is_for_what_somebody_saw_and_an_abort_is_never_late(directory):
    store = SqliteStore(directory)
    source = Noting(store)
    with visiting(source) as client:
        client.get("/", params={"token": client.access.token})
        page = "/rollouts/default/research-agent"
        before = form(client, page)
        row = store.get("research-agent")
        held = store.hold(row.rollout.metadata, lambda recorded: recorded)
        world = stores.under_way(rate=40.0)
        world.command("pause")
        world.reconcile()
        held.save(world.plans[-1])
        held.release()
        answer = client.post(page + "/promote", data=before)
        assert "the release has moved on" in answer.text and source.asked == []
        client.post(page + "/abort", data=before)
        client.post(page + "/resume", data=form(client, page))
    assert [verb for _, verb, _ in source.asked] == ["abort", "resume"]


def test_one_action_at_a_time_for_a_rollout(source, client):
    """A double click is one action."""
    begun, goes_on = threading.Event(), threading.Event()

    def slow(row, verb, reason):
        source.asked.append(verb)
        begun.set()
        assert goes_on.wait(30)
        return "done"

    source.ask = slow
    given = form(client)
    first = threading.Thread(target=lambda: client.post(PAGE + "/approve", data=given))
    first.start()
    assert begun.wait(30)
    second = client.post(PAGE + "/approve", data=given)
    goes_on.set()
    first.join(30)
    assert second.status_code == 503 and "is under way" in second.text and source.asked == ["approve"]


def test_behind_a_proxy_that_goes_by_another_name_the_browsers_word_counts(client, source):
    headers = {"Origin": "https://rollouts.example.com", "Sec-Fetch-Site": "same-origin"}
    client.post(PAGE + "/pause", data=form(client), headers=headers)
    assert [verb for _, verb, _ in source.asked] == ["pause"]
