"""Rules across fields that the API server itself can hold, in CEL. Lint and the daemon hold them too, and more.

A rule that reads an absent field fails the object, so each is guarded with `has()`.
"""

from collections.abc import Collection

from rollout.model.base import FORMER_NAMES
from rollout.model.validation.rules import UNION

Rule = dict[str, str]

_UNIONS = {
    "PolicySpec": "policy",
    "RolloutSpec": "rollout",
    "Metrics": "metrics",
    "Route": "route",
    "Backends": "backends",
    "PrometheusAuth": "auth",
    "Kpi": "kpi",
    "ContractSource": "contract",
    "StateStore": "stateStore",
    "PostgresStore": "postgres",
    "Pin": "pin",
    "ConversationCensus": "census",
    "NotificationTarget": "notification",
    "SecretSource": "secret",
}

_SHARE = "double({0}.weight.substring(0, size({0}.weight) - 1))"

_NAMES_VERSION = r"{0}.matches('(^|[^$])([$][$])*[$](version([^_a-z0-9]|$)|[{{]version[}}])')"
"""As string.Template reads it: `$version` or `${version}`, and no escaped dollar."""

_NAMES_EACH = _NAMES_VERSION.replace("version", "(version|service)", 1).replace("version[}}]", "(version|service)[}}]")

_NAMES_SERVICE = _NAMES_VERSION.replace("version", "service")

_EACH_ONCE = "self.versions.all(a, self.versions.exists_one(b, self.versions[a] == self.versions[b]))"

_RULES: dict[str, tuple[tuple[str, str], ...]] = {
    "Step": (
        (
            f"{_SHARE.format('self')} > 0.0 && {_SHARE.format('self')} < 100.0",
            "a step has a weight above 0% and below 100%; bake watches the candidate at 100%",
        ),
    ),
    "Kpi": (
        ("has(self.margin) || has(self.atMost)", "needs a margin (against the stable version), or atMost, or both"),
        ("has(self.preset) || has(self.total)", "without a preset it needs total, the counter of all outcomes"),
        (
            "!has(self.preset) || !(has(self.total) || has(self.among))",
            "the preset sets the counters already: remove total and among",
        ),
        ("has(self.preset) || !has(self.with)", "with fills in a preset, and there is none"),
        (
            "!has(self.promotionMargin) || has(self.margin) || has(self.sum)",
            "promotionMargin widens a margin that is not there: add margin",
        ),
    ),
    "Margin": (
        ("has(self.relative) || has(self.absolute) || has(self.odds)", "says nothing: give relative, absolute or odds"),
        (
            "!has(self.odds) || !(has(self.relative) || has(self.absolute))",
            "keep odds (for rates above 20 %), or relative and absolute",
        ),
    ),
    "Prometheus": (
        (
            "!has(self.timeout) || [duration(self.timeout)].all(t, t > duration('0s') && t <= duration('30s'))",
            "the timeout is 30s at most, and above 0s",
        ),
        ("!has(self.staleAfter) || duration(self.staleAfter) > duration('0s')", "staleAfter 0s lets no sample count"),
    ),
    "RolloutSpec": (
        (
            "!has(self.backends.subset) || self.routes.all(r, has(r.virtualService))",
            "only a virtualService knows subsets",
        ),
    ),
    "ConfigMapContract": ((_NAMES_VERSION.format("self.name"), "name must have $version in it"),),
    "Backends": (
        (
            f"!has(self.service) || has(self.subset) || {_NAMES_VERSION.format('self.service')}",
            "service must have $version in it",
        ),
        (
            f"!has(self.subset) || !has(self.service) || !{_NAMES_VERSION.format('self.service')}",
            "service names the one Service that subsets are of: take $version out of it",
        ),
        (f"!has(self.subset) || {_NAMES_VERSION.format('self.subset')}", "subset must have $version in it"),
        ("!has(self.subset) || has(self.service)", "subset is of a Service: name it in service"),
        (
            f"!has(self.subset) || !has(self.deployment) || {_NAMES_VERSION.format('self.deployment')}",
            "with subsets, deployment must have $version in it",
        ),
        (
            f"!has(self.deployment) || {_NAMES_EACH.format('self.deployment')}",
            "deployment must have $version or $service in it",
        ),
        (
            f"!has(self.versions) || {_EACH_ONCE}",
            "no two versions may have one Service",
        ),
        (
            f"!has(self.roles) || !has(self.deployment) || {_NAMES_SERVICE.format('self.deployment')}",
            "with roles, deployment must have $service in it",
        ),
        (
            "!has(self.roles) || !has(self.roles.promotion) || self.roles.promotion != 'swap' || has(self.deployment)",
            "promotion: swap needs deployment",
        ),
    ),
    "Roles": (
        ("self.stable != self.candidate", "each role has a Service of its own"),
        ("!has(self.versionLabel) || !has(self.versionImage)", "keep one of versionLabel and versionImage"),
    ),
    "Evidence": tuple(
        (f"!has(self.{name}) || duration(self.{name}) > duration('0s')", f"{name} is above 0s")
        for names in FORMER_NAMES.items()
        for name in names
    ),
}

_LISTS: dict[str, tuple[tuple[str, str], ...]] = {
    "kpis": (("self.all(a, self.exists_one(b, a.name == b.name))", "no two KPIs may have one name"),),
    "steps": (
        (f"self.map(step, {_SHARE.format('step')}).isSorted()", "steps rise: write them in rising order"),
        (
            f"self.all(a, self.exists_one(b, {_SHARE.format('a')} == {_SHARE.format('b')}))",
            "steps rise: no two may have one weight",
        ),
    ),
}


def rules_of(kind: str, properties: Collection[str]) -> list[Rule]:
    """Return the rules of a model, by its name; a union has those members that are among `properties`."""
    rules = []
    if kind in _UNIONS:
        members = [member for member in UNION[_UNIONS[kind]] if member in properties]
        present = ", ".join(f"has(self.{member})" for member in members)
        rule = f"[{present}].exists_one(given, given)" if len(members) > 1 else f"has(self.{members[0]})"
        message = f"needs exactly one of {', '.join(members)}" if len(members) > 1 else f"needs {members[0]}"
        rules.append({"rule": rule, "message": message})
    return rules + [{"rule": rule, "message": message} for rule, message in _RULES.get(kind, ())]


def rules_of_list(name: str) -> list[Rule]:
    """Return the rules across the items of a list, by the field's name."""
    return [{"rule": rule, "message": message} for rule, message in _LISTS.get(name, ())]
