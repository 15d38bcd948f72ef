"""The bodies of the dearest requests that the bounds of sizes let in."""

from __future__ import annotations

import random
from typing import Any

CURRENCIES = 200
GROUPS = 200
ORDERS = 2_000

Body = dict[str, Any]


def book(
    rows: int,
    *,
    currencies: int = 1,
    rates: bool = True,
    lots: int = 0,
    attributes: int = 1,
    values: int = 4,
    **options: Any,
) -> Body:
    """A rebalance of so many rows of everything."""
    chance = random.Random(7)
    ids = [f"I{number}" for number in range(rows)]
    wishes = [chance.randint(1, 1000) for _ in ids]
    whole = sum(wishes)
    positions: list[Body] = [{"instrument_id": name, "quantity": str(lots or 10)} for name in ids]
    for number, position in enumerate(positions if lots else ()):
        position["lots"] = [
            {
                "lot_id": str(lot),
                "quantity": "1",
                "unit_cost": {"amount": str(chance.randint(1, 20)), "currency": f"C{number % currencies}"},
                "purchase_date": "2026",
            }
            for lot in range(lots)
        ]
    return {
        "portfolio_snapshot": {
            "portfolio_id": "pf_bench",
            "base_currency": "C0",
            "positions": positions,
            "cash_balances": [{"currency": f"C{number}", "amount": "1000"} for number in range(currencies)],
        },
        "market_data_snapshot": {
            "prices": [
                {
                    "instrument_id": name,
                    "price": str(chance.randint(5, 20)),
                    "currency": f"C{number % currencies}",
                }
                for number, name in enumerate(ids)
            ],
            "fx_rates": [
                {"pair": f"C{number}/C0", "rate": "1.3"} for number in range(1, currencies if rates else 1)
            ],
        },
        "model_portfolio": {
            "targets": [
                {"instrument_id": name, "weight": f"{wish / whole:.9f}"}
                for name, wish in zip(ids, wishes, strict=True)
            ]
        },
        "shelf_entries": [
            {
                "instrument_id": name,
                "status": "APPROVED",
                "attributes": {f"a{kind}": f"v{chance.randrange(values)}" for kind in range(attributes)},
            }
            for name in ids
        ],
        "options": options,
    }


def grouped(rows: int, attributes: int, **options: Any) -> Body:
    """The same with a cap on every value of its attributes, most of them below what is wanted."""
    values = GROUPS // attributes
    chance = random.Random(11)
    caps = {
        f"a{kind}:v{value}": {"max_weight": f"{chance.uniform(0.8, 1.05) / values:.4f}"}
        for kind in range(attributes)
        for value in range(values)
    }
    return book(rows, attributes=attributes, values=values, group_constraints=caps, **options)


def two_attributes(rows: int) -> Body:
    return grouped(rows, 2)


def proposal(rows: int, *, rates: bool) -> Body:
    """Purchases in half of the currencies, with cash in the other half."""
    document = book(rows, currencies=CURRENCIES, rates=rates, enable_proposal_simulation=True)
    del document["model_portfolio"]
    document["portfolio_snapshot"]["cash_balances"] = [
        {"currency": f"C{number}", "amount": "100000"} for number in range(CURRENCIES // 2)
    ]
    bought = range(CURRENCIES // 2, CURRENCIES)
    document["proposed_trades"] = [
        {"side": "BUY", "instrument_id": f"I{bought[number % len(bought)]}", "quantity": "100"}
        for number in range(ORDERS)
    ]
    document["proposed_cash_flows"] = [{"currency": "C0", "amount": "1"} for _ in range(ORDERS)]
    return document
