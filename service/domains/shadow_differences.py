"""Where a shadow did not do as the primary did (RFC-0024, rollout phase 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

# Long enough to look into what a night brought, and an end to what is kept.
DIFFERENCES_KEPT_DAYS = 30
# What is shown of a value that differs; the value itself stays where it is stored.
TEXT_CHARACTERS_MAX = 300


class DifferenceKind(Enum):
    """OUTCOME is the one that says that two stores disagree.

    FAILED: the shadow could not take the act, and not because it was away. MISSED: the act never reached the
    shadow. CONSEQUENCE: the shadow lacks what the act builds on, so that nothing can be said of the act.
    """

    OUTCOME = "OUTCOME"
    """The two stores disagree."""
    FAILED = "FAILED"
    """The shadow could not take a write, and not because it was away."""
    MISSED = "MISSED"
    """A write never reached the shadow."""
    CONSEQUENCE = "CONSEQUENCE"
    """The shadow lacks what a write builds on, so nothing can be said of the write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`act` is what was done to the entity; `place` says what differs of its outcome or of what is stored."""

    difference_id: str
    tenant_id: str
    kind: DifferenceKind
    act: str
    entity_id: str
    place: str
    primary_text: str
    shadow_text: str
    found_at: datetime
    correlation_id: str | None = None

    def __post_init__(self) -> None:
        assert max(len(self.primary_text), len(self.shadow_text)) <= TEXT_CHARACTERS_MAX, self.act


@dataclass(frozen=True, slots=True)
class ShadowDifferenceFilter:
    """Bounds are inclusive and on the time of the finding."""

    kind: DifferenceKind | None = None
    found_from: datetime | None = None
    found_to: datetime | None = None

    def matches(self, difference: Difference) -> bool:
        return (
            self.kind in (None, difference.kind)
            and (self.found_from is None or difference.found_at >= self.found_from)
            and (self.found_to is None or difference.found_at <= self.found_to)
        )


@dataclass(frozen=True, slots=True)
class ShadowDifferenceSummary:
    """How many differences are kept, by kind; every kind is there."""

    counts: Mapping[DifferenceKind, int]


@dataclass(frozen=True, slots=True)
class ShadowCounts:
    """What one process has seen since it started.

    `applied` acts did as the primary's; `differed` did not, or failed; `missed` never reached the shadow;
    `waiting` are still to come. `unrecorded` differences were counted and not kept.
    """

    applied: int
    differed: int
    missed: int
    waiting: int
    unrecorded: int


def counted(counts: Mapping[str, int]) -> ShadowDifferenceSummary:
    """The summary of counts by the names of kinds."""
    return ShadowDifferenceSummary({kind: counts.get(kind.value, 0) for kind in DifferenceKind})
