"""How much is let in, in which order it is done, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import replace
from itertools import pairwise

import pytest

from service.errors.requests import Overloaded
from service.settings.process import read
from service.web.http.admission import BODY_BYTES_HELD_MAX, CAPACITY, Capacity
from service.web.http.concurrency_limit import (
    EXPECTED_SHARE_MAX,
    SENDING_BYTES_MAX,
    ConcurrencyLimit,
    overloaded,
)
from service.web.middleware import limits

SIMULATE = "/rebalance/simulate"
KEY = {"Idempotency-Key": "key-1", "Content-Type": "application/json"}
QUEUE_SECONDS = 5.0


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def a_limit(at_work_max: int = 2, now: Hands | None = None) -> ConcurrencyLimit:
    return ConcurrencyLimit(at_work_max, queue_seconds_max=QUEUE_SECONDS, now=now or Hands())


def a_capacity(now: Hands | None = None, requests_max: int = 8) -> Capacity:
    return Capacity(
        requests_max=requests_max,
        request_seconds_max=5,
        receive_seconds_max=5,
        queue_seconds_max=QUEUE_SECONDS,
        now=now or Hands(),
    )


def serving(**changes):
    return {"serving": replace(read().serving, **changes)}


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def complete(limit: ConcurrencyLimit, now: Hands, count: int, seconds_each: float) -> None:
    """Has requests at work complete one after the other, each after so many seconds."""
    for _ in range(count):
        now.seconds += seconds_each
        limit.release()
        await turns(3)


def waiting(limit: ConcurrencyLimit, count: int) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(limit.acquire()) for _ in range(count)]


async def dismiss(tasks) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_places_are_given_one_in_each_turn_of_the_loop_and_in_the_order_of_asking():
    limit, given = a_limit(9), []

    async def ask(number: int) -> None:
        await limit.acquire()
        given.append(number)

    asking = [asyncio.create_task(ask(number)) for number in range(11)]
    seen = []
    for _ in range(12):
        await asyncio.sleep(0)
        seen.append(len(given))

    assert given == list(range(9))
    assert all(later - earlier <= 1 for earlier, later in pairwise(seen))
    limit.release()
    await turns(4)
    assert given == list(range(10))
    limit.release()
    await asyncio.gather(*asking)
    assert given == list(range(11))
    assert (limit.working, limit.count_queued()) == (9, 0)


async def test_who_goes_away_while_waiting_leaves_no_place_taken():
    limit = a_limit(1)
    await limit.acquire()
    asked = waiting(limit, 3)
    await turns(2)

    asked[0].cancel()
    await turns(1)
    assert limit.count_queued() == 2
    limit.release()
    # It is given the place, and is gone before it hears of it.
    await asyncio.sleep(0)
    asked[1].cancel()
    await turns(6)

    assert [one.cancelled() for one in asked[:2]] == [True, True]
    assert asked[2].done() and not asked[2].cancelled()
    assert (limit.working, limit.count_queued()) == (1, 0)


async def test_the_expected_wait_is_the_queue_times_the_measured_time_between_completions():
    now = Hands()
    limit = a_limit(2, now)
    asked = waiting(limit, 202)
    await turns(220)
    assert (limit.working, limit.count_queued()) == (2, 200)
    # Nothing is known yet, and a burst is let in.
    assert limit.expected_wait() == 0 and limit.has_room()

    await complete(limit, now, 100, 0.01)

    assert limit.count_queued() == 100
    assert limit.expected_wait() == pytest.approx(100 * 0.01)
    # It becomes five times as slow; after two seconds nothing else counts.
    await complete(limit, now, 60, 0.05)
    assert limit.expected_wait() == pytest.approx(40 * 0.05, rel=0.1)
    await dismiss(asked)


async def test_completions_in_groups_are_no_reason_to_refuse():
    now = Hands()
    limit = a_limit(20, now)
    asked = waiting(limit, 220)
    await turns(240)

    # As a store commits: nothing for a while, then all at once; two hundred wait for four seconds at first.
    for group in range(8):
        now.seconds += 0.4
        assert limit.has_room()
        limit.release()
        # The first of all says nothing yet.
        assert group or limit.has_room()
        for _ in range(19):
            limit.release()
        await turns(42)
        assert limit.expected_wait() == pytest.approx(0.02 * limit.count_queued())
    await dismiss(asked)


async def test_a_slow_limit_is_measured_too():
    now = Hands()
    limit = a_limit(20, now)
    asked = waiting(limit, 40)
    await turns(60)

    await complete(limit, now, 4, 1.0)
    # Too few to tell.
    assert limit.expected_wait() == 0
    await complete(limit, now, 1, 1.0)
    assert not limit.has_room()
    await dismiss(asked)


async def test_what_would_wait_for_too_long_is_refused_until_the_queue_is_shorter():
    now = Hands()
    limit = a_limit(1, now)
    asked = waiting(limit, 61)
    await turns(70)

    await complete(limit, now, 11, 0.1)
    assert limit.count_queued() == 49 and not limit.has_room()
    while not limit.has_room():
        await complete(limit, now, 1, 0.1)
    assert limit.count_queued() == EXPECTED_SHARE_MAX * QUEUE_SECONDS / 0.1
    await dismiss(asked)


async def test_whoever_has_waited_for_too_long_is_refused_and_not_served():
    now = Hands()
    limit = a_limit(1, now)
    asked = waiting(limit, 4)
    await turns(5)
    now.seconds += QUEUE_SECONDS
    asked += waiting(limit, 1)
    await turns(2)

    now.seconds += 0.1
    limit.refuse_expired()
    await turns(2)

    assert [type(one.exception()) for one in asked[1:4]] == [Overloaded] * 3
    assert not asked[4].done()
    limit.release()
    await turns(3)
    assert asked[4].done() and asked[4].exception() is None
    assert (limit.working, limit.count_queued()) == (1, 0)


async def test_a_limit_under_which_nothing_is_completed_lets_no_request_in_once_that_takes_too_long():
    now = Hands()
    limit = a_limit(1, now)
    asked = waiting(limit, 2)
    await turns(4)

    now.seconds += 3
    assert limit.has_room()
    now.seconds += 1.5
    assert not limit.has_room()
    # It goes on, and the door is open again.
    await complete(limit, now, 1, 0)
    asked += waiting(limit, 9)
    await turns(11)
    assert limit.has_room()
    await complete(limit, now, 8, 0.2)
    assert (limit.count_queued(), limit.expected_wait()) == (1, pytest.approx(0.2))
    await dismiss(asked)


async def test_answers_that_are_being_sent_keep_others_from_beginning():
    limit = a_limit(4)
    limit.begin_sending(SENDING_BYTES_MAX + 1)
    asked = waiting(limit, 2)
    await turns(4)

    assert (limit.working, limit.count_queued()) == (0, 2)
    assert limit.is_short()
    limit.end_sending(SENDING_BYTES_MAX + 1)
    await turns(4)
    assert (limit.working, limit.count_queued()) == (2, 0)
    assert not limit.is_short()
    await dismiss(asked)


def test_the_time_to_come_back_is_drawn_around_the_expected_wait():
    soon, later = overloaded(0), overloaded(4.2)

    assert (soon.retry_after_seconds, soon.retry_after_seconds_max) == (1, 3)
    assert (later.retry_after_seconds, later.retry_after_seconds_max) == (3, 8)


async def test_lookups_work_and_large_work_do_not_stand_in_one_line(monkeypatch):
    capacity = a_capacity()

    assert capacity.limit_of("GET", 0) is capacity.lookups
    assert capacity.limit_of("HEAD", 0) is capacity.lookups
    assert capacity.limit_of("POST", 64 * 1024) is capacity.work
    assert capacity.limit_of("POST", 64 * 1024 + 1) is capacity.large_work
    monkeypatch.setattr(capacity.work, "has_room", lambda: False)
    with pytest.raises(Overloaded):
        capacity.enter("POST", 10)
    capacity.enter("POST", 64 * 1024 + 1).leave()
    capacity.enter("GET", None).leave()
    assert (capacity.refused, capacity.under_way) == (1, 0)


async def test_what_there_is_no_room_for_is_told_to_come_back(start, demo, monkeypatch):
    client = await start()
    capacity = client.app[CAPACITY]

    with monkeypatch.context() as patch:
        patch.setattr(capacity.work, "has_room", lambda: False)
        refused = await client.post(SIMULATE, json=demo, headers=KEY | {"X-Correlation-Id": "mine"})

        assert refused.status == 503
        assert (await refused.json())["code"] == "SERVICE_OVERLOADED"
        assert refused.headers["Retry-After"] in {"1", "2", "3"}
        assert refused.headers["X-Correlation-Id"] == "mine"
        # Lookups have a limit of their own; health checks are never refused.
        assert (await client.get("/rebalance/runs")).status == 200
        patch.setattr(capacity.lookups, "has_room", lambda: False)
        assert (await client.get("/rebalance/runs")).status == 503
        assert (await client.get("/health/live")).status == 200
        assert (await client.get("/health/ready")).status == 200
    assert (await client.post(SIMULATE, json=demo, headers=KEY)).status == 200
    assert capacity.under_way == 0


@pytest.mark.parametrize("pieces", [1, 3], ids=["at once", "in pieces"])
async def test_the_limit_of_a_compressed_body_is_that_of_its_real_size(start, demo, monkeypatch, pieces):
    client = await start()
    capacity = client.app[CAPACITY]
    body = gzip.compress(json.dumps(demo).encode() + b" " * 200_000)
    assert len(body) < 64 * 1024
    reader, writer = await asyncio.open_connection(client.host, client.port)
    monkeypatch.setattr(capacity.large_work, "has_room", lambda: False)
    head = (
        f"POST {SIMULATE} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Encoding: gzip\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()

    size = -(-len(body) // pieces)
    writer.write(head + body[:size])
    for begin in range(size, len(body), size):
        while not capacity.under_way:
            await asyncio.sleep(0)
        writer.write(body[begin : begin + size])

    assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
    assert (capacity.work.working, capacity.large_work.working) == (0, 0)
    writer.close()


async def test_bodies_of_large_requests_have_a_bound_together(start, demo):
    client = await start()
    capacity = client.app[CAPACITY]
    capacity.body_bytes_held = BODY_BYTES_HELD_MAX - 10_000
    large = json.dumps(demo).encode() + b" " * 500_000

    refused = await client.post(SIMULATE, data=large, headers=KEY)

    assert (refused.status, (await refused.json())["code"]) == (503, "SERVICE_OVERLOADED")
    assert capacity.body_bytes_held == BODY_BYTES_HELD_MAX - 10_000
    # A small one is not counted.
    assert (await client.post(SIMULATE, json=demo, headers=KEY)).status == 200
    capacity.body_bytes_held = 0
    assert (await client.post(SIMULATE, data=large, headers=KEY)).status == 200
    assert (capacity.body_bytes_held, capacity.under_way) == (0, 0)


async def test_work_that_takes_too_long_is_given_up_and_its_place_is_free(start, demo, store, monkeypatch):
    client = await start(**serving(request_seconds_max=1))
    capacity = client.app[CAPACITY]
    capacity.request_seconds_max = 0.05
    ended = asyncio.Event()

    async def never(*_):
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with monkeypatch.context() as patch:
        patch.setattr(store.dpm_runs, "admit", never, raising=False)
        refused = await client.post(SIMULATE, json=demo, headers=KEY)

    assert (refused.status, (await refused.json())["code"]) == (503, "REQUEST_TIMED_OUT")
    assert refused.headers["Retry-After"] == "1"
    assert ended.is_set()
    assert capacity.under_way == 0
    capacity.request_seconds_max = 60
    assert (await client.post(SIMULATE, json=demo, headers=KEY)).status == 200


async def test_work_that_cannot_be_cancelled_is_answered_for_and_keeps_its_place_until_it_ends(
    start, demo, store, monkeypatch
):
    client = await start()
    capacity = client.app[CAPACITY]
    capacity.request_seconds_max = 0.01
    monkeypatch.setattr(limits, "CANCEL_SECONDS_MAX", 0.01)
    driver, admit = asyncio.Event(), store.dpm_runs.admit

    async def shielded(*given):
        # As a driver that cleans up before it lets go.
        while not driver.is_set():
            try:
                await driver.wait()
            except asyncio.CancelledError:
                continue
        return await admit(*given)

    with monkeypatch.context() as patch:
        patch.setattr(store.dpm_runs, "admit", shielded, raising=False)
        refused = await client.post(SIMULATE, json=demo, headers=KEY)

    assert (refused.status, (await refused.json())["code"]) == (503, "REQUEST_TIMED_OUT")
    assert (capacity.work.working, capacity.under_way) == (1, 1)
    driver.set()
    while capacity.under_way:
        await asyncio.sleep(0)
    assert capacity.work.working == 0
    # It was recorded all the same, which the same request with the same key finds out.
    capacity.request_seconds_max = 60
    again = await client.post(SIMULATE, json=demo, headers=KEY)
    assert (again.status, again.headers.get("Idempotent-Replayed")) == (200, "true")


async def test_a_body_that_does_not_come_is_not_waited_for(start):
    client = await start()
    client.app[CAPACITY].receive_seconds_max = 0.05
    reader, writer = await asyncio.open_connection(client.host, client.port)

    writer.write(
        f"POST {SIMULATE} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Length: 100\r\n\r\n{{".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 408 ")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert json.loads(await reader.readexactly(length))["code"] == "REQUEST_TOO_SLOW"
    assert client.app[CAPACITY].under_way == 0
    writer.close()


async def test_a_body_on_its_way_takes_room_and_no_place_of_work(start, demo):
    client = await start(**serving(requests_max=1))
    capacity = client.app[CAPACITY]
    body = json.dumps(demo).encode()
    reader, writer = await asyncio.open_connection(client.host, client.port)
    head = f"POST {SIMULATE} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Length: {len(body)}\r\n\r\n"

    writer.write(head.encode() + body[:10])
    while not capacity.under_way:
        await asyncio.sleep(0)
    await turns(5)
    assert capacity.work.working == 0
    # Somebody whose body is there is done meanwhile.
    assert (await client.post(SIMULATE, json=demo, headers=KEY)).status == 200
    writer.write(body[10:])

    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    assert capacity.under_way == 0
    writer.close()


async def test_a_body_that_will_be_too_large_is_refused_before_it_comes(start):
    client = await start(body_bytes_max=1000)
    reader, writer = await asyncio.open_connection(client.host, client.port)

    writer.write(
        f"POST {SIMULATE} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Length: 1001\r\n\r\n".encode()
    )

    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_answers_close_their_connections_while_the_process_drains(start, demo):
    client = await start()
    assert "Connection" not in (await client.get("/health/live")).headers

    client.app[CAPACITY].draining = True

    assert (await client.post(SIMULATE, json=demo, headers=KEY)).headers["Connection"] == "close"
    assert (await client.get("/nowhere")).headers["Connection"] == "close"
