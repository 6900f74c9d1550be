"""The body of an answer, bounded in what it becomes: two kilobytes on the wire can stand for two gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

GZIP = ("gzip", "x-gzip")
_WINDOW = 16 + zlib.MAX_WBITS
"""zlib's way to say: gzip."""


class BodyRefused(Exception):  # noqa: N818  an answer: what follows the name of who answered
    """The body is larger than it may be, or encoded in a way that is not read."""


def read_body(chunks: Iterable[bytes], encoding: str, max_bytes: int) -> bytes:
    """Return a whole body, decoded. Raises BodyRefused as soon as it is too large.

    Args:
        chunks: as they came over the wire.
        encoding: the header Content-Encoding: nothing, or gzip once. We ask for none.
    """
    names = [name.strip().lower() for name in encoding.split(",") if name.strip().lower() not in ("", "identity")]
    if len(names) > 1:
        raise BodyRefused(f"is encoded {len(names)} times over, which is not read")
    if names and names[0] not in GZIP:
        raise BodyRefused("is encoded in another way than gzip, which is not read")
    pieces = _unzipped(chunks, max_bytes) if names else chunks
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > max_bytes:
            raise BodyRefused(f"is larger than {max_bytes // 1024} KiB")
    return bytes(body)


def _unzipped(chunks: Iterable[bytes], max_bytes: int) -> Iterable[bytes]:
    """Yield what gzip stands for, at most a little more than `max_bytes` at once, member by member."""
    member = zlib.decompressobj(_WINDOW)
    for chunk in chunks:
        rest = chunk
        while rest:
            try:
                yield member.decompress(rest, max_bytes + 1)
            except zlib.error as error:
                raise BodyRefused("is not the gzip that it says it is") from error
            rest = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                member = zlib.decompressobj(_WINDOW)
