from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.databases import running_postgres
from tests.langgraph.rows import LINE, PRELUDE

STEP_TIMEOUT_S = 60


class Stage:
    """Plays steps of one version, each in a process of its own, on one store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with (directory / "stage.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.langgraph.stage"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._count = 0

    def version(self, name: str, source: str, **modules: str) -> str:
        """Write an agent down, with modules beside it; return its folder."""
        self._count += 1
        place = self.directory / f"{self._count}-{name}"
        place.mkdir()
        (place / "agent.py").write_text(PRELUDE + LINE + source)
        for module, text in modules.items():
            (place / f"{module}.py").write_text(text)
        return str(place)

    def store(self) -> str:
        self._count += 1
        return str(self.directory / f"{self._count}.sqlite")

    def play(self, place: str, store: str, *steps: tuple, thread: str = "t1") -> list:
        return self._asked({"dir": place, "store": store, "steps": steps, "thread": thread})

    def contracts(self, places: list[str]) -> list:
        """Export many agents in one process."""
        return self._asked({"contracts": places})

    def _asked(self, job: dict) -> list:
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert not (isinstance(answer, dict) and "failed" in answer), answer
        return answer

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait(STEP_TIMEOUT_S)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    if find_spec("langgraph") is None or find_spec("langgraph.checkpoint.sqlite") is None:
        pytest.skip("langgraph is not installed: pip install 'agent-rollout[demo]'")
    stage = Stage(tmp_path_factory.mktemp("langgraph"))
    yield stage
    stage.end()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """The address of a PostgreSQL of our own, on a socket and loopback, with LangGraph's tables in it."""
    if find_spec("langgraph.checkpoint.postgres") is None or find_spec("psycopg") is None:
        pytest.skip("langgraph-checkpoint-postgres is not installed")
    with running_postgres(tmp_path_factory.mktemp("postgres")) as address:
        from langgraph.checkpoint.postgres import PostgresSaver

        with PostgresSaver.from_conn_string(address) as saver:
            saver.setup()
        yield address
