"""The child that speaks Apprise: ``python -m rollout.adapters.notifications.confined``, with its order on its input.

Before anything is sent the process gives up memory, processes and files, and has every host checked that it looks up or
connects to (PEP 578). It answers with one word: what a plugin says may hold the address.
"""

from __future__ import annotations

import json
import resource
import socket
import sys
from contextlib import suppress
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

from rollout.adapters.hosts import is_allowed

MEMORY_MAX_BYTES = 1 << 30
"""Of addresses, not of memory in use: an interpreter with the library takes a third of it."""

FILE_MAX_BYTES = 1 << 20
INPUT_MAX_BYTES = 1 << 20

READABLE = ("/usr/", "/lib/", "/lib64/", "/etc/ssl/", "/etc/pki/", "/etc/mime.types", "/etc/hosts", "/etc/resolv.conf",
            "/etc/nsswitch.conf", "/etc/localtime", "/dev/urandom", "/dev/null")  # fmt: skip


PROCESSES = frozenset({"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.forkpty"})


class Answer(StrEnum):
    TAKEN = "taken"
    REFUSED = "refused"
    UNKNOWN = "unknown-address"
    NOT_INSTALLED = "not-installed"
    BARRED = "barred"


class Barred(OSError):  # noqa: N818
    """A host or a file that may not be reached; libraries take it for a network or a disk that fails."""


def main() -> None:
    """Send one message, and say in a word what became of it."""
    asked = json.loads(sys.stdin.buffer.read(INPUT_MAX_BYTES))
    for limit, most in ((resource.RLIMIT_AS, MEMORY_MAX_BYTES), (resource.RLIMIT_FSIZE, FILE_MAX_BYTES)):
        with suppress(ValueError, OSError):  # macOS knows no limit of addresses
            resource.setrlimit(limit, (most, most))
    try:
        from apprise import Apprise, AppriseAsset  # noqa: PLC0415  this is what the process is for
    except ImportError:
        _answer(Answer.NOT_INSTALLED)
        return
    hosts = asked["hosts"]
    guard = _Guard(tuple(hosts) if hosts is not None else None, tenant=bool(asked["tenant"]))
    guard.install()
    try:
        service = Apprise.instantiate(_without_options(asked["address"]), asset=AppriseAsset(http_redirects=False))
        if service is None:
            _answer(Answer.UNKNOWN)
            return
        service.redirects = False
        taken = service.notify(title=asked["title"], body=asked["body"], notify_type=asked["type"])
    except Exception:  # noqa: BLE001  one of a hundred plugins may fail in any way
        taken = False
    _answer(Answer.TAKEN if taken else Answer.BARRED if guard.barred else Answer.REFUSED)


def _answer(word: Answer) -> None:
    print(word)  # noqa: T201  whoever has started us reads it


def _without_options(address: str) -> str:
    """Take the option out by which an address would let its message be sent on to where an answer points."""
    head, _, query = address.partition("?")
    kept = [part for part in query.split("&") if part.partition("=")[0].lower() != "redirect"]
    return "?".join(part for part in (head, "&".join(kept)) if part)


class _Guard:
    """Bars hosts and files.

    Args:
        hosts: patterns of those that may be asked; None for all.
        tenant: whether files of this machine are barred, too.
    """

    def __init__(self, hosts: tuple[str, ...] | None, *, tenant: bool) -> None:
        self._hosts, self._tenant = hosts, tenant
        self._addresses: set[str] = set()
        self.barred = False
        self._look_up = socket.getaddrinfo

    def install(self) -> None:
        """Check every name that is looked up, and every address that is connected to: it must come from such a name."""
        socket.getaddrinfo = self._checked
        sys.addaudithook(self._hook)

    def _checked(self, host: Any, port: Any, *more: Any, **options: Any) -> list[Any]:
        if not self._allows(_text(host), port):
            self._bar("this host may not be asked")
        answer = self._look_up(host, port, *more, **options)
        self._addresses.update(str(entry[4][0]) for entry in answer)
        return answer

    def _allows(self, host: str, port: object) -> bool:
        named = f"[{host}]" if ":" in host else host
        return self._hosts is None or is_allowed(f"https://{named}:{port}", self._hosts)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and self._hosts is not None:
            address = arguments[1]
            host, port = address[:2] if isinstance(address, tuple) else (_text(address), 0)
            if host not in self._addresses and not (_is_address(host) and self._allows(host, port)):
                self._bar("this address may not be connected to")
        elif event == "open" and self._tenant and not _may_read(arguments):
            raise Barred("this file may not be read")
        elif event in PROCESSES:
            raise Barred("no process may be started")

    def _bar(self, why: str) -> None:
        self.barred = True
        raise Barred(why)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _may_read(arguments: tuple[Any, ...]) -> bool:
    """Whether a file is part of the interpreter, of the library, or of what looks names up. Nothing is written."""
    path, mode = arguments[0], arguments[1]
    if isinstance(path, int):
        return True
    name = _text(path)
    writes = isinstance(mode, str) and bool({"w", "a", "x", "+"} & {*mode})
    own = (sys.prefix, sys.base_prefix, *(place for place in sys.path if place))
    return not writes and ".." not in name and name.startswith((*own, *READABLE))


if __name__ == "__main__":
    main()
