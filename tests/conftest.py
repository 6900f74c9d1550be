"""What all tests share."""

import pytest
from hypothesis import HealthCheck, settings

from rollout.daemon.logs import configure

settings.register_profile(
    "suite", max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _quiet_logs():
    configure(verbose=False)
