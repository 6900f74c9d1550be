"""Where a verb looks for rollouts: the records of this machine, or a cluster.

Options of a cluster name a cluster. Else a file whose backends are endpoints, or records beside it, name this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.cli.options import DEFAULT_FILE, files_of, state_of

if TYPE_CHECKING:
    from rollout.records.cluster_shelf import ClusterShelf
    from rollout.records.shelf import Shelf

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
        """Whether the records of this machine are meant."""
        if self.names_cluster:
            return False
        if self.state is not None:
            return True
        paths = files_of(self.files)
        if any(_has(path, "endpoints:") for path in paths):
            return True
        if any(_has(path, "service:") for path in paths):
            return False
        return bool(self.files) or (state_of(None, None) / "rollouts.db").exists()

    def shelf(self) -> Shelf:
        """Open the place's records. Raises RecordsUnavailable, or InvalidInput where no cluster can be found."""
        if self.is_local:
            from rollout.records.sqlite import Store

            return Store(state_of(self.state, self.files))
        return self.cluster()

    def cluster(self) -> ClusterShelf:
        from rollout.cluster.api import HttpApi, configured
        from rollout.errors import Fault, InvalidInput
        from rollout.records.cluster_shelf import ClusterShelf

        try:
            configuration, usual = configured(self.kubeconfig, self.context)
        except InvalidInput as error:
            if self.names_cluster:
                raise
            remedy = "name a file with -f, a state directory with --state, or a cluster with --kubeconfig"
            message = f"there is no {DEFAULT_FILE} here with endpoints, no records, and no cluster is configured"
            raise InvalidInput([Fault(str(Path.cwd()), message, remedy), *error.faults]) from error
        namespace = None if self.all_namespaces else self.namespace or usual
        return ClusterShelf(HttpApi(configuration, agent="rollout-cli", strict=True), namespace)


def _has(path: Path, word: str) -> bool:
    """Whether a file has a word in it: enough to tell which kind of backends it declares."""
    try:
        return word in path.read_text(encoding="utf-8")[:65_536]
    except (OSError, UnicodeDecodeError):
        return False
