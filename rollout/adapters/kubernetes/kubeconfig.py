"""Which cluster: a kubeconfig and its contexts, or the service account of the pod that this runs in."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from rollout.causes import why
from rollout.errors import Fault, InvalidInput

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def configured(kubeconfig: Path | None = None, context: str | None = None) -> tuple[Any, str]:
    """Return the client's configuration and the namespace it stands for. Raises InvalidInput.

    In a pod, and without a kubeconfig being named, the service account is used.
    """
    import yaml  # noqa: PLC0415
    from kubernetes import client, config  # noqa: PLC0415  0.4 s
    from kubernetes.config.config_exception import ConfigException  # noqa: PLC0415

    configuration = client.Configuration()
    try:
        if kubeconfig is None and context is None and _POD_NAMESPACE.exists():
            config.load_incluster_config(client_configuration=configuration)
            return configuration, _POD_NAMESPACE.read_text(encoding="utf-8").strip() or "default"
        path = str(kubeconfig) if kubeconfig else None
        config.load_kube_config(path, context, client_configuration=configuration, persist_config=False)
        contexts, current = config.list_kube_config_contexts(path)
        chosen = next((entry for entry in contexts if entry["name"] == context), current)
        return configuration, chosen["context"].get("namespace") or "default"
    except (ConfigException, OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        where = str(kubeconfig) if kubeconfig else "the kubeconfig"
        remedy = "name one with --kubeconfig or KUBECONFIG, and its context with --context"
        raise InvalidInput([Fault(where, _not_usable(error), remedy)]) from error


def context_names(kubeconfig: Path | None) -> list[str]:
    """Return the names of a kubeconfig's contexts. Raises what its library does."""
    from kubernetes import config  # noqa: PLC0415  as above

    return [entry["name"] for entry in config.list_kube_config_contexts(str(kubeconfig) if kubeconfig else None)[0]]


def asks_a_program(kubeconfig: Path | None, context: str | None) -> bool:
    """Whether a context's user logs in by a program (`exec`, `auth-provider`); also where that cannot be told."""
    import yaml  # noqa: PLC0415

    named = [kubeconfig] if kubeconfig else map(Path, os.environ.get("KUBECONFIG", "").split(os.pathsep))
    paths = [path for path in named if path.is_file()] or [Path.home() / ".kube" / "config"]
    contexts: dict[str, Any] = {}
    users: dict[str, Any] = {}
    current = context
    try:
        for path in paths if paths[0].is_file() else ():
            read = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            current = current or read.get("current-context")
            contexts |= {entry["name"]: entry.get("context") or {} for entry in read.get("contexts") or ()}
            users |= {entry["name"]: entry.get("user") or {} for entry in read.get("users") or ()}
        user = users.get(contexts.get(current or "", {}).get("user", ""), {})
        return bool({"exec", "auth-provider"} & {*user})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return True


def _not_usable(error: Exception) -> str:
    """Say what is wrong with a kubeconfig. Its library quotes what it finds there, and that may be a credential."""
    text = str(error)
    if "No configuration found" in text or isinstance(error, FileNotFoundError):
        return "cannot be used: it is not there, or empty"
    if missing := re.search(r"Expected (?:key|object with name) ([-\w.@]{1,100})", text):
        return f"cannot be used: it has no {missing.group(1)}"
    if isinstance(error, OSError | UnicodeError):
        return f"cannot be used: {why(error)}"
    return "cannot be used: it is not a valid kubeconfig"
