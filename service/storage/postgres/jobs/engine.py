"""The job queue, which is PgQueuer; importing this module loads it, which takes a quarter of a second.

A job is a row of the queue that names an operation. It wakes a worker up and says nothing of the
operation's state.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import FailingListenerError, RetryRequested
from pgqueuer.domain.models import Job, TracebackRecord
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel, QueueExecutionMode
from pgqueuer.ports.driver import Driver
from pgqueuer.queries import Queries
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from service.storage.postgres.faults import FAULTS
from service.storage.postgres.statements import Connection

__all__ = [
    "ENTRYPOINT",
    "FailingListenerError",
    "Job",
    "JobPayload",
    "QueueExecutionMode",
    "QueueManager",
    "RetryRequested",
    "enqueue",
    "manager_on",
    "payload_of",
]

ENTRYPOINT = "operations"

logger = structlog.get_logger()


class Names(DBSettings):
    """The names the migrations have given; no variable of the environment leads anywhere else."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


NAMES = Names(db_schema="queue")


class JobPayload(msgspec.Struct, frozen=True):
    tenant_id: str
    operation_id: str


class JobQueries(Queries):
    """A job that cannot be put back stays where it is, and is given to a worker again when stale."""

    async def retry_job(self, job: Job, delay: timedelta, traceback_record: TracebackRecord | None) -> None:
        try:
            # The handler has told what there was to tell.
            await super().retry_job(job, delay, None)
        except FAULTS as error:
            logger.warning("job_not_reenqueued", job=job.id, cause=repr(error))


def queries_on(driver: Driver) -> JobQueries:
    return JobQueries(
        driver, QueryBuilderEnvironment(NAMES), QueryQueueBuilder(NAMES), QuerySchedulerBuilder(NAMES)
    )


def manager_on(pool: Any) -> QueueManager:
    return QueueManager(queries_on(AsyncpgPoolDriver(pool)), channel=Channel(NAMES.channel))


async def enqueue(conn: Connection, tenant_id: str, operation_ids: Sequence[str]) -> int:
    """Enqueue a job for each operation that has none; gives how many were enqueued."""
    if not operation_ids:
        return 0
    payloads = [msgspec.json.encode(JobPayload(tenant_id, operation_id)) for operation_id in operation_ids]
    count = len(operation_ids)
    made = await queries_on(AsyncpgDriver(conn)).enqueue(
        [ENTRYPOINT] * count, [*payloads], [0] * count, dedupe_key=[*operation_ids], on_conflict="skip"
    )
    return sum(job_id is not None for job_id in made)


def payload_of(job: Job) -> JobPayload:
    return msgspec.json.decode(job.payload or b"", type=JobPayload)


def without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True


# A server that goes away would otherwise be told by the page.
logging.getLogger("pgqueuer").addFilter(without_traceback)
