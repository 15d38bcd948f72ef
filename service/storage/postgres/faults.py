"""What the driver raises, told apart: the server is away, others keep it busy, or it refuses (ruling 19)."""

from __future__ import annotations

import asyncpg

from service.errors.families import ServiceError
from service.errors.storage import PostgresUnavailable, StoreBusy, StoreRefused
from service.errors.storage_causes import StoreCause

# What the driver raises when the server is not there, is not in time, or does not take a statement.
# A connection whose server has said that it goes, and has not gone yet, is an internal error to it.
FAULTS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)

READ_ONLY_TRANSACTION = "25006"
# Other acts hold what this one needs, or the server did not get to it in its time.
BUSY = frozenset({"40001", "40P01", "55P03", "57014"})
CAUSES = {
    READ_ONLY_TRANSACTION: StoreCause.READ_ONLY,
    # A session that was idle in its transaction for too long, or in it for too long, is ended.
    "25P03": StoreCause.CONNECTION,
    "25P04": StoreCause.CONNECTION,
    "53100": StoreCause.DISK_FULL,
    # A server that starts, or a standby that takes no connections.
    "57P03": StoreCause.IN_RECOVERY,
    "XX001": StoreCause.DAMAGED,
    "XX002": StoreCause.DAMAGED,
}
# By the first two characters: connection, login, no such database, resources, operator, disk.
CAUSES_OF_CLASS = {
    "08": StoreCause.CONNECTION,
    "28": StoreCause.CONNECTION,
    "3D": StoreCause.CONNECTION,
    "53": StoreCause.EXHAUSTED,
    "57": StoreCause.CONNECTION,
    "58": StoreCause.DISK_FAILED,
}
# A migration changed a table under a prepared statement; the driver prepares it anew the next time.
STALE_STATEMENTS = (
    asyncpg.InvalidCachedStatementError,
    asyncpg.exceptions.OutdatedSchemaCacheError,
)


def error_of(fault: BaseException, *, is_connected: bool) -> ServiceError:
    """What the fault is to those who ask the store; `is_connected` says that the connection still stands."""
    match fault:
        case asyncpg.PostgresError() if not isinstance(fault, STALE_STATEMENTS):
            return error_of_sqlstate(fault.sqlstate or "")
        case asyncpg.exceptions.TargetServerAttributeNotMatched():
            return PostgresUnavailable(cause=StoreCause.READ_ONLY)
        case asyncpg.InterfaceError() if is_connected:
            # The driver cannot send what it was given.
            return StoreRefused()
    return PostgresUnavailable(cause=StoreCause.CONNECTION)


def error_of_sqlstate(sqlstate: str) -> ServiceError:
    if sqlstate in BUSY:
        return StoreBusy()
    cause = CAUSES.get(sqlstate) or CAUSES_OF_CLASS.get(sqlstate[:2])
    return StoreRefused(sqlstate=sqlstate) if cause is None else PostgresUnavailable(cause=cause)
