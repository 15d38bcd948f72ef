"""Answers about the differences between a store and its shadow."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from service.domains.shadow_differences import (
    Difference,
    DifferenceKind,
    ShadowCounts,
)
from service.domains.values.ids import NextCursor
from service.domains.values.published import published
from service.flows.shadow_differences import ShadowReport


@published("DpmSupportabilityShadowCounts")
class ShadowSinceStart(msgspec.Struct, frozen=True, kw_only=True):
    """What the answering process has seen since it started."""

    applied: int
    """Writes that the shadow answered as the primary did."""
    differed: int
    """Writes that it answered otherwise, or could not take."""
    missed: int
    """Writes that never reached it."""
    waiting: int
    """Writes that are still to reach it."""
    unrecorded: int
    """Differences that were counted but not kept, for there were too many."""


@published("DpmSupportabilityParityDifference")
class ParityDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in which the shadow is not as the primary."""

    difference_id: str
    """Id of the difference: `diff_` and 32 hexadecimal digits."""
    kind: DifferenceKind
    """What is known of the difference."""
    act: str
    """Write in which the stores differ, by its name in the code."""
    entity_id: str
    """Entity that was written."""
    place: str
    """What differs: a part of what the write answered, or of what is stored."""
    primary: str
    """What the primary has there, shortened; of a stored document only its hash."""
    shadow: str
    """What the shadow has there, shortened; of a stored document only its hash."""
    found_at: str
    """Instant at which the difference was found, in UTC."""
    correlation_id: str | None
    """Id that the request of the write was filed under; null where it came of none."""


@published("DpmSupportabilityParityResponse")
class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """How the shadow does; no backend when there is none."""

    shadow_backend: str | None
    """Store that every write is repeated on and compared; null where there is none."""
    since_start: ShadowSinceStart | None
    """What the process that answers has seen since it started; null without a shadow."""
    difference_counts: Mapping[str, int]
    """How many differences are kept, by kind."""
    items: list[ParityDifference]
    """Differences on the page, newest first."""
    next_cursor: NextCursor | None


def parity_of(report: ShadowReport) -> Parity:
    return Parity(
        shadow_backend=report.shadow_backend,
        since_start=since_start_of(report.counts) if report.counts else None,
        difference_counts={kind.value: count for kind, count in report.summary.counts.items()},
        items=[difference_of(difference) for difference in report.page.items],
        next_cursor=report.page.next_cursor,
    )


def since_start_of(counts: ShadowCounts) -> ShadowSinceStart:
    return ShadowSinceStart(
        applied=counts.applied,
        differed=counts.differed,
        missed=counts.missed,
        waiting=counts.waiting,
        unrecorded=counts.unrecorded,
    )


def difference_of(difference: Difference) -> ParityDifference:
    return ParityDifference(
        difference_id=difference.difference_id,
        kind=difference.kind,
        act=difference.act,
        entity_id=difference.entity_id,
        place=difference.place,
        primary=difference.primary_text,
        shadow=difference.shadow_text,
        found_at=difference.found_at.isoformat(),
        correlation_id=difference.correlation_id,
    )
