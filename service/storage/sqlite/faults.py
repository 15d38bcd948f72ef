"""What the driver raises, told apart: the file cannot be used, others lock it, or it refuses (ruling 19)."""

from __future__ import annotations

import sqlite3

from service.errors.storage import StoreRefused, StoreUnavailable
from service.errors.storage_causes import StoreCause

# By the beginning of SQLite's own names; everything else it raises is a refusal.
CAUSES = {
    "SQLITE_BUSY": StoreCause.LOCKED,
    "SQLITE_LOCKED": StoreCause.LOCKED,
    "SQLITE_PROTOCOL": StoreCause.LOCKED,
    "SQLITE_FULL": StoreCause.DISK_FULL,
    "SQLITE_IOERR": StoreCause.DISK_FAILED,
    "SQLITE_READONLY": StoreCause.READ_ONLY,
    "SQLITE_CANTOPEN": StoreCause.CONNECTION,
    "SQLITE_INTERRUPT": StoreCause.CONNECTION,
    "SQLITE_NOMEM": StoreCause.EXHAUSTED,
    "SQLITE_CORRUPT": StoreCause.DAMAGED,
    "SQLITE_NOTADB": StoreCause.DAMAGED,
}
# What the driver raises for a value that has no place in a column, before SQLite sees it.
UNSTORABLE = (OverflowError, UnicodeEncodeError)


def error_of(fault: Exception) -> Exception:
    """What the fault is to those who ask the store; what is none of the driver's stays as it is."""
    if not isinstance(fault, (sqlite3.Error, *UNSTORABLE)):
        return fault
    name = name_of(fault)
    cause = next((cause for begin, cause in CAUSES.items() if name.startswith(begin)), None)
    error = StoreRefused(sqlstate=name) if cause is None else StoreUnavailable(cause=cause)
    error.__cause__ = fault
    return error


def name_of(fault: Exception) -> str:
    """SQLite's name of the fault; of a fault that SQLite never saw, that of its class."""
    return getattr(fault, "sqlite_errorname", None) or type(fault).__name__
