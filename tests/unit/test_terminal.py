"""What a rollout looks like in a terminal: a tree with bars, in plain words, at any width."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from datetime import timedelta
from fcntl import ioctl

import pytest
import yaml

from rollout.cli.render.bars import THRESHOLD, evidence_bar, share_bar
from rollout.cli.render.line import Line, Piece, joined, line, wrapped
from rollout.cli.render.status import draw
from rollout.cli.render.table import hanging, table
from rollout.cli.render.tree import WIDTH_MIN, Branch, drawn, text
from rollout.engine.planned import Plan
from rollout.model.api.rollout import Metadata
from rollout.model.rollout import Rollout
from rollout.model.status.vocabulary import Phase, Reason
from rollout.views.outlook import outlook
from rollout.views.summary import overview_of
from tests.dashboard import stores
from tests.waiting import eventually
from tests.world import POLICY, Behaviour, World, policy

NAME = "support-agent"


def picture(world: World, width: int = 100, **options) -> list[str]:
    shown = Rollout(Metadata(name=NAME), world.status_store.rollout.spec, world.status)
    return [one.text for one in draw(overview_of(shown, world.clock.at), world.clock.at.timestamp(), width, **options)]


def flat(lines: list[str]) -> str:
    """The words of a picture, without the tree."""
    return re.sub(r"[\s│├└─]+", " ", " ".join(lines))


@pytest.fixture(scope="module")
def observing() -> World:
    world = World(rate=20)
    world.run(200)
    return world


@pytest.fixture(scope="module")
def collecting() -> World:
    """A release that waits for evidence, and for nothing else."""
    steps = [{"weight": "20%", "until": "evidence", "atMost": "10h"}]
    world = World(policy(canary={"steps": steps, "bake": {"for": "5m"}}), rate=2)
    world.run(240)
    assert world.status.reason is Reason.COLLECTING, world.status
    return world


# what is in it


def test_a_release_is_a_tree_of_why_next_steps_weight_kpis_gates_and_conversations(observing):
    lines = picture(observing)
    labels = [match[1] for one in lines if (match := re.match(r"[├└]─ (\w+)", one))]
    assert labels == ["why", "next", "steps", "weight", "KPIs", "gates", "conversations", "stop"]
    assert lines[0].startswith(f"{NAME}  v1 → v2  ◌ Observing")
    assert lines[-1] == f"└─ stop    rollout abort {NAME}"


def test_the_weight_is_shown_as_intended_and_as_seen(observing):
    observing.run(60)
    weight, seen = (one for one in picture(observing) if "intended" in one or "requests seen" in one)
    assert re.search(r"█+░+  \d+ % intended, effective", weight), weight
    assert re.search(r"█+.?░+  \d+ % of [\d,]+ requests seen", seen), seen


def test_plain_words_come_first_and_statistics_only_with_verbose(collecting):
    plain, verbose = flat(picture(collecting)), flat(picture(collecting, verbose=True))
    assert "worse? no" in plain and re.search(r"proved\? \d+ %", plain)
    for number in ("phi", "95 % interval", "proof needs 20", "pp allowed"):
        assert number in verbose and number not in plain, number


def test_it_says_how_much_traffic_and_time_is_left(collecting):
    left = outlook(collecting.status, collecting.clock.at)
    assert left.requests is not None and left.requests > 50
    seen = collecting.status.latest.split.reached
    passed_s = (collecting.clock.at - collecting.status.latest.traffic.applied_at).total_seconds()
    assert left.seconds == pytest.approx(left.requests / (seen.candidate / passed_s))
    said = flat(picture(collecting))
    assert f"after about {left.requests:,.0f} more requests of v2 (~" in said and "at the latest" in said


def test_what_is_left_shrinks_as_requests_come_in(collecting):
    before = outlook(collecting.status, collecting.clock.at)
    collecting.run(300)
    after = outlook(collecting.status, collecting.clock.at)
    assert after.requests < before.requests and after.latest_s < before.latest_s


def test_a_step_that_only_waits_says_how_long():
    world = World(policy(canary={"steps": [{"weight": "20%", "for": "30m"}, {"weight": "50%"}], "bake": {"for": "5m"}}))
    world.run(300)
    left = outlook(world.status, world.clock.at)
    assert left.requests is None and 1400 < left.seconds < 1800 and left.message.startswith("in 2")
    later = outlook(world.status, world.clock.at + timedelta(seconds=600))
    assert later.seconds == pytest.approx(left.seconds - 600)


def test_nothing_is_foretold_while_somebody_is_waited_for():
    assert outlook(stores.waiting_for_approval().status, World().clock.at).message == ""


def test_a_gate_that_waits_stands_out_with_what_it_waits_for():
    lines = picture(stores.waiting_for_approval())
    assert any(re.search(r"├─ gates +✔ requests show the weight", one) for one in lines), lines
    assert any(re.search(r"└─ ‖ approval of step 2 \(50 %\) +waits for an approval", one) for one in lines), lines


def test_a_release_that_was_rolled_back_shows_where_and_by_what():
    world = World(rate=60.0)
    world.behaviour["v2"] = Behaviour(tasks=0.4)
    world.run(stores.HOUR_S, until="RolledBack", every_s=2.0)
    said = flat(picture(world))
    assert "✖ RolledBack" in said and "✖ 10 %" in said
    assert re.search(r"tasks worse\? yes █+┃█+", said), said


def test_a_bake_says_in_the_statistics_what_the_candidates_own_rate_may_be():
    raw = yaml.safe_load(POLICY)
    del raw["canary"]
    world = World(policy(yaml.safe_dump({**raw, "blueGreen": {"preview": {"for": "3m"}, "bake": {"for": "1h"}}})))
    world.run(600)
    assert world.status.phase is Phase.BAKING
    said = flat(picture(world, verbose=True))
    assert "candidate only" in said and "allowed, reference: frozen" in said and "preview" in said


def test_an_edited_policy_counts_next_time():
    world = World()
    world.run(60)
    world.declare(policy=policy(drain={"deadline": "1h"}))
    assert "The change counts for the next release" in flat(picture(world))


def test_what_nobody_carries_out_and_what_cannot_be_carried_out_is_said(observing):
    said = flat(picture(observing, holder="", problem="unknown field spec.stepz"))
    assert (
        "no controller is running, so nothing moves. To continue: rollout start v2" in said
        and "wrong unknown field spec.stepz" in said
    )
    assert "web-1 carries it out" in flat(picture(observing, holder="web-1"))


# how it is drawn


@pytest.mark.parametrize("width", [WIDTH_MIN, 40, 56, 72, 80, 100, 140])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_lost(collecting, width, verbose):
    lines = picture(collecting, width, verbose=verbose, holder="")
    assert max(map(len, lines)) <= width, "\n".join(lines)
    assert not any("…" in one for one in lines), "\n".join(lines)


def test_bars_are_left_out_where_there_is_no_room_for_them(collecting):
    assert any(THRESHOLD in one for one in picture(collecting, 80)[5:])
    kpis = [one for one in picture(collecting, 40) if "proved?" in one]
    assert kpis and not any(THRESHOLD in one for one in kpis)


@pytest.mark.parametrize(
    ("fraction", "bar"), [(0.0, "░░░░"), (0.5, "██░░"), (1.0, "████"), (0.001, "▏░░░"), (7.0, "████"), (-1.0, "░░░░")]
)
def test_a_share_is_drawn_to_an_eighth_and_what_is_not_nothing_is_seen(fraction, bar):
    assert share_bar(fraction, 4, "cyan").text == bar


@pytest.mark.parametrize(
    ("done", "bar"), [(0.0, "░░░░┃░░"), (0.5, "██░░┃░░"), (0.99, "███░┃░░"), (1.0, "████┃██"), (5.0, "████┃██")]
)
def test_evidence_passes_the_mark_of_its_threshold_only_when_it_reaches_it(done, bar):
    assert evidence_bar(done, 7, "red").text == bar


def test_branches_hang_below_one_another_and_texts_are_wrapped_beside_their_label():
    tree = drawn(
        [line("head")], [Branch("KPIs", below=(text("one", "a"), text("three", "b"))), text("why", "x " * 20)], 32
    )
    assert [one.text.rstrip() for one in tree] == [
        "head",
        "├─ KPIs",
        "│  ├─ one    a",
        "│  └─ three  b",
        "└─ why     x x x x x x x x x x x",
        "           x x x x x x x x x",
    ]


def test_parts_stand_side_by_side_as_far_as_they_fit():
    parts = [line("aaaa"), line("bbbb"), line("cccc")]
    assert [one.text for one in joined(parts, 11)] == ["aaaa   bbbb", "cccc"]


def test_what_is_cut_off_a_line_is_shown_to_be():
    assert Line((Piece("abc"), Piece("def"))).cut(5).text == "abcd…"
    assert Line((Piece("abc"),)).cut(3).text == "abc"


# on a real terminal


class Screen:
    """A command on a terminal of its own, and every byte it wrote there."""

    def __init__(self, cwd, *arguments: str, columns: int = 100, rows: int = 40, **env: str) -> None:
        self.own, theirs = pty.openpty()
        self.resize(columns, rows)
        environment = {**os.environ, "TERM": "xterm-256color", **env}
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            if name not in env:
                environment.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rollout", *arguments],
            cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
        )  # fmt: skip
        os.close(theirs)
        self.written = b""

    def resize(self, columns: int, rows: int) -> None:
        ioctl(self.own, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def shows(self, *words: str) -> bool:
        self._read()
        return all(word.encode() in self.written for word in words)

    def is_whole(self) -> bool:
        """Whether each frame that was begun has been drawn to its end."""
        return self.written.count(b"\x1b[?2026h") == self.written.count(b"\x1b[?2026l") > 0

    def ended(self) -> bool:
        self._read()
        return self.process.poll() is not None

    def _read(self) -> None:
        while select.select([self.own], [], [], 0)[0]:
            try:
                part = os.read(self.own, 65536)
            except OSError:  # nobody is at the other end any more
                return
            if not part:
                return
            self.written += part

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        eventually(self.ended, 60, "does not end")
        os.close(self.own)


@pytest.fixture
def store(tmp_path):
    return stores.record(tmp_path / ".rollout", NAME, stores.under_way())


def test_watch_draws_whole_frames_when_something_changes_and_never_clears_the_screen(store, tmp_path):
    screen = Screen(tmp_path, "status", "--watch")
    try:
        eventually(lambda: screen.shows("no controller is running", "stop", "\x1b[?2026l"), 60, f"{screen.written}")
        row = store.get(NAME)
        held = store.hold(row.rollout.metadata, lambda recorded: recorded)
        held.save(Plan(row.rollout.status.model_copy(update={"message": "something has changed"})))
        held.release()
        eventually(lambda: screen.shows("something has changed") and screen.is_whole(), 60, f"{screen.written}")
        frames = screen.written.split(b"\x1b[?2026h")
        assert b"\x1b[2J" not in screen.written
        assert not any(frame.split(b"\x1b[?2026l")[1] for frame in frames[1:]), "something is drawn outside a frame"
        assert len(frames) <= 6, "drawn again and again, though only one thing has changed"
    finally:
        screen.close()
    assert screen.process.returncode == 130


def test_watch_fits_a_terminal_that_is_made_narrow_and_low(store, tmp_path):
    screen = Screen(tmp_path, "status", "--watch", columns=100, rows=40)
    try:
        eventually(lambda: screen.shows("\x1b[?2026l"), 60, f"{screen.written}")
        screen.written = b""
        screen.resize(48, 14)
        eventually(lambda: screen.shows("\x1b[?2026l"), 60, "is not drawn anew")
        frame = screen.written.decode().split("\x1b[?2026l")[0]
        lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frame).replace("\r", "").splitlines()
        assert max(map(len, lines)) <= 48 and len(lines) <= 14, lines
        assert "more lines" in frame
    finally:
        screen.close()


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_that_want_it(store, tmp_path, env, coloured):
    screen = Screen(tmp_path, "status", **env)
    eventually(screen.ended, 60, "does not end")
    screen.close()
    assert NAME in screen.written.decode()
    assert (b"\x1b[" in screen.written) is coloured


# where there is little room, or another alphabet


def test_letters_that_take_two_columns_are_counted_as_two():
    lines = wrapped("版本二比版本一差得多 and it was rolled back", 20)
    assert max(one.cells for one in lines) <= 20 and len(lines) > 2
    assert "".join(one.text for one in lines).replace(" ", "") == "版本二比版本一差得多anditwasrolledback"
    assert Line((Piece("版本二"),)).cut(4).cells <= 4


def test_a_word_that_is_wider_than_its_place_is_broken_and_nothing_is_lost():
    assert [one.text for one in wrapped("a " + "b" * 20, 8)] == ["a", "bbbbbbbb", "bbbbbbbb", "bbbb"]


def test_where_the_terminal_is_low_what_can_be_missed_is_left_out_first(collecting):
    whole, compact = picture(collecting, 80), picture(collecting, 80, compact=True)
    assert len(compact) < len(whole)
    labels = [match[1] for one in compact if (match := re.match(r"[├└]─ (\w+)", one))]
    assert labels == ["why", "next", "steps", "weight", "KPIs", "gates", "stop"]
    assert all(any(name in one and "proved?" in one for one in compact) for name in ("errors", "tasks"))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_knows_no_bars_gets_others_and_no_traceback(store, tmp_path, encoding):
    for extra in ([], ["--verbose"], ["--state", ".rollout"]):
        screen = Screen(tmp_path, "status", *extra, PYTHONIOENCODING=encoding, NO_COLOR="1")
        eventually(screen.ended, 60, "does not end")
        screen.close()
        shown = screen.written.decode(encoding)
        assert f"{NAME}  v1 > v2" in shown and "|- why" in shown and "Traceback" not in shown, shown


def test_nobody_is_said_to_be_no_worse_before_anything_was_counted():
    world = World(rate=0.0)
    world.run(120)
    said = flat(picture(world))
    assert "worse? not known" in said and "worse? no " not in said


def test_an_estimate_that_has_run_out_is_none():
    """More requests than were thought to be needed have come: nobody knows how many more it takes."""
    world = World(policy(canary={"steps": [{"weight": "20%", "until": "evidence"}], "bake": {"for": "5m"}}), rate=2)
    for _ in range(60):
        world.run(60)
        if world.status.phase is not Phase.OBSERVING:
            break
        assert "about 1 more request " not in flat(picture(world))
        assert all(left > 1 for left in outlook(world.status, world.clock.at).by_kpi.values())


def test_after_a_promotion_new_conversations_go_to_the_stable_version_that_is_promoted():
    world = World(rate=60.0)
    world.run(6 * stores.HOUR_S, until="Draining", every_s=5.0)
    said = flat(picture(world))
    assert "v2 stable 100 % of new ones" in said and "intended" not in said


def test_news_that_has_not_reached_somebody_is_shown_once_it_is_more_than_news():
    from tests.unit.test_notices import EVERYTHING

    world = World(policy(notifications=EVERYTHING))
    world.notifier.down = True
    world.run(5)
    assert "untold" not in flat(picture(world))
    world.run(30)
    assert "untold t0 could not be told yet of started" in flat(picture(world))


# tables


def test_a_table_is_as_wide_as_what_is_in_it_and_its_last_column_is_wrapped_on_a_terminal():
    rows = [("a", "Stable", "one two three four five six"), ("support-agent", "RolledBack", "seven")]
    assert table(("NAME", "PHASE", "WHY"), rows, 53) == [
        "NAME           PHASE       WHY",
        "a              Stable      one two three four five",
        "                           six",
        "support-agent  RolledBack  seven",
    ]


def test_for_programs_a_row_is_a_line_whatever_its_length():
    rows = [("a", "x " * 100), ("b", "y")]
    assert len(table(("NAME", "WHY"), rows, None)) == 3


def test_a_long_text_hangs_under_its_beginning():
    assert hanging("12:00  " + "word " * 8, 7, 32) == ["12:00  word word word word word", "       word word word"]
    assert hanging("12:00  " + "word " * 8, 7, None) == ["12:00  " + "word " * 8]
