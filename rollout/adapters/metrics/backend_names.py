"""What selectors of a cluster call a version's backend: its Service, or its subset of the Service that all share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rollout.model.api.naming import Naming


def backend_names(naming: Naming) -> Callable[[str], Mapping[str, str]]:
    """Return, by version, what selectors may use besides `$name`, `$version` and `$namespace`.

    `$ofSubset` is what Istio's metrics tell versions apart by that share a Service: the label `version` of their pods.
    `$cluster` is a regular expression for what Envoy calls the backend: `outbound|8000|v2|web.agents.svc…`.
    """

    def names(version: str) -> Mapping[str, str]:
        service, subset = naming.service(version), naming.subset(version)
        return {
            "service": service,
            "subset": subset,
            "ofSubset": f',destination_version="{version}"' if subset else "",
            "cluster": f"{subset}[|]{service}" if subset else service,
        }

    return names
