"""PostgreSQL is chosen, and nobody said where it is."""

import pytest

from service.settings.environment import StoreBackend
from service.storage.postgres.store import PostgresStore
from tests.unit.web.stored_operations import OPERATIONS, refusal_of

ASYNC = "/rebalance/analyze/async"
SHUT = {"async_operations_enabled": False, "support_apis_enabled": False, "manual_execution_enabled": False}


@pytest.fixture
async def store():
    store = await PostgresStore.open("")
    yield store
    await store.close()


@pytest.fixture
def start_without_address(start):
    async def begin(**changes):
        return await start(store_backend=StoreBackend.POSTGRES, postgres_dsn="", **changes)

    return begin


async def is_missing(answer):
    assert answer.headers["Retry-After"] == "1"
    return await refusal_of(answer, 503) == "DPM_SUPPORTABILITY_POSTGRES_DSN_REQUIRED"


async def test_a_submission_is_read_and_its_gate_looked_at_first(start_without_address, demo):
    client, shut = await start_without_address(), await start_without_address(**SHUT)
    del demo["options"]
    batch = demo | {"scenarios": {"first": {}}}

    assert (await client.post(ASYNC, json=demo)).status == (await shut.post(ASYNC, json=demo)).status == 422
    assert await refusal_of(await shut.post(ASYNC, json=batch), 404) == "DPM_ASYNC_OPERATIONS_DISABLED"
    assert await is_missing(await client.post(ASYNC, json=batch))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "?limit=none"),
        ("GET", "/dop_1"),
        ("GET", "/by-correlation/corr-1"),
        ("POST", "/dop_1/execute"),
    ],
)
async def test_everything_else_says_so_before_it_looks_at_anything(start_without_address, method, path):
    for changes in ({}, SHUT):
        client = await start_without_address(**changes)
        assert await is_missing(await client.request(method, OPERATIONS + path))
