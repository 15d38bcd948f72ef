"""A parameter that means nothing is told of, or refused; it is often one that was misspelled."""

import pytest

from service.settings.process import UnknownFields
from service.web.openapi.document import OPERATIONS
from service.web.operations.table import PARAMETERS

RUNS = "/rebalance/runs"
TOLD = "X-Ignored-Parameters"
SIMULATE = "/rebalance/simulate"


def test_the_parameters_of_every_route_are_those_that_are_described():
    described = {
        (operation.method, operation.path): frozenset(
            field.data_key or name for name, field in operation.query().fields.items()
        )
        for operation in OPERATIONS
        if operation.query is not None
    }

    assert described == PARAMETERS


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("limit=1&status=READY", None),
        ("", None),
        ("statsu=READY", "statsu"),
        ("statsu=READY&statsu=x&limit=1&Status=x", "statsu, Status"),
        ("a%0d%0ab=1&%ff=1&%F0%9F%98%80", "a__b, _, _"),
        ("=1", ""),
        (f"{'x' * 500}=1", "x" * 60),
        (
            "&".join(f"p{number}=1" for number in range(14)),
            f"{', '.join(f'p{n}' for n in range(10))}, and 4 more",
        ),
    ],
)
async def test_what_is_ignored_is_told(start, asked, told):
    client = await start()

    for method in ("GET", "HEAD"):
        answer = await client.request(method, f"{RUNS}?{asked}")
        assert (answer.status, answer.headers.get(TOLD)) == (200, told)


async def test_it_is_told_on_every_business_route_and_on_refusals_too(start, demo):
    client = await start()

    done = await client.post(f"{SIMULATE}?dry_run=true", json=demo, headers={"Idempotency-Key": "k"})
    missing = await client.get(f"{RUNS}/rr_1?expand=all")
    wrong = await client.get(f"{RUNS}?limit=x&lmit=1")

    assert [answer.status for answer in (done, missing, wrong)] == [200, 404, 422]
    assert done.headers[TOLD] == "dry_run"


async def test_probes_and_pages_may_be_asked_with_anything(start):
    client = await start(unknown_fields=UnknownFields.REJECT)

    for path in ("/health/ready?nocache=1", "/docs?v=2", "/openapi.json?x", "/docs/start.js?v=1"):
        answer = await client.get(path)
        assert answer.status == 200 and TOLD not in answer.headers


async def test_where_unknown_fields_are_refused_unknown_parameters_are_too(start, demo):
    client = await start(unknown_fields=UnknownFields.REJECT)

    listed = await client.get(f"{RUNS}?limit=1&statsu=READY&frmo=2026-01-01")
    simulated = await client.post(f"{SIMULATE}?dry_run=true", json=demo, headers={"Idempotency-Key": "k"})
    known = await client.get(f"{RUNS}?limit=1&from=2026-01-01&cursor=x")
    many = await client.get(f"{RUNS}?{'&'.join(f'p{number}=1' for number in range(500))}")

    assert (listed.status, simulated.status, known.status) == (422, 422, 200)
    assert (await listed.json())["detail"] == [
        {
            "type": "extra_forbidden",
            "loc": ["query", name],
            "msg": "Extra inputs are not permitted",
            "input": value,
        }
        for name, value in (("statsu", "READY"), ("frmo", "2026-01-01"))
    ]
    assert (await client.get(f"{RUNS}/idempotency/k")).status == 404, "it was recorded all the same"
    assert len((await many.json())["detail"]) == 10
