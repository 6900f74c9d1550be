"""A terminal shows what others have said, and does not obey it."""

from __future__ import annotations

import pytest

from rollout.cli.plain import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with ünïcode ✓", "plain, with ünïcode ✓"),
        ("a\nb\tc", "a\nb\tc"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("\x1b]0;title\x07", "\ufffd]0;title\ufffd"),
        ("\x9b31m", "\ufffd31m"),
        ("over\rwritten", "over\ufffdwritten"),
        ("back\x08\x7f", "back\ufffd\ufffd"),
        ("abc\u202edcba", "abc\ufffddcba"),
        ("a\r\nb", "a\nb"),
    ],
)
def test_what_steers_a_terminal_is_shown_and_not_carried_out(text, shown):
    assert plain(text) == shown
