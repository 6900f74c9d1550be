"""The scenarios on one machine."""

from tests.scenarios.peers import *  # noqa: F403
from tests.scenarios.suite import *  # noqa: F403
from tests.scenarios.wirings import Machine

WIRING = Machine
