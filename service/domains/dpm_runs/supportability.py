"""What a store holds, counted for operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from service.domains.operations import OperationStatus, OperationType


class Subject(Enum):
    """What is tallied; each has its own vocabulary of values."""

    RUN_STATUS = "RUN_STATUS"
    OPERATION_STATUS = "OPERATION_STATUS"
    WORKFLOW_ACTION = "WORKFLOW_ACTION"
    WORKFLOW_REASON_CODE = "WORKFLOW_REASON_CODE"
    LINEAGE_EDGE_TYPE = "LINEAGE_EDGE_TYPE"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The creation instants of the oldest and the newest of a kind; None when there is none."""

    oldest: datetime | None = None
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of what has not expired, all of one instant; values that do not occur are left out."""

    counts: Mapping[Subject, Mapping[str, int]]
    runs: Bounds = field(default_factory=Bounds)
    operations: Bounds = field(default_factory=Bounds)

    def total(self, subject: Subject) -> int:
        return sum(self.counts[subject].values())


@dataclass(frozen=True, slots=True)
class Unfinished:
    """How many operations of a type wait or run, and when the oldest of them was accepted."""

    operation_type: OperationType
    status: OperationStatus
    count: int
    oldest: datetime


def counts_of(rows: Iterable[tuple[str, str, int]]) -> dict[Subject, dict[str, int]]:
    """Subject, value and count of each row, by subject; values in order, and none that counts nothing."""
    counts: dict[Subject, dict[str, int]] = {subject: {} for subject in Subject}
    for subject, value, count in sorted(rows):
        if count:
            counts[Subject(subject)][value] = count
    return counts
