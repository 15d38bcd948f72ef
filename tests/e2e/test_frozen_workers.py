"""Workers frozen past their lease: others take over, and what was frozen writes nothing when it goes on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random

import pytest

from scripts.harness.servers import Worker
from tests.e2e.operation_ends import have_moved_on, in_hand, require_each_once, running, told, wait_for_ends
from tests.e2e.submissions import WITHIN_WORKERS, Submissions, a_batch, answered_at_once
from tests.waiting import wait_for

WORKERS = 2
# The lease is short, and many attempts are lost on purpose.
IMPATIENT = {"DPM_ASYNC_LEASE_SECONDS": "1", "DPM_ASYNC_MAX_ATTEMPTS": "50"}

BODIES = [a_batch(scenarios=20, positions=100, seed=seed) for seed in range(3)]


@pytest.mark.faults
def test_what_a_frozen_worker_had_in_hand_is_finished_by_others_once(
    durable_database, serve, hire, chance, faults_in_full
):
    freezes = 100 if faults_in_full else 2
    variables = durable_database.variables | WITHIN_WORKERS | IMPATIENT
    expected = answered_at_once(serve, BODIES)
    server = serve(variables)
    fleet = [hire(variables) for _ in range(WORKERS)]
    submissions = Submissions(server.base, BODIES, every=0.6 if faults_in_full else 1.5)
    taken_over = wholly = 0

    while taken_over < freezes or not any(told(worker, "operation_lease_lost") for worker in fleet):
        victim = wait_for(lambda: at_work(fleet, chance), "an operation")
        time.sleep(chance.uniform(0.0, 0.1))
        whole = chance.random() < 0.5
        with frozen(victim, whole=whole):
            held = running(durable_database) & in_hand(victim)
            wait_for(lambda held=held: have_moved_on(durable_database, held), "others to take over")
            # While somebody else is in the midst of it, or when it has ended.
            time.sleep(chance.choice((0.0, 0.05, 0.3)))
        taken_over += bool(held)
        wholly += bool(held) and whole
        submissions.require_going()
        assert victim.process.poll() is None
    accepted = submissions.stop()
    wait_for_ends(durable_database)

    ended = require_each_once(durable_database, accepted, expected)
    lost = sum(len(told(worker, "operation_lease_lost")) for worker in fleet)
    print(f"{taken_over} freezes past the lease, {wholly} of them with the engine processes")
    print(f"{len(accepted)} operations accepted, {Counter(end.status for end in ended.values())}")
    print(f"{lost} attempts were told that they had lost their operation")
    assert {end.status for end in ended.values()} == {"SUCCEEDED"}
    assert lost > 0
    for worker in fleet:
        # Nobody ended what somebody else had begun again.
        for name, attempt in told(worker, "operation_ended"):
            assert ended[name].attempt == attempt, name
    assert all(worker.stop() == 0 for worker in fleet)


@contextmanager
def frozen(worker: Worker, *, whole: bool) -> Iterator[None]:
    worker.freeze(whole=whole)
    try:
        yield
    finally:
        worker.thaw()


def at_work(fleet: Sequence[Worker], chance: Random) -> Worker | None:
    busy = [worker for worker in fleet if in_hand(worker)]
    return chance.choice(busy) if busy else None
