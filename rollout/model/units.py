"""The small words of the documents: percentages, durations, versions, templates.

Percentages are strings (``"12.5%"``) held as integer basis points, so that decisions compare equal everywhere.
Durations follow Gateway API's GEP-2257 (``1h30m``, ``500ms``) and are held as seconds.
"""

import hashlib
import re
from functools import lru_cache
from string import Template
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, Strict, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

FULL_BP = 10_000
"""100 % in basis points."""

_PERCENT = re.compile(r"^(\d{1,3})(?:\.(\d{1,2}))?%$")
_DURATION = re.compile(r"^([0-9]{1,5}(h|m|s|ms)){1,4}$")
_DURATION_PART = re.compile(r"([0-9]{1,5})(ms|h|m|s)")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9-]")
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
VERSION_PATTERN = r"^[A-Za-z0-9]([-A-Za-z0-9._+]{0,61}[A-Za-z0-9])?$"
"""What people call versions: v2, 1.4.2, v1.2.3-rc.1, a commit."""

FORM_MAX = 40
"""A commit's length; names of objects have 63 characters, and a version is only a part of them."""

TEMPLATE_NAMES = ("name", "version", "namespace")


def percent_bp(value: Any) -> int:
    """Read a percentage such as ``10%`` or ``0.05%`` as basis points.

    Raises ValueError for anything else, and above 100 %.
    """
    match = _PERCENT.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("not a percentage")
    whole, decimals = match.group(1), (match.group(2) or "").ljust(2, "0")
    basis_points = int(whole) * 100 + int(decimals)
    if basis_points > FULL_BP:
        raise ValueError("more than 100%")
    return basis_points


def format_percent(basis_points: float) -> str:
    """Write basis points as people do: 1000 as ``10%``, 5 as ``0.05%``."""
    return f"{basis_points / 100:.2f}".rstrip("0").rstrip(".") + "%"


def duration_s(value: Any) -> float:
    """Read a GEP-2257 duration as seconds. Raises ValueError for anything else."""
    if not isinstance(value, str) or not _DURATION.match(value):
        raise ValueError("not a duration")
    return round(sum(int(count) * _UNIT_S[unit] for count, unit in _DURATION_PART.findall(value)), 3)


def format_duration(seconds: float) -> str:
    """Write seconds as the shortest GEP-2257 duration: 5400 as ``1h30m``."""
    milliseconds = max(0, round(seconds * 1000))
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _read_percent(value: Any) -> int:
    try:
        return percent_bp(value)
    except ValueError as error:
        raise PydanticCustomError(
            "percent",
            "{reason}",
            {
                "reason": str(error),
                "remedy": "write it like 10% or 0.05%: two decimals at most, and at most 100%",
            },
        ) from error


def _read_duration(value: Any) -> float:
    try:
        return duration_s(value)
    except ValueError as error:
        raise PydanticCustomError(
            "duration",
            "{reason}",
            {"reason": str(error), "remedy": "write it like 30s, 10m, 1h30m or 500ms (whole numbers and units)"},
        ) from error


_PERCENT_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": r"^(100(\.0{1,2})?|\d{1,2}(\.\d{1,2})?|0\d{2}(\.\d{1,2})?)%$", "maxLength": 8}
)
_DURATION_SCHEMA = WithJsonSchema({"type": "string", "pattern": _DURATION.pattern, "maxLength": 28})

Percent = Annotated[int, BeforeValidator(_read_percent), PlainSerializer(format_percent), _PERCENT_SCHEMA]
"""Basis points; a string with a percent sign outside."""

Duration = Annotated[float, BeforeValidator(_read_duration), PlainSerializer(format_duration), _DURATION_SCHEMA]
"""Seconds; a GEP-2257 string outside."""

Count = Annotated[int, Strict()]
"""A whole number; a text that looks like one is a fault, as it is to the API server."""

Version = Annotated[str, StringConstraints(pattern=VERSION_PATTERN)]
NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


NAMES_KEPT = 16_384
"""So many names of objects, made of a version each, are not made anew."""


@lru_cache(maxsize=NAMES_KEPT)
def object_form(version: str) -> str:
    """Return a version as names of objects can have it: 1.4.2 is 1-4-2. One that could be such a name is itself."""
    form = _NOT_IN_NAMES.sub("-", version.lower())
    if len(form) > FORM_MAX:
        form = f"{form[: FORM_MAX - 9].rstrip('-')}-{hashlib.sha256(version.encode()).hexdigest()[:8]}"
    return form


@lru_cache(maxsize=NAMES_KEPT)
def object_name(template: str, name: str, version: str, namespace: str, service: str | None = None) -> str:
    """Return the name of an object that is a version's, by a template; service: by that of its Service, too."""
    named = {} if service is None else {"service": service}
    return expand(template, name=name, version=object_form(version), namespace=namespace, **named)


def expand(template: str, **names: str) -> str:
    """Fill a template's ``$name``, ``$version`` and the like; ``$$`` is a dollar. Unknown names stay."""
    return Template(template).safe_substitute(names)


@lru_cache(maxsize=NAMES_KEPT)
def template_names(template: str) -> frozenset[str]:
    """Return the names a template uses."""
    return frozenset(
        match.group("named") or match.group("braced")
        for match in Template.pattern.finditer(template)
        if match.group("named") or match.group("braced")
    )
