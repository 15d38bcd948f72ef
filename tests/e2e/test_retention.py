"""What has expired is gone for every reader at once, and soon for good; the removal is kept on record."""

from __future__ import annotations

import asyncio
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from service.admin.migrations import migrate
from service.domains.callers import Caller
from service.runtime.clock import SystemClock, TimeOrderedIds
from service.settings.process import read
from service.storage.ports.store import Store
from service.storage.postgres.store import PostgresStore
from service.storage.sqlite.store import SqliteStore
from tests.e2e.databases import Database, PostgresDatabase, SqliteFile, count_of, require_whole
from tests.e2e.local_application import SetClock, flows_on
from tests.e2e.preloaded import preloaded
from tests.waiting import HANG_SECONDS, wait_for

RUNS = 3
AGE = timedelta(days=1, minutes=1)

ONE_DAY = {"DPM_SUPPORTABILITY_RETENTION_DAYS": "1", "DPM_LINEAGE_APIS_ENABLED": "true"}
NEVER = {"DPM_PURGE_INTERVAL_SECONDS": "3600"}
AT_ONCE = {"DPM_PURGE_INTERVAL_SECONDS": "1"}


@dataclass(frozen=True, slots=True)
class Recorded:
    key: str
    rebalance_run_id: str
    correlation_id: str

    @property
    def lookups(self) -> tuple[str, ...]:
        """Every way to the run."""
        return (
            f"/rebalance/runs/{self.rebalance_run_id}",
            f"/rebalance/runs/{self.rebalance_run_id}/artifact",
            f"/rebalance/runs/{self.rebalance_run_id}/support-bundle",
            f"/rebalance/runs/by-correlation/{self.correlation_id}",
            f"/rebalance/runs/idempotency/{self.key}",
        )


@pytest.mark.slow
def test_what_has_expired_is_not_found_though_it_is_still_there(new_database, serve, demo_body):
    database = new_database()
    (old, *_), new = old_and_new(database, demo_body)

    server = serve(database.variables | ONE_DAY | NEVER)

    assert [status_of(server.base + path) for path in old.lookups] == [404] * len(old.lookups)
    assert [status_of(server.base + path) for path in new.lookups] == [200] * len(new.lookups)
    assert count_of(database, "dpm_runs") == RUNS + 1
    assert count_of(database, "dpm_purges") == 0


@pytest.mark.slow
def test_a_server_removes_what_has_expired_and_keeps_a_record(new_database, serve, demo_body):
    database = new_database()
    _, new = old_and_new(database, demo_body)

    server = serve(database.variables | ONE_DAY | AT_ONCE)

    wait_for(lambda: count_of(database, "dpm_runs") == 1, "expired runs to go")
    # Its record is kept with the removal.
    require_removed(database)
    assert status_of(server.base + new.lookups[0]) == 200


@pytest.mark.slow
def test_a_purge_by_hand_removes_what_has_expired_and_says_so(new_database, demo_body):
    database = new_database()
    old_and_new(database, demo_body)

    said = [purge(database), purge(database)]

    assert f"removed {RUNS} runs, {RUNS} requests" in said[0]
    assert "removed 0 runs, 0 requests" in said[1]
    require_removed(database)


def require_removed(database: Database) -> None:
    with database.snapshot() as ask:
        records = ask("SELECT runs, requests, keys, uses, edges, operations FROM dpm_purges")
    assert records == [(RUNS, RUNS, RUNS, RUNS, 2 * RUNS, 0)]
    assert count_of(database, "dpm_runs") == 1
    require_whole(database)


def purge(database: Database) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DPM_")}
    done = preloaded().run(["-m", "service", "purge"], inherited | database.variables | ONE_DAY)
    assert done.returncode == 0, done.stderr
    return done.stdout


def old_and_new(database: Database, body: bytes) -> tuple[list[Recorded], Recorded]:
    """Runs that have expired, and one that has not, recorded as a server would have at its time."""
    return asyncio.run(_old_and_new(database, body))


async def _old_and_new(database: Database, body: bytes) -> tuple[list[Recorded], Recorded]:
    store, clock = await open_store(database), SetClock(SystemClock().now() - AGE)
    try:
        flow = flows_on(store, read(), clock, TimeOrderedIds()).dpm_runs

        async def recorded(key: str) -> Recorded:
            admitted = await flow.simulate(
                Caller.local(), body, idempotency_key=key, correlation_id=f"corr-of-{key}"
            )
            run = admitted.run
            return Recorded(key, run.rebalance_run_id, run.correlation_id)

        old = [await recorded(f"old-{number}") for number in range(RUNS)]
        clock.instant = SystemClock().now()
        return old, await recorded("new")
    finally:
        await store.close()


async def open_store(database: Database) -> Store:
    match database:
        case SqliteFile(path):
            await asyncio.to_thread(migrate.apply, Path(path))
            return await SqliteStore.open(path)
        case PostgresDatabase(dsn):
            return await PostgresStore.open(dsn)
    raise AssertionError(database)


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=HANG_SECONDS) as found:
            return int(found.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code
