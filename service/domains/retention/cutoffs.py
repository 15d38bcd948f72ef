"""How long what is stored is shown; what lies before the cutoff is gone for every reader, purged or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RetentionCutoff:
    """Runs created before `runs_since` have expired, and what belongs to a run expires with it.

    Operations that ended before `operations_since` have expired; one that has not ended never does (D18).
    """

    runs_since: datetime = BEGINNING
    operations_since: datetime = BEGINNING


KEEP_ALL = RetentionCutoff()


@dataclass(frozen=True, slots=True)
class Retention:
    """`run_days` 0 keeps runs for ever (HTTP contract 7.5)."""

    run_days: int
    operation_seconds: int

    def cutoff_at(self, now: datetime) -> RetentionCutoff:
        return RetentionCutoff(
            runs_since=before(now, timedelta(days=self.run_days)) if self.run_days else BEGINNING,
            operations_since=before(now, timedelta(seconds=self.operation_seconds)),
        )


def before(now: datetime, age: timedelta) -> datetime:
    """The instant that long ago, and the beginning of all records when it lies before that."""
    return now - age if now - BEGINNING > age else BEGINNING
