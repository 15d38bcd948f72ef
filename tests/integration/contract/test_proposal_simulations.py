"""What kept simulations of proposals promise, whatever the backend."""

from __future__ import annotations

import asyncio

import pytest

from service.domains.callers import DEFAULT_TENANT
from service.errors.idempotency import IdempotencyKeyConflict
from tests.integration.contract.builders import ODD_BYTES, OTHER_HASH, after
from tests.integration.contract.proposal_builders import a_simulation

ALWAYS = after(-1000)


async def found(store, simulation, kept_since=ALWAYS):
    return await store.proposal_simulations.find(
        simulation.tenant_id, simulation.idempotency_key, kept_since=kept_since
    )


async def keep(store, simulation, kept_since=ALWAYS):
    return await store.proposal_simulations.keep(simulation, kept_since=kept_since)


async def purge(store, before, limit=100, tenant_id=DEFAULT_TENANT):
    return await store.proposal_simulations.purge(tenant_id, created_before=after(before), limit=limit)


@pytest.mark.parametrize("result", [b"{}", ODD_BYTES, b'{"a":"\\u0000"}', b"[]" * 500_000])
async def test_a_simulation_is_given_back_as_it_was_kept(store, result):
    simulation = a_simulation(result=result, idempotency_key="key · 日本", created_at=after(0.000001))

    assert await keep(store, simulation) is None

    assert await found(store, simulation) == simulation


async def test_an_unknown_key_stands_for_nothing(store):
    assert await found(store, a_simulation()) is None


async def test_the_first_under_a_key_stays_and_is_what_the_others_get(store):
    first, again = a_simulation(), a_simulation(created_at=after(5))
    await keep(store, first)

    assert await keep(store, again) == first

    assert await found(store, first) == first


async def test_another_request_under_a_taken_key_is_refused(store):
    first = a_simulation()
    await keep(store, first)

    with pytest.raises(IdempotencyKeyConflict):
        await keep(store, a_simulation(request_hash=OTHER_HASH))

    assert await found(store, first) == first


async def test_each_tenant_and_each_key_has_its_own(store):
    several = [
        a_simulation(),
        a_simulation(idempotency_key="key-2", request_hash=OTHER_HASH),
        a_simulation(tenant_id="theirs", request_hash=OTHER_HASH),
    ]

    for simulation in several:
        assert await keep(store, simulation) is None

    assert [await found(store, simulation) for simulation in several] == several


async def test_a_simulation_counts_as_gone_from_its_moment_on(store):
    simulation = a_simulation(created_at=after(5))
    await keep(store, simulation)

    assert await found(store, simulation, after(5)) == simulation
    assert await found(store, simulation, after(5.000001)) is None
    assert await keep(store, a_simulation(created_at=after(9)), after(5)) == simulation


@pytest.mark.parametrize("request_hash", ["sha256:" + "a" * 64, OTHER_HASH])
async def test_one_that_counts_as_gone_is_replaced_whatever_was_asked(store, request_hash):
    first = a_simulation(created_at=after(5))
    second = a_simulation(created_at=after(9), request_hash=request_hash, request=b"{}")
    await keep(store, first)

    assert await keep(store, second, after(5.000001)) is None

    assert await found(store, second) == second
    assert await keep(store, a_simulation(request_hash=request_hash), after(9)) == second


async def test_a_purge_removes_those_created_before_it_says_oldest_first(store):
    several = [a_simulation(idempotency_key=f"key-{n}", created_at=after(n)) for n in (3, 1, 0, 2, 4)]
    theirs = a_simulation(tenant_id="theirs")
    for simulation in (*several, theirs):
        await keep(store, simulation)

    assert await purge(store, 3, limit=2) == 2
    left = {simulation.idempotency_key for simulation in several if await found(store, simulation)}
    assert left == {"key-2", "key-3", "key-4"}
    assert await purge(store, 3) == 1
    assert await purge(store, 3) == 0

    left = {simulation.idempotency_key for simulation in several if await found(store, simulation)}
    assert left == {"key-3", "key-4"}
    assert await found(store, theirs) == theirs


async def test_a_purged_key_is_free(store):
    await keep(store, a_simulation())
    other = a_simulation(request_hash=OTHER_HASH)

    assert await purge(store, 1) == 1

    assert await found(store, other) is None
    assert await keep(store, other) is None
    assert await found(store, other) == other


async def test_one_that_was_replaced_is_as_old_as_what_took_its_place(store):
    await keep(store, a_simulation(created_at=after(1)))
    second = a_simulation(created_at=after(9))
    await keep(store, second, after(5))

    assert await purge(store, 9) == 0
    assert await found(store, second) == second
    assert await purge(store, 10) == 1


@pytest.mark.parametrize("gone", [False, True], ids=["free", "expired"])
async def test_of_equal_callers_at_once_one_keeps_it_and_all_others_get_that(store, gone):
    for number in range(5):
        key = f"key-{number}"
        if gone:
            await keep(store, a_simulation(idempotency_key=key, created_at=after(1)))
        asked = [a_simulation(idempotency_key=key, created_at=after(9)) for _ in range(8)]

        answers = await asyncio.gather(*(keep(store, one, after(5)) for one in asked))

        (kept,) = (one for one, answer in zip(asked, answers, strict=True) if answer is None)
        assert [answer for answer in answers if answer is not None] == [kept] * 7
        assert await found(store, kept) == kept


async def test_of_different_requests_at_once_one_is_kept_and_the_others_are_refused(store):
    for number in range(5):
        asked = [a_simulation(idempotency_key=f"key-{number}", request_hash=f"hash-{n}") for n in range(4)]

        answers = await asyncio.gather(*(keep(store, one) for one in asked), return_exceptions=True)

        (kept,) = (one for one, answer in zip(asked, answers, strict=True) if answer is None)
        assert sum(isinstance(answer, IdempotencyKeyConflict) for answer in answers) == 3
        assert await found(store, kept) == kept
