"""Whether a file would take a write, found out by one that changes nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from service.errors.storage import StoreUnavailable
from service.errors.storage_causes import StoreCause

# What an ordinary act writes, to the log and then to the file, with room to spare.
FREE_BYTES_MIN = 1024 * 1024


def write_nothing_new(
    conn: sqlite3.Connection, *, path: Path, check: Callable[[sqlite3.Connection], None]
) -> None:
    """One page through the log to the disk, inside the caller's transaction; the file does not grow.

    Raises StoreUnavailable where there is no room for a page more.
    """
    check(conn)
    pages_max, pages, unused = (
        conn.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("max_page_count", "page_count", "freelist_count")
    )
    if (pages >= pages_max and not unused) or free_bytes(path) < FREE_BYTES_MIN:
        raise StoreUnavailable(cause=StoreCause.DISK_FULL)
    # The number is not read, and the page it is on is written even where the number stays.
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    conn.execute(f"PRAGMA user_version = {version}")


def free_bytes(path: Path) -> int:
    """What this process may still write beside the file; a file system that does not know says plenty."""
    found = os.statvfs(path.parent)
    if not found.f_blocks:
        return FREE_BYTES_MIN
    return found.f_frsize * (found.f_bfree if os.geteuid() == 0 else found.f_bavail)
