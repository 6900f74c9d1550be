"""A real PostgreSQL for tests: started in a fresh directory, ended afterwards. Where there is none, a test skips."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

START_TIMEOUT_S = 30.0


def _program(name: str) -> str | None:
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(places[0]) if places else shutil.which(name)


@contextmanager
def running_postgres(directory: Path) -> Iterator[str]:
    initdb, server = _program("initdb"), _program("postgres")
    if initdb is None or server is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    user: dict = {}
    if os.geteuid() == 0:  # it refuses to run as root
        name = next((each for each in ("postgres", "nobody") if _exists(each)), None)
        if name is None:
            pytest.skip("PostgreSQL does not run as root, and there is no other user")
        user = {"user": name}
        for place in (directory, *list(directory.parents)[:3]):
            if place.owner() == "root" and str(place).startswith("/tmp/"):
                place.chmod(0o755)
        shutil.chown(directory, name)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = directory / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **user}
    made = [initdb, "-D", str(data), "-U", "agent", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(made, check=True, timeout=START_TIMEOUT_S, **quiet)
    options = ["-F", "-p", str(port), "-h", "127.0.0.1", "-k", ""]
    process = subprocess.Popen([server, "-D", str(data), *options], **quiet)
    try:
        address = f"postgresql://agent@127.0.0.1:{port}/postgres"
        _wait(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _wait(address: str, process: subprocess.Popen) -> None:
    import psycopg

    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            psycopg.connect(address, connect_timeout=2).close()
        except psycopg.OperationalError:
            assert process.poll() is None, "PostgreSQL ended"
            time.sleep(0.1)
        else:
            return
    raise AssertionError("PostgreSQL did not start")
