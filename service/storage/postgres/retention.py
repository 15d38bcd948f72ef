"""What retention deletes of the job queue, which only PostgreSQL has."""

from __future__ import annotations

from service.domains.retention.deletions import DeletionBatch
from service.storage.sql.acts import Act, every
from service.storage.sql.retention import NOUN

# The engine of the queue writes three rows for a job that goes well, and one more each time it is put back.
JOB_LOG_ROWS = 10


def remove_job_log(purge: DeletionBatch) -> Act[None]:
    """Delete what the engine of the queue wrote down; it is the engine's, so no record tells of it."""
    for name in ("delete_job_log", "delete_job_statistics"):
        yield from every(
            NOUN,
            name,
            operations_before=purge.cutoff.operations_since,
            limit=purge.limit * JOB_LOG_ROWS,
        )
