"""What is asked of both sides of a comparison, and who says what is asked next."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

__all__ = ["Recorded", "RecordedAnswer", "RecordedRequest", "RequestsRefused", "Source", "json_of"]

GZIP_BEGINNING = b"\x1f\x8b"
JSON_TYPE = "application/json"
# What belongs to the connection that was recorded, or to how its body was packed.
NOT_REPEATED = frozenset(
    {"connection", "content-encoding", "content-length", "expect", "host", "keep-alive", "transfer-encoding"}
)
SENDABLE = re.compile(r"/[!-~]*")
# What names something that was made: ids, and the cursors that are made of them.
NAMED = re.compile(r"(?:\w+_id|next_cursor)")


class RequestsRefused(Exception):
    """A file of recorded requests cannot be read; the message names the line."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    status: int
    # Without what no two answers share; names in small letters.
    headers: Mapping[str, str]
    body: bytes


class Source(Protocol):
    """Says what to ask; it may draw on the answers so far, of which both sides have given the same."""

    def __iter__(self) -> Iterator[RecordedRequest]: ...

    def learn(self, asked: RecordedRequest, answer: RecordedAnswer) -> None: ...


def json_of(answer: RecordedAnswer) -> Any:
    """The decoded body, None when it is no JSON."""
    try:
        return msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return None


ABSENT = msgspec.Raw()


class _Line(msgspec.Struct, frozen=True):
    """One line of either form; the second is that of the recorded conformance cases."""

    method: str = ""
    path: str = ""
    headers: dict[str, str] = {}
    body: msgspec.Raw = ABSENT
    answer: msgspec.Raw = ABSENT
    id: str = ""
    endpoint: str = ""
    request: msgspec.Raw = ABSENT


class Recorded:
    """The requests of a file in turn.

    Where a line has the answer that was recorded too, the ids in it stand for those of the answer that is
    given this time, and are replaced by them in whatever is asked later.
    """

    def __init__(self, path: Path) -> None:
        """Raises RequestsRefused for a file that cannot be read, or a line that is of neither form."""
        self._lines = [_read(path, number, text) for number, text in _texts_of(path)]
        self._standing: dict[str, str] = {}
        self._answer = ABSENT
        # One expression for each set of names, not one for each name.
        self._pattern: re.Pattern[str] | None = None

    def __iter__(self) -> Iterator[RecordedRequest]:
        seen: Counter[str] = Counter()
        for line in self._lines:
            self._answer = line.answer
            if line.endpoint:
                seen[line.id] += 1
                key = f"{line.id}-{seen[line.id]}" if seen[line.id] > 1 else line.id
                headers = {
                    "Content-Type": JSON_TYPE,
                    "Idempotency-Key": key,
                    "X-Correlation-Id": f"corr:{key}",
                }
                yield RecordedRequest("POST", line.endpoint, headers, bytes(line.request))
                continue
            body = bytes(line.body)
            headers = {
                name: self._told(value)
                for name, value in line.headers.items()
                if name.lower() not in NOT_REPEATED
            }
            if body and not any(name.lower() == "content-type" for name in headers):
                headers["Content-Type"] = JSON_TYPE
            yield RecordedRequest(
                line.method, self._told(line.path), headers, self._told(body.decode()).encode()
            )

    def learn(self, asked: RecordedRequest, answer: RecordedAnswer) -> None:
        if self._answer != ABSENT:
            before = len(self._standing)
            self._match(msgspec.json.decode(self._answer), json_of(answer))
            if len(self._standing) > before:
                # The longest first: an id may be the beginning of another.
                names = sorted(self._standing, key=len, reverse=True)
                self._pattern = re.compile("|".join(map(re.escape, names)))

    def _match(self, recorded: Any, given: Any, name: str = "") -> None:
        if isinstance(recorded, dict) and isinstance(given, dict):
            for inner in recorded.keys() & given.keys():
                self._match(recorded[inner], given[inner], inner)
        elif isinstance(recorded, list) and isinstance(given, list):
            for one, other in zip(recorded, given, strict=False):
                self._match(one, other, name)
        elif isinstance(recorded, str) and isinstance(given, str) and NAMED.fullmatch(name) and recorded:
            self._standing[recorded] = given

    def _told(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._standing[found[0]], text)


def _texts_of(path: Path) -> list[tuple[int, bytes]]:
    try:
        text = path.read_bytes()
        if text.startswith(GZIP_BEGINNING):
            text = gzip.decompress(text)
    except (OSError, EOFError) as error:
        raise RequestsRefused(f"{path} cannot be read: {error}") from error
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _read(path: Path, number: int, text: bytes) -> _Line:
    try:
        line = msgspec.json.decode(text, type=_Line)
    except msgspec.DecodeError as error:
        raise RequestsRefused(f"{path}:{number}: {error}") from error
    if not SENDABLE.fullmatch(line.endpoint or line.path) or not (line.method or line.endpoint):
        raise RequestsRefused(f"{path}:{number}: a line has method and path, or endpoint and request")
    return line
