"""The secrets that this process has read, and their removal from what it writes. The second wall behind `causes`.

Whoever reads a secret notes it here; whoever writes for people or to a store redacts. A text that comes from outside
is redacted before it is cut to length, so that no half of a secret stays.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

SHOWN = "[redacted]"
PIECE_MIN = 8
"""Shorter pieces of a secret are words like any other: to replace them would only spoil what is said."""

WHOLE_MIN = 4
SECRETS_MAX = 5000

PROSE = frozenset({"message", "note", "next", "problem"})
"""Fields that are always for people. In others only what has a space is: names have none, and must stay as they are."""

UNTOUCHED = frozenset({"text"})
"""A contract as it was read: it is compared, and never a secret's."""

_SEPARATORS = re.compile(r"[\s:/@?&=,;\"'\\]+")
_SECRET_NAMES = re.compile(
    r"token|secret|passw|credential|api_?key|private|_dsn$|database_url|^rollout_gate_", re.IGNORECASE
)
_WORD = re.compile(r"([a-z]+|[\d.]+)\Z")


class Secrets:
    """Texts that must not be shown, in every spelling in which they may come back. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, None] = {}
        self._noted: set[int] = set()

    def note(self, secret: str, *, whole: bool = False) -> None:
        """Remember a secret: as a whole, line by line, and the pieces that a library may quote.

        Args:
            whole: only as it is, because no library that quotes is handed it, and its pieces are words like others.
        """
        if hash(secret) in self._noted:
            return
        with self._lock:
            self._noted.add(hash(secret))
            known = dict.fromkeys(
                sorted({*self._known, *(_whole(secret) if whole else _spellings(secret))}, key=len, reverse=True)[
                    :SECRETS_MAX
                ]
            )
            self._known = known  # replaced, never changed: readers go over it without the lock

    def note_environment(self, environment: Mapping[str, str]) -> None:
        """Remember the variables whose names say that they hold a secret, and passwords in the URLs of the others."""
        for name, value in environment.items():
            if _SECRET_NAMES.search(name) and _is_secret(value):
                self.note(value)
            elif "://" in value and "@" in value:
                self.note(value.partition("://")[2].rpartition("@")[0])

    def redact(self, text: str) -> str:
        """Return a text without any secret that is known."""
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, SHOWN)
        return text

    def redacted(self, value: Any, key: str = "") -> Any:
        """Return a document (dicts, lists, scalars) whose sentences are without secrets; names stay as they are."""
        if isinstance(value, dict):
            return {name: self.redacted(member, str(name)) for name, member in value.items()}
        if isinstance(value, list | tuple):
            return [self.redacted(member, key) for member in value]
        if isinstance(value, str) and self._known and key not in UNTOUCHED and (key in PROSE or " " in value):
            return self.redact(value)
        return value


def _is_secret(value: str) -> bool:
    """Whether a value can be a secret: TOKENIZERS_PARALLELISM is a word, and a TOKEN_FILE a path."""
    return len(value) >= PIECE_MIN and not _WORD.match(value) and not value.startswith(("/", "./"))


def _whole(secret: str) -> set[str]:
    return {secret.strip()} if len(secret.strip()) >= PIECE_MIN else set()


def _spellings(secret: str) -> set[str]:
    """Return the texts by which a secret is recognized, also where it comes back encoded."""
    whole = secret.strip()
    texts = {whole, *(line.strip() for line in whole.splitlines())}
    pieces = {piece for piece in _SEPARATORS.split(whole) if len(piece) >= PIECE_MIN and not _WORD.match(piece)}
    encoded = {
        base64.b64encode(whole.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(whole.encode()).decode().rstrip("="),
        quote(whole, safe=""),
        json.dumps(whole)[1:-1],
        repr(whole)[1:-1],
    }
    return {text for text in texts | encoded if len(text) >= WHOLE_MIN} | pieces


SECRETS = Secrets()
"""Those of this process. There is one: a library's error does not say on whose behalf it was raised."""
