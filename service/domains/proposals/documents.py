"""How the documents of a proposal are stored: each once, and cut out of those that contain it.

Problem: an artifact ends with its evidence, the evidence contains the result, and what was answered under
a key contains all three; stored whole, a result of 30 KB is written five times.
Example: with the result `{"b":2}`, `{"a":1,"proposal_result":{"b":2}}` is stored as `#[[25,"result"]]`,
a line feed, and `{"a":1,"proposal_result":}`.
Method: a stored text that begins with `#`, which no JSON does, has a first line that says at which bytes of
the rest which document was cut out. Any other stored text is whole, as all were before there were cuts. A
document is only cut out where it stands byte for byte, so what is put together is what was stored, whatever
it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from service.domains.proposals.values import ProposalChange, ProposalKey, ProposalVersion

MARK = b"#"
# A shorter document is not worth its entry in the first line.
CUT_BYTES_MIN = 64

RESULT, ARTIFACT, EVIDENCE = "result", "artifact", "evidence"


@dataclass(frozen=True, slots=True)
class Member:
    """Where a document may stand in another: behind these bytes, once."""

    name: str
    before: bytes


# In the order in which they stand.
IN_ARTIFACT = (Member(EVIDENCE, b'"evidence_bundle":'), Member(RESULT, b'"proposal_result":'))
IN_EVIDENCE = (Member(RESULT, b'"proposal_result":'),)
IN_ANSWER = (
    Member(RESULT, b'"proposal_result":'),
    Member(ARTIFACT, b'"artifact":'),
    Member(EVIDENCE, b'"evidence_bundle":'),
)


def stored_change(change: ProposalChange) -> ProposalChange:
    """The change with its documents and the answer of its key as they are stored."""
    version, key = change.version, change.key
    texts = {} if version is None else texts_of(version)
    if version is not None:
        version = replace(
            version,
            artifact=cut(version.artifact, IN_ARTIFACT, texts),
            evidence=cut(version.evidence, IN_EVIDENCE, texts),
        )
    if key is not None:
        key = replace(key, answer=cut(key.answer, IN_ANSWER, texts))
    return replace(change, version=version, key=key)


def whole_version(stored: ProposalVersion) -> ProposalVersion:
    """The version with its documents as they are answered."""
    texts = whole_texts(stored.result, stored.artifact, stored.evidence)
    return replace(stored, artifact=texts[ARTIFACT], evidence=texts[EVIDENCE])


def whole_key(
    stored: ProposalKey, result: bytes | None, artifact: bytes | None, evidence: bytes | None
) -> ProposalKey:
    """The key with its answer as it was given; the documents are as of whole_answer."""
    return replace(stored, answer=whole_answer(stored.answer, result, artifact, evidence))


def whole_answer(
    stored: bytes, result: bytes | None, artifact: bytes | None, evidence: bytes | None
) -> bytes:
    """An answer as it was given; the documents are those of the version it brought, as they are stored.

    They are None where it brought none; then nothing was cut out.
    """
    if not stored.startswith(MARK):
        return stored
    texts: dict[str, bytes] = {}
    if result is not None and artifact is not None and evidence is not None:
        texts = whole_texts(result, artifact, evidence)
    return joined(stored, texts)


def texts_of(version: ProposalVersion) -> dict[str, bytes]:
    return {RESULT: version.result, ARTIFACT: version.artifact, EVIDENCE: version.evidence}


def whole_texts(result: bytes, artifact: bytes, evidence: bytes) -> dict[str, bytes]:
    """The documents of a version by their names, of what is stored."""
    texts = {RESULT: result}
    texts[EVIDENCE] = joined(evidence, texts)
    texts[ARTIFACT] = joined(artifact, texts)
    return texts


def cut(text: bytes, members: Sequence[Member], documents: Mapping[str, bytes]) -> bytes:
    """The text without the documents that stand in it behind their members."""
    cuts: list[tuple[int, str]] = []
    parts: list[bytes] = []
    read = left = 0
    for member in members:
        document = documents.get(member.name, b"")
        if len(document) < CUT_BYTES_MIN:
            continue
        at = place_of(text, member.before, document, read)
        if at is None:
            continue
        parts.append(text[read:at])
        left += at - read
        cuts.append((left, member.name))
        read = at + len(document)
    if not cuts and not text.startswith(MARK):
        return text
    return MARK + msgspec.json.encode(cuts) + b"\n" + b"".join([*parts, text[read:]])


def place_of(text: bytes, before: bytes, document: bytes, start: int) -> int | None:
    """Where a document stands whole, behind these bytes; a caller's own names may be the same."""
    found = text.find(before, start)
    while found >= 0:
        at = found + len(before)
        if text.startswith(document, at):
            return at
        found = text.find(before, at)
    return None


_CUTS = msgspec.json.Decoder(list[tuple[int, str]])


def joined(stored: bytes, documents: Mapping[str, bytes]) -> bytes:
    """What `cut` was given. Raises KeyError for a document that is not there."""
    if not stored.startswith(MARK):
        return stored
    first, _, rest = stored.partition(b"\n")
    parts: list[bytes] = []
    read = 0
    for at, name in _CUTS.decode(first[len(MARK) :]):
        parts += (rest[read:at], documents[name])
        read = at
    return b"".join([*parts, rest[read:]])
