"""Why a store cannot be used."""

from __future__ import annotations

from enum import Enum


class StoreCause(Enum):
    """Why a store cannot be used; the names label metrics and log lines."""

    CONNECTION = "CONNECTION"
    BUSY = "BUSY"
    LOCKED = "LOCKED"
    READ_ONLY = "READ_ONLY"
    IN_RECOVERY = "IN_RECOVERY"
    DISK_FULL = "DISK_FULL"
    DISK_FAILED = "DISK_FAILED"
    EXHAUSTED = "EXHAUSTED"
    DAMAGED = "DAMAGED"
    SCHEMA_MISMATCH = "SCHEMA_MISMATCH"
