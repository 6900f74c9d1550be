"""How often a long-lived process looks for cycles."""

from __future__ import annotations

import gc

import pytest

from rollout.runtime.collection import collect_seldom


@pytest.fixture
def restored():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("restored")
def test_what_is_there_when_a_process_begins_is_never_looked_through_again():
    usual = gc.get_threshold()[0]
    collect_seldom()
    assert gc.get_threshold()[0] > 10 * usual
    assert gc.get_freeze_count() > 1000
