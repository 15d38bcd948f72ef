"""Numbers as clients really send them: shares as languages print them, small rates, our own answers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.web.conftest import Start


def a_book(**changes: Any) -> dict[str, Any]:
    """A million of cash and one instrument to buy."""
    return {
        "portfolio_snapshot": {
            "portfolio_id": "pf",
            "base_currency": changes.get("base", "USD"),
            "positions": [],
            "cash_balances": [{"currency": changes.get("cash", "USD"), "amount": 1_000_000}],
        },
        "market_data_snapshot": {
            "prices": [{"instrument_id": "FUND", "price": 100, "currency": "USD"}],
            "fx_rates": changes.get("rates", []),
        },
        "model_portfolio": {"targets": changes.get("targets", [])},
        "shelf_entries": [{"instrument_id": "FUND", "status": "APPROVED"}],
        "options": {},
    }


async def simulated(client: Any, body: Any, key: str = "key") -> Any:
    answer = await client.post("/rebalance/simulate", json=body, headers={"Idempotency-Key": key})
    assert answer.status == 200, await answer.text()
    return await answer.json()


@pytest.mark.parametrize(
    "weight",
    [0.93 / 100, 1 / 487, 1 / 499, "0.002053388090349075975359342916", "2.004008016032064128256513026E-3"],
)
async def test_a_weight_is_taken_as_languages_print_it(start: Start, weight: Any) -> None:
    result = await simulated(await start(), a_book(targets=[{"instrument_id": "FUND", "weight": weight}]))

    (target,) = result["target"]["targets"]
    assert Decimal(target["model_weight"]) == Decimal(str(weight))
    (intent,) = result["intents"]
    assert Decimal(intent["quantity"]) == Decimal(str(weight)) * 10_000 // 1


@pytest.mark.parametrize(
    ("cash", "rate", "swept"),
    [
        ("IDR", 1 / 15026, Decimal("66.55")),
        ("JPY", 1 / 170, Decimal("5882.35")),
        ("VND", "0.00003891050583657587548638132296", Decimal("38.91")),
    ],
)
async def test_a_rate_of_a_small_currency_is_taken(
    start: Start, cash: str, rate: Any, swept: Decimal
) -> None:
    body = a_book(base="EUR", cash=cash, rates=[{"pair": f"{cash}/EUR", "rate": rate}])

    result = await simulated(await start(), body)

    (exchange,) = [intent for intent in result["intents"] if intent["intent_type"] == "FX_SPOT"]
    assert Decimal(exchange["buy_amount"]).quantize(Decimal("0.01")) == swept


async def test_what_was_answered_is_taken_as_the_next_snapshot(start: Start, demo: dict[str, Any]) -> None:
    client = await start()
    demo["market_data_snapshot"]["fx_rates"].append({"pair": "JPY/CHF", "rate": 1 / 171})
    body = demo
    for turn in range(3):
        after = (await simulated(client, body, f"key-{turn}"))["after_simulated"]
        body = json.loads(json.dumps(demo))
        body["portfolio_snapshot"]["cash_balances"] = after["cash_balances"]
        body["portfolio_snapshot"]["positions"] = [
            {"instrument_id": row["instrument_id"], "quantity": row["quantity"]} for row in after["positions"]
        ]


@pytest.mark.parametrize("weight", ["1e-41", "1.5e-40", "1e19", "1" * 39, "0." + "1" * 39])
async def test_a_number_out_of_bounds_is_refused(start: Start, weight: str) -> None:
    client = await start()
    body = a_book(targets=[{"instrument_id": "FUND", "weight": weight}])

    refused = await client.post("/rebalance/simulate", json=body, headers={"Idempotency-Key": "key"})

    (entry,) = (await refused.json())["detail"]
    assert (refused.status, entry["type"]) == (422, "decimal_parsing")
