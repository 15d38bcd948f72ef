"""Portfolios, prices, models and options to ask with; equal chance gives equal bytes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

BASE = "SGD"
RATES = {"USD": "1.3482", "EUR": "1.4617", "HKD": "0.1726"}
# Hong Kong is quoted the other way round.
INVERSE = {"HKD": "5.7938"}
SECTORS = ("TECH", "FIN", "HEALTH", "GOVT")
ASSET_CLASSES = ("EQUITY", "EQUITY", "FIXED_INCOME", "FUND")
STATUSES = ("APPROVED", "SELL_ONLY", "RESTRICTED", "SUSPENDED", "BANNED")
STATUS_WEIGHTS = (90, 4, 3, 2, 1)
INSTRUMENTS_MAX = 9
PORTFOLIOS = 25


def an_order(chance: Random) -> dict[str, Any]:
    """The body of a simulation: a portfolio, what it is worth, the model it drifted from, the options."""
    return {**a_portfolio(chance), "options": some_options(chance)}


def a_batch(chance: Random) -> dict[str, Any]:
    """The body of an analysis; now and then one of its scenarios has options that are refused."""
    names = chance.sample(("as-is", "low_turnover", "no-tax", "cash", "strict", "wide"), chance.randint(1, 4))
    scenarios = {name: {"options": some_options(chance)} for name in names}
    if chance.random() < 0.2:
        scenarios["refused"] = {"options": {"target_method": "GUESS"}}
    return {**a_portfolio(chance), "scenarios": scenarios}


def a_proposal(chance: Random) -> dict[str, Any]:
    """The body of a proposal's simulation: cash in or out, trades, and a model to measure against."""
    portfolio = a_portfolio(chance)
    targets = portfolio.pop("model_portfolio")["targets"]
    held = portfolio["portfolio_snapshot"]["positions"]
    trades = [
        {
            "side": chance.choice(("BUY", "SELL")),
            "instrument_id": row["instrument_id"],
            "quantity": str(max(1, int(Decimal(row["quantity"])) // 4)),
        }
        for row in chance.sample(held, min(len(held), chance.randint(0, 2)))
    ]
    return {
        **portfolio,
        "options": {"enable_proposal_simulation": chance.random() < 0.96},
        "proposed_cash_flows": [{"currency": BASE, "amount": f"{chance.randint(-20, 80)}00.00"}],
        "proposed_trades": trades,
        "reference_model": {
            "model_id": "mdl_1",
            "as_of": "2026-11-21",
            "base_currency": BASE,
            "asset_class_targets": [{"asset_class": "EQUITY", "weight": "0.60"}],
            "instrument_targets": targets,
        },
    }


def a_portfolio(chance: Random) -> dict[str, Any]:
    shelf = [_instrument(chance, number) for number in range(chance.randint(1, INSTRUMENTS_MAX))]
    # Each line of the shelf may be held, modelled, both or neither.
    held = [row for row in shelf if chance.random() < 0.8]
    shares = [(row, chance.uniform(0.5, 1.5)) for row in shelf if chance.random() < 0.8]
    whole = sum(share for _, share in shares) / chance.uniform(0.6, 1.0)
    priced = [row for row in shelf if chance.random() < 0.98]
    quoted = [currency for currency in RATES if chance.random() < 0.98]
    return {
        "portfolio_snapshot": {
            "portfolio_id": f"pf_{chance.randint(1, PORTFOLIOS):03d}",
            "base_currency": BASE,
            "positions": [_position(chance, row) for row in held],
            "cash_balances": _cash(chance),
        },
        "market_data_snapshot": {
            "prices": [
                {"instrument_id": row["id"], "price": row["price"], "currency": row["currency"]}
                for row in priced
            ],
            "fx_rates": [_rate(currency) for currency in quoted],
        },
        "model_portfolio": {
            "targets": [
                {"instrument_id": row["id"], "weight": f"{share / whole:.6f}"} for row, share in shares
            ]
        },
        "shelf_entries": [_shelf_entry(chance, row) for row in shelf],
    }


def some_options(chance: Random) -> dict[str, Any]:
    """A few of all there are, each with a value it allows."""
    return {name: make(chance) for name, make in OPTIONS.items() if chance.random() < 0.25}


OPTIONS: dict[str, Callable[[Random], Any]] = {
    "cash_band_min_weight": lambda chance: chance.choice(("0.00", "0.01", "0.02")),
    "cash_band_max_weight": lambda chance: chance.choice(("0.10", "0.30", "1.00")),
    "single_position_max_weight": lambda chance: chance.choice(("0.15", "0.25", "0.40")),
    "min_trade_notional": lambda chance: {"amount": f"{chance.randint(1, 20)}00.00", "currency": BASE},
    "allow_restricted": lambda chance: chance.random() < 0.5,
    "suppress_dust_trades": lambda chance: chance.random() < 0.5,
    "max_turnover_pct": lambda chance: chance.choice(("0.05", "0.20", "1")),
    "enable_tax_awareness": lambda chance: chance.random() < 0.7,
    "max_realized_capital_gains": lambda chance: chance.choice(("0", "250.00", "5000.00")),
    "enable_settlement_awareness": lambda chance: chance.random() < 0.7,
    "settlement_horizon_days": lambda chance: chance.randint(0, 6),
    "min_cash_buffer_pct": lambda chance: chance.choice(("0.00", "0.02", "0.05")),
    "block_on_missing_prices": lambda chance: chance.random() < 0.5,
    "block_on_missing_fx": lambda chance: chance.random() < 0.5,
    "group_constraints": lambda chance: {
        f"sector:{chance.choice(SECTORS)}": {"max_weight": chance.choice(("0.10", "0.35", "0.60"))}
    },
}


def _instrument(chance: Random, number: int) -> dict[str, str]:
    currency = chance.choices((BASE, *RATES), (6, 3, 2, 1))[0]
    cents = chance.randint(200, 40_000)
    return {
        "id": f"{currency}_{number:03d}",
        "currency": currency,
        "price": f"{cents // 100}.{cents % 100:02d}",
    }


def _position(chance: Random, instrument: dict[str, str]) -> dict[str, Any]:
    quantity = chance.randint(2, 600)
    position: dict[str, Any] = {"instrument_id": instrument["id"], "quantity": str(quantity)}
    if quantity > 10 and chance.random() < 0.6:
        first = chance.randint(1, quantity - 1)
        position["lots"] = [
            _lot(chance, number, units, instrument)
            for number, units in enumerate((first, quantity - first), start=1)
        ]
    return position


def _lot(chance: Random, number: int, units: int, instrument: dict[str, str]) -> dict[str, Any]:
    cost = (Decimal(instrument["price"]) * chance.randint(60, 130) / 100).quantize(Decimal("0.01"))
    return {
        "lot_id": f"L{number:02d}",
        "quantity": str(units),
        "unit_cost": {"amount": str(cost), "currency": instrument["currency"]},
        "purchase_date": f"{chance.randint(2016, 2025)}-{chance.randint(1, 12):02d}-15",
    }


def _cash(chance: Random) -> list[dict[str, str]]:
    cash = [{"currency": BASE, "amount": f"{chance.randint(0, 30_000)}.00"}]
    if chance.random() < 0.4:
        cash.append({"currency": "USD", "amount": f"{chance.randint(-500, 9_000)}.50"})
    return cash


def _rate(currency: str) -> dict[str, str]:
    if currency in INVERSE:
        return {"pair": f"{BASE}/{currency}", "rate": INVERSE[currency]}
    return {"pair": f"{currency}/{BASE}", "rate": RATES[currency]}


def _shelf_entry(chance: Random, instrument: dict[str, str]) -> dict[str, Any]:
    return {
        "instrument_id": instrument["id"],
        "status": chance.choices(STATUSES, STATUS_WEIGHTS)[0],
        "asset_class": chance.choice(ASSET_CLASSES),
        "issuer_id": f"ISS_{chance.randint(1, 9)}",
        "liquidity_tier": f"L{chance.randint(1, 5)}",
        "settlement_days": chance.choice((1, 2, 2, 3)),
        "attributes": {"sector": chance.choice(SECTORS)},
    }
