"""What the pages show, of releases that the engine has really carried out."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from html import unescape

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.dashboard.local_source import LocalSource
from rollout.errors import Forbidden
from tests.dashboard.conftest import visiting


def words(html):
    """The text of a page, on one line."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def part(html, name):
    """One part of a page, as text."""
    sections = re.split(r'(?=data-part=")', html)
    return words(next(section for section in sections if section.startswith(f'data-part="{name}"')))


def test_the_list_shows_who_waits_for_a_human_first_then_what_is_under_way(client):
    page = client.get("/").text
    assert re.findall(r"/rollouts/default/([a-z-]+)\"", page) == [
        "support-agent", "research-agent", "billing-agent", "travel-agent",
    ]  # fmt: skip
    assert "4 all 2 under way 1 need attention" in words(page)
    assert "waits for an approval" in page and "v2 is worse than v1" in page


def test_a_release_under_way_shows_weight_evidence_gates_and_conversations(client):
    page = client.get("/rollouts/default/research-agent").text
    summary, kpis = part(page, "summary"), part(page, "kpis")
    assert "v1 → to v2 Observing" in summary and "Next:" in summary and "current: 50 %" in summary
    assert "worse? no" in kpis and re.search(r"proved\? (?:\d+ %|yes)", kpis)
    assert "requests show the weight" in part(page, "gates") and "50 %" in part(page, "conversations")
    assert "the weight is set" in part(page, "decisions") and "No release is over yet" in part(page, "releases")


def test_a_release_that_was_rolled_back_says_which_kpi_and_by_how_much(client):
    page = client.get("/rollouts/default/billing-agent").text
    kpis = part(page, "kpis")
    tasks = kpis[kpis.index("tasks") :]
    assert "worse? yes" in tasks and re.search(r"v2 \d+ of \d+ \(3\d %\)", tasks)
    assert re.search(r"\+\d+ to \+\d+ pp \(95 % interval\)", tasks)
    assert "Evidence of harm" in part(page, "summary")


def test_a_past_release_looks_the_same(client):
    now = client.get("/rollouts/default/billing-agent").text
    past = client.get("/rollouts/default/billing-agent/releases/1").text
    assert part(past, "kpis") == part(now, "kpis").split("Conversations")[0]
    assert "v1 → to v2 rolled-back" in part(past, "summary") and "stopped here: 10 %" in part(past, "summary")
    assert 'class="intended"' in past and 'class="seen"' in past


def test_a_promoted_release_has_passed_its_steps(client):
    past = client.get("/rollouts/default/travel-agent/releases/1").text
    assert part(past, "summary").count("passed: ") == 3 and "promoted" in part(past, "summary")
    assert "proved? yes" in part(past, "kpis")
    for page in (past, client.get("/rollouts/default/travel-agent").text):
        assert "100 % in the end" in page


def test_a_rollout_is_found_in_its_own_namespace_only(client):
    assert client.get("/rollouts/agents/billing-agent").status_code == 404


def test_what_needs_an_approval_says_so_and_offers_it(client):
    page = client.get("/rollouts/default/support-agent").text
    assert "waits for an approval approval of step 2 (50 %)" in part(page, "gates")
    assert re.findall(r'formaction="[^"]*/([a-z]+)"', page) == ["approve", "abort"]


def test_what_is_over_offers_no_action(client):
    assert "formaction" not in client.get("/rollouts/default/billing-agent").text


@pytest.mark.parametrize("page", ["/rollouts/default/nobody", "/rollouts/default/billing-agent/releases/2",
                                  "/rollouts/default/billing-agent/releases/0", "/nowhere"])  # fmt: skip
def test_what_is_not_there_is_said_without_a_traceback(client, page):
    answer = client.get(page)
    assert answer.status_code == 404 and "Traceback" not in answer.text and "All rollouts" in answer.text


def test_texts_of_others_stay_text(directory):
    with closing(sqlite3.connect(directory / "rollouts.db")) as database, database:
        for table, column in (("rollouts", "status"), ("decisions", "body")):
            database.execute(
                f"UPDATE {table} SET {column} = replace({column}, 'waits for an approval', '<img src=x onerror=alert(1)>')"
            )
    with visiting(LocalSource(SqliteStore(directory), "<b>ada</b>")) as client:
        client.get("/", params={"token": client.access.token})
        for page in ("/", "/rollouts/default/support-agent"):
            text = client.get(page).text
            assert "<img src=x" not in text and "&lt;img src=x" in text and "<b>ada" not in text


def test_a_store_that_cannot_be_read_is_said_in_our_words(directory):
    with visiting(LocalSource(SqliteStore(directory), "ada")) as client:
        client.get("/", params={"token": client.access.token})
        (directory / "rollouts.db").write_bytes(b"no database at all")
        answer = client.get("/rollouts/default/travel-agent")
    assert answer.status_code == 503 and "Not available" in answer.text and "Traceback" not in answer.text


def test_a_rollout_that_cannot_be_read_hides_no_other(directory):
    with closing(sqlite3.connect(directory / "rollouts.db")) as database, database:
        database.execute("UPDATE rollouts SET status = replace(status, 'Stable', 'Odd') WHERE name = 'travel-agent'")
    with visiting(LocalSource(SqliteStore(directory), "ada")) as client:
        client.get("/", params={"token": client.access.token})
        page = client.get("/").text
        assert "cannot read" in words(page) and page.count("data-row") == 4
        assert client.get("/rollouts/default/travel-agent").status_code == 503


def test_who_may_not_read_the_record_sees_the_rollout_all_the_same(recorded):
    class Reader(SqliteStore):
        def releases(self, name, limit):
            raise Forbidden("cannot get configmaps")

    with visiting(LocalSource(Reader(recorded), "ada")) as client:
        client.get("/", params={"token": client.access.token})
        answer = client.get("/rollouts/default/support-agent")
    assert answer.status_code == 200 and "You may not read the ConfigMap" in answer.text
    assert "waits for an approval" in answer.text


def test_every_picture_says_in_words_what_it_shows(client):
    page = client.get("/rollouts/default/billing-agent").text
    titles = re.findall(r'<svg [^>]*role="img"[^>]*><title>([^<]+)</title>', page)
    assert len(titles) == page.count("<svg") == 6
    assert any("Weight of the candidate over time: 0.1 at 00:00:04" in title for title in titles), titles
    assert any(title.startswith("tasks: candidate minus stable, +") for title in titles)
