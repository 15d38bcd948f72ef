"""How much is let in, in which order it is done, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from itertools import pairwise

import pytest

from service.errors import Overloaded
from service.settings import read
from service.web.overload import BURST_SECONDS, CALM_SECONDS, CAPACITY, Capacity, Lane

SIMULATE = "/rebalance/simulate"
KEY = {"Idempotency-Key": "key-1", "Content-Type": "application/json"}


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def a_capacity(now: Hands | None = None, requests_max: int = 8) -> Capacity:
    return Capacity(
        requests_max=requests_max, request_seconds_max=5, receive_seconds_max=5, now=now or Hands()
    )


def serving(**changes):
    return {"serving": replace(read().serving, **changes)}


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_places_are_given_one_in_each_turn_of_the_loop_and_in_the_order_of_asking():
    lane, given = Lane(places=9), []

    async def ask(number: int) -> None:
        await lane.take_place()
        given.append(number)

    asking = [asyncio.create_task(ask(number)) for number in range(11)]
    seen = []
    for _ in range(12):
        await asyncio.sleep(0)
        seen.append(len(given))

    assert given == list(range(9))
    assert all(later - earlier <= 1 for earlier, later in pairwise(seen))
    lane.leave_place()
    await turns(4)
    assert given == list(range(10))
    lane.leave_place()
    await asyncio.gather(*asking)
    assert given == list(range(11))
    assert (lane.working, len(lane.waiting)) == (9, 0)


async def test_who_goes_away_while_waiting_leaves_no_place_taken():
    lane = Lane(places=1)
    await lane.take_place()
    waiting = [asyncio.create_task(lane.take_place()) for _ in range(3)]
    await turns(2)

    waiting[0].cancel()
    lane.leave_place()
    # It is given the place, and is gone before it hears of it.
    await asyncio.sleep(0)
    waiting[1].cancel()
    await turns(6)

    assert [one.cancelled() for one in waiting[:2]] == [True, True]
    assert waiting[2].done() and not waiting[2].cancelled()
    assert (lane.working, len(lane.waiting)) == (1, 0)


async def test_a_burst_is_let_wait_and_a_standing_crowd_is_not():
    now = Hands()
    lane = Lane(places=8, now=now)
    waiting = [asyncio.create_task(lane.take_place()) for _ in range(8 + 26)]
    await turns(40)
    assert (lane.working, len(lane.waiting)) == (8, 26)

    assert lane.has_room()
    now.seconds += BURST_SECONDS
    assert not lane.has_room()

    # A crowd that is refused goes down, and is a crowd again as soon as it may.
    while len(lane.waiting) > 3:
        lane.leave_place()
        await turns(3)
    assert lane.has_room()
    waiting.append(asyncio.create_task(lane.take_place()))
    await turns(2)
    now.seconds += CALM_SECONDS - 0.1
    assert not lane.has_room()
    now.seconds += CALM_SECONDS - 0.1
    assert not lane.has_room()

    # Once nobody had to be refused for a while, the next burst is one again.
    now.seconds += CALM_SECONDS
    assert lane.has_room()
    for one in waiting:
        one.cancel()


async def test_a_waiting_room_has_an_end_for_bursts_too():
    lane = Lane(places=8, now=Hands())
    waiting = [asyncio.create_task(lane.take_place()) for _ in range(8 + 31)]
    await turns(40)

    assert lane.has_room()
    waiting.append(asyncio.create_task(lane.take_place()))
    await turns(2)
    assert not lane.has_room()
    for one in waiting:
        one.cancel()


async def test_a_crowd_that_goes_down_by_itself_was_a_burst():
    now = Hands()
    lane = Lane(places=8, now=now)
    lane.coming = 20
    assert lane.has_room()
    now.seconds += BURST_SECONDS - 0.1
    lane.coming = 1
    assert lane.has_room()
    now.seconds += BURST_SECONDS
    lane.coming = 20

    assert lane.has_room()


async def test_a_promise_keeps_its_room_until_it_is_kept_or_forgotten():
    capacity = a_capacity(requests_max=1)
    lane = capacity.work
    lines = [asyncio.Protocol() for _ in range(5)]

    assert [capacity.promise(line, lane) for line in lines] == [True, True, True, True, False]
    assert capacity.refused == 1
    # Who was promised room gets in although there is none for others.
    with pytest.raises(Overloaded), capacity.enter(lines[4], lane, receiving=False):
        pass
    with capacity.enter(lines[0], lane, receiving=False) as place:
        await place.begin()
        assert capacity.under_way == 4
    capacity.forget(lines[1])
    assert capacity.under_way == 2
    assert capacity.promise(lines[4], lane)


async def test_lookups_work_and_large_work_do_not_stand_in_one_line():
    capacity = a_capacity()

    assert capacity.lane_of("GET", 0) is capacity.lookups
    assert capacity.lane_of("POST", 64 * 1024) is capacity.work
    assert capacity.lane_of("POST", 64 * 1024 + 1) is capacity.large_work
    assert capacity.lane_of("POST", None) is capacity.large_work
    capacity.work.coming = 1000
    assert capacity.lookups.has_room() and capacity.large_work.has_room() and not capacity.work.has_room()


async def test_what_there_is_no_room_for_is_told_to_come_back(start, demo):
    client = await start()
    capacity = client.app[CAPACITY]
    capacity.work.coming = 10_000

    refused = await client.post(SIMULATE, json=demo, headers=KEY | {"X-Correlation-Id": "mine"})

    assert refused.status == 503
    assert (await refused.json())["code"] == "SERVICE_OVERLOADED"
    assert refused.headers["Retry-After"] in {"1", "2", "3"}
    assert refused.headers["X-Correlation-Id"] == "mine"
    # Lookups have a lane of their own; whoever looks after the process is never refused.
    assert (await client.get("/rebalance/runs")).status == 200
    capacity.lookups.coming = 10_000
    assert (await client.get("/rebalance/runs")).status == 503
    assert (await client.get("/health/live")).status == 200
    assert (await client.get("/health/ready")).status == 200
    capacity.work.coming = capacity.lookups.coming = 0
    assert (await client.post(SIMULATE, json=demo, headers=KEY)).status == 200
    assert capacity.under_way == 0


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
    assert (await client.post(SIMULATE, json=demo, headers=KEY)).status == 200


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
    while not capacity.work.receiving:
        await asyncio.sleep(0)
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
