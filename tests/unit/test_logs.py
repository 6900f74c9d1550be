"""Logs: one format for what we log and for what libraries log; JSON for programs, lines for people."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from rollout.runtime.logs import configure


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def logs(request):
    """Configure logging for one test; what was configured before is put back."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield configure
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def test_what_a_library_logs_is_a_json_line_like_our_own_with_the_rollout_it_is_about(logs):
    out = io.StringIO()
    logs(verbose=False, stream=out)
    with structlog.contextvars.bound_contextvars(rollout="agents/shop"):
        structlog.get_logger("rollout").warning("the route was changed", weight=5)
        logging.getLogger("urllib3.pool").warning("Connection pool is full: %s", "api")
    ours, theirs = (json.loads(line) for line in out.getvalue().splitlines())
    assert (ours["event"], ours["weight"]) == ("the route was changed", 5)
    assert (theirs["event"], theirs["logger"]) == ("Connection pool is full: api", "urllib3.pool")
    for line in (ours, theirs):
        assert (line["level"], line["rollout"]) == ("warning", "agents/shop") and line["timestamp"].endswith("Z")


def test_on_a_terminal_a_line_is_read_by_people(logs):
    out = Terminal()
    logs(verbose=False, stream=out)
    structlog.get_logger("rollout").warning("the route was changed", weight=5)
    logging.getLogger("apscheduler").warning("run was missed")
    first, second = out.getvalue().splitlines()
    assert "the route was changed" in first and "weight" in first and not first.startswith("{")
    assert "run was missed" in second and not second.startswith("{")


def test_what_libraries_say_below_a_warning_is_not_logged_even_if_we_log_everything(logs):
    out = io.StringIO()
    logs(verbose=True, stream=out)
    logging.getLogger("httpcore").debug("send_request_headers authorization=%s", "Bearer secret")
    logging.getLogger("apscheduler").info("job added")
    structlog.get_logger("rollout").debug("a sample")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["a sample"]
