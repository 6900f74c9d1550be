"""A real Prometheus, as Debian packages it."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.network import free_port
from tests.waiting import eventually

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="no Prometheus here: apt-get install prometheus"
)


class Prometheus:
    """Reads pages again and again. pages: by job, the path and the addresses. Close it after use."""

    def __init__(
        self, path: Path, pages: Mapping[str, tuple[str, list[str]]], *, every: str = "500ms", honors: bool = False
    ) -> None:
        jobs = [
            {"job_name": job, "metrics_path": page, "honor_labels": honors, "static_configs": [{"targets": targets}]}
            for job, (page, targets) in pages.items()
        ]
        config = {"global": {"scrape_interval": every, "scrape_timeout": every}, "scrape_configs": jobs}
        (path / "prometheus.yml").write_text(json.dumps(config))
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        command = [
            "prometheus",
            f"--config.file={path / 'prometheus.yml'}",
            f"--storage.tsdb.path={path / 'tsdb'}",
            f"--web.listen-address={address}",
            "--log.level=error",
        ]
        self._process = subprocess.Popen(command, cwd=path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self._is_ready, 30, "Prometheus does not get ready")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
