"""The first members of a JSON object, without reading the rest of it.

Problem: what is asked of a stored document is often a name at its beginning, and behind it lie megabytes, of
which each takes 7 ms to be passed over. Example: of `{"a":"x","body":{...}}` before `body`, `{"a":"x"}`.
Method: quotes inside a JSON text are escaped, so the bytes `,"body":` can only be what separates members.
"""

from __future__ import annotations


def split_before(text: bytes, member: str) -> tuple[bytes, bytes]:
    """An object with the members before one, and the value of that one, which must be the last.

    Only for texts that this service wrote: without blanks, and no object in the members before has a member
    of that name. A text without it is given back whole, with no value.
    """
    at, end = _place_of(text, member)
    return (text, b"") if at < 0 else (text[:at] + b"}", text[end:-1])


def head_before(text: bytes, member: str) -> bytes:
    """The object with the members before one; the text as split_before, but others may follow."""
    at, _ = _place_of(text, member)
    return text if at < 0 else text[:at] + b"}"


def _place_of(text: bytes, member: str) -> tuple[int, int]:
    mark = f',"{member}":'.encode()
    at = text.find(mark)
    return at, at + len(mark)
