"""Workers killed at any moment: others finish what was accepted, and nothing of it is there twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from random import Random
from statistics import median

import pytest

from scripts.harness.servers import Worker
from tests.e2e.databases import PostgresDatabase
from tests.e2e.operation_ends import (
    EXHAUSTED,
    Attempt,
    Ended,
    in_hand,
    require_each_once,
    running,
    told,
    unended,
    wait_for_ends,
)
from tests.e2e.submissions import WITHIN_WORKERS, Submissions, a_batch, answered_at_once
from tests.waiting import wait_for

WORKERS = 2
ATTEMPTS_MAX = 3
# Of the kills, so many meet a worker that is at work; the others meet it as it is.
AT_WORK = 0.75
# In the small form a death is noticed sooner, and less is waiting for those who follow.
SOON_LOST = {"DPM_ASYNC_LEASE_SECONDS": "4"}
EVERY_IN_SMALL = 1.5

BODIES = [a_batch(scenarios=20, positions=100, seed=seed) for seed in range(3)]


@pytest.mark.faults
def test_what_a_killed_worker_had_in_hand_is_finished_by_others_once(
    durable_database, serve, hire, chance, faults_in_full
):
    kills = 200 if faults_in_full else 3
    variables = durable_database.variables | WITHIN_WORKERS | ({} if faults_in_full else SOON_LOST)
    expected = answered_at_once(serve, BODIES)
    server = serve(variables)
    fleet = [hire(variables) for _ in range(WORKERS)]
    everyone = list(fleet)
    submissions = Submissions(server.base, BODIES, every=0.6 if faults_in_full else EVERY_IN_SMALL)
    deaths: dict[Attempt, datetime] = {}

    done, met = 0, False
    while done < kills or not met:
        done += 1
        place = victim_of(fleet, chance)
        for attempt, at in killed(durable_database, fleet[place]).items():
            deaths.setdefault(attempt, at)
            met |= attempt in in_hand(fleet[place])
        fleet[place] = hire(variables)
        everyone.append(fleet[place])
        submissions.require_going()
    accepted = submissions.stop()
    wait_for_ends(durable_database)

    ended = require_each_once(durable_database, accepted, expected)
    require_exhausted_by_deaths(ended, deaths)
    seconds = recoveries(ended, deaths, everyone)
    print(f"{done} kills, {len(accepted)} operations accepted, {Counter(e.status for e in ended.values())}")
    # Who was about to begin one again may have been killed too, which is why nothing is asserted of these.
    print(f"{len(seconds)} attempts lost and begun again, {figures_of(seconds)}")
    assert all(worker.stop() == 0 for worker in fleet)


@pytest.mark.faults
def test_what_a_killed_worker_had_in_hand_is_begun_again_and_ends(
    durable_database, serve, hire, chance, faults_in_full
):
    variables = durable_database.variables | WITHIN_WORKERS | ({} if faults_in_full else SOON_LOST)
    server = serve(variables)
    fleet = [hire(variables) for _ in range(WORKERS)]
    submissions = Submissions(server.base, BODIES, every=0.6 if faults_in_full else EVERY_IN_SMALL)
    begun, ended = [], []

    while len(begun) < (25 if faults_in_full else 1):
        place = wait_for(lambda: busy_of(fleet), "an operation")[0]
        time.sleep(chance.uniform(0.0, 0.1))
        at, victim = datetime.now(UTC), fleet[place]
        victim.kill()
        # Others may follow soon, and sooner than another is there.
        lost = in_hand(victim) & running(durable_database)
        fleet[place] = hire(variables)
        wait_for(lambda lost=lost: all_ended(durable_database, lost), "others to finish")
        for name, _ in lost:
            started_at, finished_at = times_of(durable_database, name)
            # One that ended as its worker died was not begun again.
            if started_at > at:
                begun.append((started_at - at).total_seconds())
                ended.append((finished_at - at).total_seconds())
        submissions.require_going()
    submissions.stop()

    print(f"{len(begun)} operations of killed workers: begun again {figures_of(begun)}")
    print(f"ended {figures_of(ended)}")


def victim_of(fleet: Sequence[Worker], chance: Random) -> int:
    """The place of who is to die: mostly somebody in the midst of an operation, else anybody at any time."""
    time.sleep(chance.uniform(0.0, 0.6))
    if chance.random() < AT_WORK:
        busy = wait_for(lambda: busy_of(fleet), "an operation")
        time.sleep(chance.uniform(0.0, 0.1))
        return chance.choice(busy)
    return chance.randrange(len(fleet))


def busy_of(fleet: Sequence[Worker]) -> list[int]:
    return [place for place, worker in enumerate(fleet) if in_hand(worker)]


def killed(database: PostgresDatabase, worker: Worker) -> dict[Attempt, datetime]:
    """The attempts that ran at the instant of the death, that one's and those of others."""
    at = datetime.now(UTC)
    worker.kill()
    return dict.fromkeys(running(database), at)


def require_exhausted_by_deaths(ended: Mapping[str, Ended], deaths: Mapping[Attempt, datetime]) -> None:
    """Whatever ended without a result had all its attempts ended by a kill."""
    for name, end in ended.items():
        if end.error_code == EXHAUSTED:
            assert all((name, attempt) in deaths for attempt in range(1, ATTEMPTS_MAX + 1)), name


def recoveries(
    ended: Mapping[str, Ended], deaths: Mapping[Attempt, datetime], workers: Sequence[Worker]
) -> list[float]:
    """How many seconds after a death each lost attempt was followed by the next.

    One whose beginning nobody told, because the next death came first, is left out.
    """
    begun = {attempt: at for worker in workers for attempt, at in told(worker, "operation_started").items()}
    lost = {(name, attempt): at for (name, attempt), at in deaths.items() if attempt < ended[name].attempt}
    assert lost, "no kill met an operation"
    followed = {(name, attempt): begun.get((name, attempt + 1)) for name, attempt in lost}
    return [(after - lost[attempt]).total_seconds() for attempt, after in followed.items() if after]


def figures_of(seconds: Sequence[float]) -> str:
    return f"after {median(seconds):.2f} s at the median and {max(seconds):.2f} s at most"


def all_ended(database: PostgresDatabase, attempts: Set[Attempt]) -> bool:
    return unended(database).keys().isdisjoint(name for name, _ in attempts)


def times_of(database: PostgresDatabase, operation_id: str) -> tuple[datetime, datetime]:
    """When the last attempt of an operation began and ended."""
    with database.snapshot() as ask:
        [times] = ask(
            f"SELECT started_at, finished_at FROM dpm_operations WHERE operation_id = '{operation_id}'"
        )
    return times
