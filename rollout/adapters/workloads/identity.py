"""What a version is made of, as fingerprints: images, commands, environment, references, prompts."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from rollout.adapters.kubernetes.resources import (
    Object,
)

_IGNORED_ANNOTATIONS = ("kubectl.kubernetes.io/",)
"""A restart is no other version."""


def identity_of(deployment: Object) -> dict[str, str]:
    """Return a version's fingerprint by part: images, environment, configuration, annotations (model, prompt)."""
    template = deployment.get("spec", {}).get("template") or {}
    spec = template.get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    parts: dict[str, Any] = {
        "images": [[container.get("name"), container.get("image")] for container in containers],
        "environment": [
            [container.get("name"), container.get("env"), container.get("command"), container.get("args")]
            for container in containers
        ],
        "configuration": [
            [[container.get("name"), container.get("envFrom")] for container in containers],
            [volume for volume in spec.get("volumes") or () if {"configMap", "secret", "projected"} & volume.keys()],
        ],
        "annotations": {key: value for key, value in annotations.items() if not key.startswith(_IGNORED_ANNOTATIONS)},
    }
    return {part: _digest(value) for part, value in parts.items()}


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
