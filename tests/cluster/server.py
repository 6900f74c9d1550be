"""A real API server on loopback: etcd, kube-apiserver and kube-controller-manager of one release, as processes.

`make cluster-binaries` builds them. Every request is in the audit log, so that a test can tell what was asked, and
what was refused.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from rollout.adapters.kubernetes.api import HttpApi
from rollout.adapters.kubernetes.kubeconfig import configured
from rollout.adapters.kubernetes.resources import Kind
from rollout.errors import ClusterUnavailable
from tests.network import free_port

DEFINITION = Kind("CustomResourceDefinition", "customresourcedefinitions", "apiextensions.k8s.io")
NAMESPACE = Kind("Namespace", "namespaces", "")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agent-rollout" / "cluster"
READY_S = 120.0
CONTROLLERS = (
    "serviceaccount-controller,namespace-controller,garbage-collector-controller,deployment-controller,"
    "replicaset-controller,endpointslice-controller"
)
AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata"}],
}


def binaries() -> Path | None:
    """Return the folder that `make cluster-binaries` has built last; None if it was never run."""
    built = sorted(CACHE.glob("*/complete"), key=lambda each: each.stat().st_mtime)
    return built[-1].parent if built else None


def missing() -> str:
    """Return what a real API server lacks here, and how to bring it; an empty text where nothing does."""
    if binaries() is None:
        return "no kube-apiserver here: make cluster-binaries builds one (needs go)"
    return "" if shutil.which("openssl") else "no openssl here to make a key with"


def skip(why: str) -> None:
    """Skip what needs a real API server; fail where it was just built, for then nothing may be missing."""
    if os.environ.get("NEEDS_API_SERVER"):
        pytest.fail(why)
    pytest.skip(why)


class Server:
    """One API server. api: as an administrator. Close it after use."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, binaries()
        assert self.folder is not None
        self._close = ExitStack()
        self.token = secrets.token_hex(16)
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        (path / "tokens.csv").write_text(
            "\n".join(
                [
                    f'{self.token},admin,admin,"system:masters"',
                    *(f"{name}-token,{name},{name}," for name in ("ada", "bob")),
                ]
            )
        )
        (path / "audit.json").write_text(json.dumps(AUDIT))
        self.processes = {}
        self._start_etcd()
        self._start_apiserver()
        self.kubeconfig = self.kubeconfig_of("admin", self.token)
        self.api = HttpApi(configured(self.kubeconfig)[0], agent="test", read_timeout_s=10)
        self._wait()
        self._start_controllers()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._close.close()

    def _run(self, name: str, *arguments: str) -> None:
        with (self.path / f"{name}.log").open("w") as log:
            process = subprocess.Popen([str(self.folder / name), *arguments], stdout=log, stderr=log, cwd=self.path)
        self.processes[name] = process
        self._close.callback(self._end, process)

    @staticmethod
    def _end(process: subprocess.Popen) -> None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def _start_etcd(self) -> None:
        client, peer = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
        self._etcd = client
        self._run(
            "etcd", "--data-dir", str(self.path / "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
            "--unsafe-no-fsync",
        )  # fmt: skip

    def _start_apiserver(self) -> None:
        key = self.path / "sa.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        self._run(
            "kube-apiserver", "--etcd-servers", self._etcd, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
            "--secure-port", str(self.port), "--cert-dir", str(self.path / "certs"), "--endpoint-reconciler-type", "none",
            "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", str(key),
            "--service-account-signing-key-file", str(key), "--authorization-mode", "RBAC", "--token-auth-file",
            str(self.path / "tokens.csv"), "--service-cluster-ip-range", "10.0.0.0/16", "--audit-policy-file",
            str(self.path / "audit.json"), "--audit-log-path", str(self.path / "audit.log"),
        )  # fmt: skip

    def _start_controllers(self) -> None:
        self._run(
            "kube-controller-manager", "--kubeconfig", str(self.kubeconfig), "--leader-elect=false", "--bind-address",
            "127.0.0.1", "--secure-port", str(free_port()), "--cert-dir", str(self.path / "kcm-certs"),
            "--service-account-private-key-file", str(self.path / "sa.key"), "--controllers", CONTROLLERS,
        )  # fmt: skip

    def _wait(self) -> None:
        end = time.monotonic() + READY_S
        while True:
            assert all(each.poll() is None for each in self.processes.values()), self._last_words()
            try:
                if self.api.get(NAMESPACE, "", "default"):
                    return
            except (ClusterUnavailable, FileNotFoundError):
                pass
            assert time.monotonic() < end, f"the API server does not get ready: {self._last_words()}"
            time.sleep(0.1)

    def _last_words(self) -> str:
        return "\n".join((self.path / f"{name}.log").read_text()[-2000:] for name in self.processes)

    def kubeconfig_of(self, user: str, token: str, namespace: str = "default") -> Path:
        """Write a kubeconfig for a user; return its path."""
        certificate = self.path / "certs" / "apiserver.crt"
        end = time.monotonic() + READY_S
        while not certificate.exists():
            assert time.monotonic() < end, self._last_words()
            time.sleep(0.05)
        made = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": str(certificate)}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": namespace}}],
        }
        path = self.path / f"kubeconfig-{user.replace(':', '-')}-{namespace}"
        path.write_text(json.dumps(made))
        path.chmod(0o600)
        return path

    def api_of(self, kubeconfig: Path, agent: str = "rollout-controller") -> HttpApi:
        return HttpApi(configured(kubeconfig)[0], agent=agent)

    def service_account(self, namespace: str, name: str) -> Path:
        """Return a kubeconfig with a token of a ServiceAccount's own, as a pod has it."""
        tokens = Kind("TokenRequest", f"serviceaccounts/{name}/token", "")
        made = self.api.create(
            tokens, namespace, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        )
        return self.kubeconfig_of(f"{namespace}-{name}", made["status"]["token"], namespace)

    def kubectl(self, *arguments: str, user: str = "admin", check: bool = True, text: str | None = None):
        """Run kubectl as README tells people to."""
        config = self.kubeconfig if user == "admin" else self.kubeconfig_of(user, f"{user}-token")
        command = [str(self.folder / "kubectl"), "--kubeconfig", str(config), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, input=text, cwd=Path(__file__).parents[2],
            env={**os.environ, "HOME": str(self.path)},
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done

    def requests_of(self, user: str, since: float = 0.0) -> list[dict]:
        """Return what a user has asked, from the audit log."""
        found = []
        for line in (self.path / "audit.log").read_text().splitlines():
            event = json.loads(line)
            if event["user"]["username"] == user:
                found.append(event)
        return found

    def stop_answering(self) -> None:
        """Let the API server hang, as behind a network that drops packets."""
        self.processes["kube-apiserver"].send_signal(signal.SIGSTOP)

    def answer_again(self) -> None:
        self.processes["kube-apiserver"].send_signal(signal.SIGCONT)


def install_definitions(server: Server) -> None:
    """Bring in the routes of Gateway API and Istio."""
    for path in sorted((server.folder / "definitions").glob("*.yaml")):
        server.kubectl("apply", "--server-side", "-f", str(path))
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
