"""An Envoy that was left behind has its addresses, and may be slow to say that it is ours."""

import json
import socket
from contextlib import closing

import pytest

from rollout.adapters.routers.envoy_managed import ManagedEnvoy
from rollout.errors import PageUnavailable


class Admin:
    """The admin page of an Envoy that answers from the given request on."""

    def __init__(self, envoy: ManagedEnvoy, slow: int) -> None:
        self.envoy, self.slow, self.asked = envoy, slow, 0

    def get(self, url: str, timeout_s: float) -> str:
        self.asked += 1
        if self.asked <= self.slow:
            raise PageUnavailable("it does not answer")
        options = {"config_path": str(self.envoy._bootstrap_path)}
        return json.dumps({"node": {"id": "rollout-agent"}, "state": "LIVE", "command_line_options": options})


@pytest.fixture
def taken():
    """An address that somebody listens on."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def left_behind(tmp_path, listen: str, slow: int) -> ManagedEnvoy:
    envoy = ManagedEnvoy("agent", listen, tmp_path, None)
    envoy._http = Admin(envoy, slow)
    (tmp_path / "admin.txt").write_text("127.0.0.1:1")
    return envoy


def test_our_own_envoy_that_is_slow_to_answer_is_not_taken_for_somebody_else(tmp_path, taken):
    envoy = left_behind(tmp_path, taken, slow=2)
    assert envoy.address_problems() == {}
    assert envoy._http.asked == 3


def test_an_address_that_somebody_else_has_is_named_at_once(tmp_path, taken):
    envoy = ManagedEnvoy("agent", taken, tmp_path, None)
    assert set(envoy.address_problems()) == {"listen"}
