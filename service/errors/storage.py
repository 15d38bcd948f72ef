"""Errors of a store: it is away, takes no writes, or refused one."""

from __future__ import annotations

from service.errors.families import ServiceError, Unavailable
from service.errors.storage_causes import StoreCause


class StoreUnavailable(Unavailable):
    """The store cannot be reached or does not answer in time; nothing was written.

    A caller is told the contract's code whatever the cause; logs, metrics and readiness tell the cause.
    """

    code = message = "DPM_SUPPORTABILITY_STORE_UNAVAILABLE"

    def __init__(self, *, cause: StoreCause = StoreCause.CONNECTION) -> None:
        super().__init__(cause=cause)

    @property
    def cause(self) -> StoreCause:
        return StoreCause(self.facts["cause"])


class PostgresDsnRequired(StoreUnavailable):
    """Runs are to be stored in PostgreSQL, and the service was given no address of it."""

    code = message = "DPM_SUPPORTABILITY_POSTGRES_DSN_REQUIRED"


class PostgresUnavailable(StoreUnavailable):
    """The PostgreSQL database cannot be reached."""

    code = message = "DPM_SUPPORTABILITY_POSTGRES_CONNECTION_FAILED"


class StoreBusy(StoreUnavailable):
    """The store is there, and others keep it busy; a caller is told that the service is overloaded."""

    code = message = "DPM_SUPPORTABILITY_STORE_BUSY"

    def __init__(self, *, cause: StoreCause = StoreCause.BUSY) -> None:
        super().__init__(cause=cause)


class StoreReadOnly(Unavailable):
    """The store takes no writes; readiness answers this code."""

    code = message = "DPM_SUPPORTABILITY_STORE_READ_ONLY"


class StoreInRecovery(Unavailable):
    """The database is a standby, or replays its log; readiness answers this code."""

    code = message = "DPM_SUPPORTABILITY_STORE_IN_RECOVERY"


class StoreDiskFull(Unavailable):
    """There is no room for another row; readiness answers this code."""

    code = message = "DPM_SUPPORTABILITY_STORE_DISK_FULL"


class StoreDiskFailed(Unavailable):
    """The disk refuses to be read or written; readiness answers this code."""

    code = message = "DPM_SUPPORTABILITY_STORE_DISK_FAILED"


class StoreLocked(Unavailable):
    """Another process holds the write lock; readiness answers this code."""

    code = message = "DPM_SUPPORTABILITY_STORE_LOCKED"


class StoreDamaged(Unavailable):
    """What is stored cannot be read as a database; readiness answers this code."""

    code = message = "DPM_SUPPORTABILITY_STORE_DAMAGED"


class StoreExhausted(Unavailable):
    """The database has no connection or memory left; readiness answers this code."""

    code = message = "DPM_SUPPORTABILITY_STORE_EXHAUSTED"


class StoreSchemaMismatch(Unavailable):
    """The database has the schema of another build; readiness answers this code."""

    code = message = "DPM_SUPPORTABILITY_STORE_SCHEMA_MISMATCH"


class StoreRefused(ServiceError):
    """The store is there and refuses this statement or value (ruling 19); nothing was written.

    It refuses it again however often it is tried. `sqlstate` is the database's own code, for the log.
    """

    code = "INTERNAL_ERROR"
    message = "An unexpected error occurred."

    def __init__(self, *, sqlstate: str = "") -> None:
        super().__init__(sqlstate=sqlstate)

    @property
    def sqlstate(self) -> str:
        return str(self.facts["sqlstate"])
