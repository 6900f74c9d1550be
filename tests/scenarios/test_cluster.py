"""The scenarios in a cluster."""

from tests.scenarios.peers import *  # noqa: F403
from tests.scenarios.suite import *  # noqa: F403
from tests.scenarios.wirings import Cluster

WIRING = Cluster
