"""The dashboard in a real Chromium: what people see, hear of, and can reach with a keyboard."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from rollout.adapters.storage.sqlite import SqliteStore
from rollout.dashboard.access import OneToken
from rollout.dashboard.app import dashboard
from rollout.dashboard.local_source import LocalSource
from rollout.dashboard.server import DashboardServer, bound
from rollout.dashboard.sessions import Sessions
from rollout.runtime.clock import WallClock
from tests.dashboard import browser, stores

WAIT_MS = 60_000
PAGES = ["/", "/rollouts/default/research-agent", "/rollouts/default/billing-agent",
         "/rollouts/default/support-agent", "/rollouts/default/travel-agent/releases/1"]  # fmt: skip
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(browser.missing()), reason=browser.missing() or "a Chromium is there"),
]


@pytest.fixture(scope="module")
def chromium():
    with browser.chromium() as running:
        yield running


@contextmanager
def served(directory, actor="ada"):
    """The dashboard of a state directory: its address, its token, its store."""
    store, sessions = SqliteStore(directory), Sessions(WallClock())
    access = OneToken(LocalSource(store, actor), sessions)
    server = DashboardServer(dashboard(access, sessions, WallClock()), bound("127.0.0.1", 0, "--listen"))
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}", access.token, store
    finally:
        server.close()


@pytest.fixture
def visit(chromium, directory):
    """A function that opens a page of a dashboard of its own, signed in; it fails where the page complains."""
    with served(directory) as (address, token, store):
        contexts, complaints = [], []

        def visit(path="/", **options):
            context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            contexts.append(context)
            context.set_default_timeout(WAIT_MS)
            page = context.new_page()
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "request",
                lambda request: (
                    complaints.append(request.url) if not request.url.startswith((address, "data:")) else None
                ),
            )
            page.goto(f"{address}/?token={token}")
            page.goto(address + path)
            page.store = store
            return page

        yield visit
        for context in contexts:
            context.close()
        assert complaints == []


def change(store, verb):
    """What a controller writes when somebody has given a command."""
    row = store.get("research-agent")
    held = store.hold(row.rollout.metadata, lambda recorded: recorded)
    world = stores.under_way(rate=40.0)
    world.command(verb)
    world.reconcile()
    held.save(world.plans[-1])
    held.release()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    "look", [{}, {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}}], ids=["wide", "phone"]
)
def test_a_page_fits_its_window_and_asks_nobody_else(visit, path, look):
    page = visit(path, **look)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.locator("h1").count() == 1
    assert len(page.screenshot(full_page=True)) > 10_000


def test_a_change_is_seen_without_a_reload_and_told_to_screen_readers(visit):
    page = visit("/rollouts/default/research-agent")
    page.wait_for_selector("#live[data-state=on]")
    page.evaluate("window.kept = true")
    change(page.store, "pause")
    page.locator("[data-phase]", has_text="Paused").wait_for()
    assert page.evaluate("window.kept") is True
    assert page.inner_text("#announce") == "The phase is Paused now."
    assert page.locator("button", has_text="Resume").is_visible()


def test_the_list_changes_by_itself_and_keeps_the_filter(visit):
    page = visit("/")
    page.wait_for_selector("#live[data-state=on]")
    page.fill("#filter", "research")
    assert page.locator("[data-row]:visible").count() == 1
    page.locator("h1").click()
    change(page.store, "pause")
    page.locator("[data-row]:visible", has_text="Paused").wait_for()
    assert page.locator("[data-row]:visible").count() == 1
    page.fill("#filter", "no such thing")
    assert page.locator("#no-match").is_visible()


def test_what_somebody_has_opened_stays_open(visit):
    page = visit("/rollouts/default/research-agent")
    page.wait_for_selector("#live[data-state=on]")
    page.locator("details summary").last.click()
    change(page.store, "pause")
    page.locator("[data-phase]", has_text="Paused").wait_for()
    assert page.locator("details[open]").count() == 1
    assert page.locator("details").last.evaluate("one => one.open")


def test_an_abort_asks_first_and_says_what_became_of_it(visit):
    page = visit("/rollouts/default/research-agent")
    page.fill("input[name=reason]", "seen in the browser")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.click("button:has-text('Abort')")
    assert page.store.get("research-agent").rollout.status.phase == "Observing"
    page.click("button:has-text('Pause')")
    page.wait_for_selector(".notice.good")
    status = page.store.get("research-agent").rollout.status
    assert (status.phase, status.last_command.actor) == ("Paused", "ada")
    assert status.last_command.reason == "seen in the browser"


def test_enter_in_the_reason_is_no_action(visit):
    page = visit("/rollouts/default/support-agent")
    page.fill("input[name=reason]", "need to ask first")
    page.press("input[name=reason]", "Enter")
    page.goto(page.url)
    assert page.store.get("support-agent").rollout.status.phase == "Paused"


def test_what_somebody_types_survives_a_change(visit):
    page = visit("/rollouts/default/research-agent")
    page.wait_for_selector("#live[data-state=on]")
    page.fill("input[name=reason]", "half a sent")
    change(page.store, "pause")
    page.locator("[data-phase]", has_text="Paused").wait_for()
    assert page.input_value("input[name=reason]") == "half a sent"
    assert page.evaluate("document.activeElement.name") == "reason"
    page.keyboard.type("ence")
    assert page.input_value("input[name=reason]") == "half a sentence"
    page.locator("button", has_text="Resume").wait_for()


def test_a_change_that_came_before_the_stream_is_seen_too(visit):
    page = visit()
    page.route("**/research-agent/events", lambda route: (change(page.store, "pause"), route.continue_()))
    page.goto(page.url + "rollouts/default/research-agent")
    page.locator("[data-phase]", has_text="Paused").wait_for()


def test_everything_can_be_reached_with_the_keyboard(visit):
    page = visit("/rollouts/default/research-agent")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(80):
        reached.add(page.evaluate("(document.activeElement.textContent || document.activeElement.name).trim()"))
        page.keyboard.press("Tab")
    assert {"Promote", "Pause", "Abort", "Sign out", "Numbers", "Rollouts"} <= reached


def test_who_has_no_session_sees_the_way_in_and_nothing_else(chromium, directory):
    with served(directory) as (address, _, _):
        context = chromium.new_context()
        page = context.new_page()
        page.goto(address + "/rollouts/default/support-agent")
        assert "rollout dashboard" in page.inner_text("main") and "support-agent" not in page.inner_text("main")
        context.close()


CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const part = (value) => { value /= 255; return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const faults = [];
  for (const one of document.querySelectorAll("body *")) {
    if (![...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const style = getComputedStyle(one);
    if (style.visibility === "hidden" || !one.getClientRects().length || one.closest("svg")?.tagName === "svg" && one.tagName === "title") continue;
    const ink = one.closest("svg") && one.tagName === "text" ? style.fill : style.color;
    const [a, b] = [light(parse(ink)), light(behind(one))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faults.push(`${one.tagName}.${one.className} ${one.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return faults;
}"""


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_aa_asks_for(visit, path, scheme):
    assert visit(path, color_scheme=scheme).evaluate(CONTRAST) == []


def test_the_contrast_check_would_notice_a_pale_text(visit):
    page = visit("/")
    page.evaluate("document.querySelector('h1').style.color = '#999'")
    assert any("H1" in fault for fault in page.evaluate(CONTRAST))
