"""What all tests share."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

from rollout.daemon.logs import configure

settings.register_profile(
    "suite",
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("fixed", settings.get_profile("suite"), derandomize=True, database=None)
settings.register_profile("quick", settings.get_profile("suite"), phases=[Phase.explicit, Phase.generate])
# `make test` draws fresh examples each time; CI sets "fixed", so that it says the same of one commit twice.
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.fixture(autouse=True)
def _quiet_logs():
    configure(verbose=False)
