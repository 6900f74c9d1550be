"""How a version becomes a Service of a cluster, and back."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rollout.model.api.rollout import Backends
from rollout.model.units import FORM_MAX, expand, object_name

_FORM = f"[a-z0-9]([-a-z0-9]{{0,{FORM_MAX - 2}}}[a-z0-9])?"


@dataclass(frozen=True, slots=True)
class Naming:
    """How a version becomes a Service, and back.

    Attributes:
        versions: those that are known: a name of a Service tells only the form that a version has in names.
        running: with roles, which version each Service runs, the stable one first.
    """

    name: str
    namespace: str
    backends: Backends
    versions: tuple[str, ...] = ()
    running: Mapping[str, str] = field(default_factory=dict)

    @property
    def services_in(self) -> str:
        """The namespace of the Services."""
        return self.backends.namespace or self.namespace

    def service(self, version: str) -> str:
        """Return the name of a version's Service; nothing where it has none: it is not named, or behind no role.

        Where both roles run it, it is the stable one's.
        """
        if self.backends.roles:
            return next((service for service, behind in self.running.items() if behind == version), "")
        if self.backends.versions:
            return self.backends.versions.get(version, "")
        return object_name(self.backends.service or "", self.name, version, self.namespace)

    def subset(self, version: str) -> str:
        """Return the name of a version's subset; nothing where each version has a Service of its own."""
        return object_name(self.backends.subset or "", self.name, version, self.namespace)

    def backend(self, version: str) -> str:
        """Return what a version's backend is called, for messages."""
        subset = self.subset(version)
        return f"subset {subset} of {self.service(version)}" if subset else self.service(version)

    @property
    def kind(self) -> str:
        """What kind of object a version's backend is, for messages."""
        return self.backends.reference.kind if self.backends.reference else "Service"

    @property
    def lacking(self) -> str:
        """Say why a version may have no Service, and what to do; it is read after "has no backend for v2: "."""
        if roles := self.backends.roles:
            behind = ", ".join(f"{service} runs {running}" for service, running in self.running.items())
            return f"{behind or 'neither of the two Services runs one'}: roll it out behind {roles.candidate}"
        return f"it is not in {self.written}; add it"

    def deployment(self, version: str) -> str | None:
        """Return the name of a version's Deployment; None where none is declared, or the version has no Service."""
        return self.deployment_of(self.service(version), version)

    def deployment_of(self, service: str, version: str = "") -> str | None:
        """Return the name of the Deployment behind a Service."""
        if self.backends.deployment is None or not service:
            return None
        return object_name(self.backends.deployment, self.name, version, self.namespace, service)

    @property
    def example(self) -> str:
        """A Service that is named by itself, for messages."""
        roles, named = self.backends.roles, self.backends.versions or {}
        return roles.stable if roles else next(iter(named.values()), "")

    @property
    def written(self) -> str:
        """How people have written the names of Services, for messages."""
        if roles := self.backends.roles:
            return f"spec.backends.roles ({roles.stable}, {roles.candidate})"
        if self.backends.versions:
            named = ", ".join(f"{version}: {service}" for version, service in sorted(self.backends.versions.items()))
            return f"spec.backends.versions ({named})"
        if self.backends.subset:
            return f"spec.backends.subset ({self.backends.subset})"
        return f"spec.backends.service ({self.backends.service})"

    def version_of(self, service: str, subset: str = "") -> str | None:
        """Return the version whose Service this is, or whose subset of the Service; None for somebody else's."""
        if self.backends.roles:
            return None if subset else self.running.get(service)
        if self.backends.versions:
            named = (version for version, name in self.backends.versions.items() if name == service)
            return None if subset else next(named, None)
        if self.backends.subset is None:
            return None if subset else self._version_in(self.backends.service or "", service, self.service)
        return self._version_in(self.backends.subset, subset, self.subset) if service == self.service("") else None

    def _version_in(self, template: str, name: str, of: Callable[[str], str]) -> str | None:
        """Return the version that a name is made of; one that is known where it may be several."""
        if known := next((version for version in self.versions if of(version) == name), None):
            return known
        marked = expand(template, name=self.name, version="\0", namespace=self.namespace)
        first, _, rest = marked.partition("\0")
        pattern = f"^{re.escape(first)}(?P<version>{_FORM}){re.escape(rest)}$".replace("\0", "(?P=version)")
        match = re.match(pattern, name)
        return match.group("version") if match else None
