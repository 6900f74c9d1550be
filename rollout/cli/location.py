"""Where a verb looks for rollouts: the store of this machine, or a cluster.

Options of a cluster name a cluster. Else a file whose backends are endpoints, or a store beside it, name this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.cli.files import DEFAULT_FILE, files_of, state_of

if TYPE_CHECKING:
    from rollout.adapters.kubernetes.api import HttpApi
    from rollout.adapters.storage.base import RolloutStore
    from rollout.adapters.storage.kubernetes import KubernetesStore

BACKENDS = ("endpoints", "service", "versions", "roles")
"""How a Rollout may name its backends. Only endpoints are this machine's."""

POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True)
class Place:
    """What was said of where, on the command line."""

    files: list[Path] | None = None
    state: Path | None = None
    namespace: str | None = None
    all_namespaces: bool = False
    context: str | None = None
    kubeconfig: Path | None = None

    @property
    def names_cluster(self) -> bool:
        """Whether an option names a cluster."""
        return bool(self.namespace or self.all_namespaces or self.context or self.kubeconfig)

    @property
    def is_local(self) -> bool:
        """Whether the store of this machine is meant."""
        if self.names_cluster:
            return False
        if self.state is not None:
            return True
        declared = [kind for path in files_of(self.files) for kind in _backends(path)]
        if declared:
            return set(declared) == {"endpoints"}
        return bool(self.files) or (state_of(None, None) / "rollouts.db").exists()

    def store(self) -> RolloutStore:
        """Open the place's store. Raises StoreUnavailable, or InvalidInput where no cluster can be found."""
        if self.is_local:
            from rollout.adapters.storage.sqlite import SqliteStore

            return SqliteStore(state_of(self.state, self.files))
        return self.cluster()

    def cluster(self) -> KubernetesStore:
        """Open the cluster's store. Raises InvalidInput where no cluster can be found."""
        from rollout.adapters.storage.kubernetes import KubernetesStore

        return KubernetesStore(*self.api())

    def api(self) -> tuple[HttpApi, str | None]:
        """Return the cluster's API, and the namespace that is meant; None for all. Raises InvalidInput, likewise."""
        from rollout.adapters.kubernetes.api import HttpApi
        from rollout.adapters.kubernetes.kubeconfig import configured
        from rollout.errors import Fault, InvalidInput

        try:
            configuration, usual = configured(self.kubeconfig, self.context)
        except InvalidInput as error:
            if self.names_cluster:
                raise
            begin = "begin with `rollout init`, or see one run with `rollout demo`"
            remedy = f"{begin}; or name a file with -f, a store with --state, a cluster with --kubeconfig"
            message = f"there is no {DEFAULT_FILE} here, and no store of rollouts"
            if DEFAULT_FILE.exists():
                message = f"{DEFAULT_FILE} names no endpoints, so a cluster is meant, and none is configured"
            raise InvalidInput([Fault(str(Path.cwd()), message, remedy)]) from error
        namespace = None if self.all_namespaces else self.namespace or usual
        return HttpApi(configuration, agent="rollout-cli", strict=True), namespace


def _backends(path: Path) -> list[str]:
    """Return how the Rollouts in a file name their backends; nothing for what cannot be read: that is told later."""
    if not path.exists():
        return []
    from rollout.errors import InvalidInput
    from rollout.model.yaml_text import FILE_MAX_BYTES, load_all, read_bounded

    forms: list[str] = []
    try:
        for _, document in load_all(read_bounded(path, FILE_MAX_BYTES) or "", str(path)):
            spec = document.get("spec") if isinstance(document, dict) else None
            backends = spec.get("backends") if isinstance(spec, dict) else None
            forms += [key for key in BACKENDS if isinstance(backends, dict) and key in backends]
    except (OSError, UnicodeDecodeError, InvalidInput):
        return forms
    return forms
