"""Scenarios over both wirings."""

import pytest

pytest.register_assert_rewrite("tests.scenarios.suite", "tests.scenarios.peers")
