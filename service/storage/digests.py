"""The digests that stores write beside texts; hashing lets go of the interpreter, so a thread is enough."""

from __future__ import annotations

from collections.abc import Sequence

from service.domains.values.canonical import digest_of
from service.runtime.large_texts import LOOP_BYTES_MAX, where_large


async def digests_of(*texts: bytes) -> list[str]:
    """The digest of each text."""
    return await where_large(sum(map(len, texts)), _digests, texts)


async def digests_ahead(*texts: bytes) -> Sequence[str | None]:
    """The same of texts that are large together; of others None, for they can be hashed at any moment."""
    if sum(map(len, texts)) <= LOOP_BYTES_MAX:
        return [None] * len(texts)
    return await digests_of(*texts)


def _digests(texts: Sequence[bytes]) -> list[str]:
    return [digest_of(text) for text in texts]
