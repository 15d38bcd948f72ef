"""Requests for tests and measurements: realistic, reproducible, every default valid.

    a_request(positions=100, seed=1, **options)    the decoded RebalanceRequest
    a_body(positions=100, seed=1, **options)       the same request as JSON bytes, as a client would send it
    a_batch_body(scenarios, positions=..., seed=...)   JSON bytes of a what-if batch over the same book
    a_proposal(positions=100, seed=1, **options)   the decoded ProposalSimulateRequest over the same book
    a_proposal_body(...)   the same proposal as JSON bytes
    a_document(...), read_request(bytes), written(document)   the steps in between

Equal arguments give equal bytes, on every platform. Options are those of the wire, by name; they replace or
join REALISTIC_OPTIONS, and a value of None removes one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.rebalances.requests import RebalanceRequest
from service.domains.values.money import decode_hook

BASE_CURRENCY = "SGD"
RATES = {"USD": "1.3482", "EUR": "1.4617", "HKD": "0.1726"}
# Hong Kong is quoted the other way round, so that inverse rates are exercised too.
INVERSE_RATES = {"HKD": "5.7938"}

SECTORS = ("TECH", "FIN", "HEALTH", "ENERGY", "UTIL", "GOVT")
REGIONS = ("US", "EU", "APAC", "EM")
ASSET_CLASSES = ("EQUITY", "EQUITY", "FIXED_INCOME", "FUND", "ALTERNATIVE")

REALISTIC_OPTIONS: Mapping[str, Any] = {
    "group_constraints": {
        "sector:TECH": {"max_weight": "0.14"},
        "sector:FIN": {"max_weight": "0.30"},
        "region:US": {"max_weight": "0.45"},
    },
    "min_trade_notional": {"amount": "500.00", "currency": BASE_CURRENCY},
    "cash_band_min_weight": "0.005",
    "cash_band_max_weight": "0.20",
    "min_cash_buffer_pct": "0.02",
}

_DECODER = msgspec.json.Decoder(RebalanceRequest, dec_hook=decode_hook, float_hook=Decimal)
_PROPOSAL_DECODER = msgspec.json.Decoder(ProposalSimulateRequest, dec_hook=decode_hook, float_hook=Decimal)


def a_request(positions: int = 100, seed: int = 1, **options: Any) -> RebalanceRequest:
    return read_request(a_body(positions, seed, **options))


def a_body(positions: int = 100, seed: int = 1, **options: Any) -> bytes:
    return written(a_document(positions, seed, **options))


def a_batch_body(scenarios: Mapping[str, Mapping[str, Any]], positions: int = 100, seed: int = 1) -> bytes:
    """Each scenario is given by its options, which stand for themselves."""
    document = a_document(positions, seed)
    del document["options"]
    document["scenarios"] = {name: {"options": dict(options)} for name, options in scenarios.items()}
    return written(document)


def a_proposal(positions: int = 100, seed: int = 1, **options: Any) -> ProposalSimulateRequest:
    return _PROPOSAL_DECODER.decode(a_proposal_body(positions, seed, **options))


def a_proposal_body(positions: int = 100, seed: int = 1, **options: Any) -> bytes:
    """An adviser's switch: a deposit, one trade for ten positions, half of them purchases, and a model."""
    random = Random(seed)
    document = a_document(positions, seed)
    targets = document.pop("model_portfolio")["targets"]
    document["options"] = {"enable_proposal_simulation": True, **options}
    held = {row["instrument_id"]: row for row in document["portfolio_snapshot"]["positions"]}
    document["proposed_cash_flows"] = [{"currency": BASE_CURRENCY, "amount": f"{positions * 50}.00"}]
    chosen = random.sample(sorted(held), max(2, positions // 10))
    document["proposed_trades"] = [
        {
            "side": "SELL" if number % 2 else "BUY",
            "instrument_id": instrument_id,
            "quantity": str(max(1, int(held[instrument_id]["quantity"]) // 4)),
        }
        for number, instrument_id in enumerate(chosen)
    ]
    document["reference_model"] = {
        "model_id": "mdl_1",
        "as_of": "2026-11-21",
        "base_currency": BASE_CURRENCY,
        "asset_class_targets": [{"asset_class": "EQUITY", "weight": "0.60"}],
        "instrument_targets": targets,
    }
    return written(document)


def read_request(body: bytes) -> RebalanceRequest:
    return _DECODER.decode(body)


def written(document: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(document)


def a_document(positions: int = 100, seed: int = 1, **options: Any) -> dict[str, Any]:
    """A private bank's book: lots, four currencies, a model it drifted away from, a shelf with all states.

    One line in ten is not in the model any more, and one in ten of the model is not held yet.
    """
    random = Random(seed)
    instruments = [_instrument(random, index) for index in range(positions + max(1, positions // 10))]
    held, unheld = instruments[:positions], instruments[positions:]
    modelled = [row for row in held if random.random() < 0.9] + unheld
    shares = [random.uniform(0.5, 1.5) for _ in modelled]
    scale = 0.95 / sum(shares)
    targets = [
        {"instrument_id": row["id"], "weight": f"{share * scale:.6f}"}
        for row, share in zip(modelled, shares, strict=True)
    ]
    random.shuffle(targets)
    chosen = {**REALISTIC_OPTIONS, **options}
    return {
        "portfolio_snapshot": {
            "snapshot_id": f"ps_{seed}",
            "portfolio_id": f"pf_{seed}_{positions}",
            "base_currency": BASE_CURRENCY,
            "positions": [_position(random, row) for row in held],
            "cash_balances": [
                {"currency": BASE_CURRENCY, "amount": f"{positions * random.randint(900, 1500)}.00"},
                {"currency": "USD", "amount": f"{positions * random.randint(40, 90)}.50"},
            ],
        },
        "market_data_snapshot": {
            "snapshot_id": f"md_{seed}",
            "prices": [
                {"instrument_id": row["id"], "price": row["price"], "currency": row["currency"]}
                for row in instruments
            ],
            "fx_rates": [
                {"pair": f"{BASE_CURRENCY}/{currency}", "rate": INVERSE_RATES[currency]}
                if currency in INVERSE_RATES
                else {"pair": f"{currency}/{BASE_CURRENCY}", "rate": rate}
                for currency, rate in RATES.items()
            ],
        },
        "model_portfolio": {"targets": targets},
        "shelf_entries": [_shelf_entry(random, row) for row in instruments],
        "options": {name: value for name, value in chosen.items() if value is not None},
    }


def _instrument(random: Random, index: int) -> dict[str, str]:
    currency = random.choices([BASE_CURRENCY, *RATES], [6, 3, 2, 1])[0]
    cents = random.randint(200, 90_000)
    return {
        "id": f"{currency}_{index:05d}",
        "currency": currency,
        "price": f"{cents // 100}.{cents % 100:02d}",
    }


def _position(random: Random, instrument: Mapping[str, str]) -> dict[str, Any]:
    # About ten thousand in base currency a line, spread by a factor of three either way.
    price, currency = Decimal(instrument["price"]), instrument["currency"]
    rate = Decimal(RATES.get(currency, "1"))
    quantity = max(4, int(Decimal(random.randint(4_000, 30_000)) / (price * rate)))
    lots, rest = [], quantity
    for number in range(random.randint(1, 4)):
        units = rest if number == 3 else random.randint(1, max(1, rest // 2))
        rest -= units
        lots.append(_lot(random, number, units, price, currency))
        if not rest:
            break
    if rest:
        lots.append(_lot(random, len(lots), rest, price, currency))
    return {"instrument_id": instrument["id"], "quantity": str(quantity), "lots": lots}


def _lot(random: Random, number: int, units: int, price: Decimal, currency: str) -> dict[str, Any]:
    cost = (price * random.randint(60, 130) / 100).quantize(Decimal("0.01"))
    bought_on = f"{random.randint(2015, 2025)}-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}"
    return {
        "lot_id": f"L{number + 1:02d}",
        "quantity": str(units),
        "unit_cost": {"amount": str(cost), "currency": currency},
        "purchase_date": bought_on,
    }


def _shelf_entry(random: Random, instrument: Mapping[str, str]) -> dict[str, Any]:
    statuses = ["APPROVED", "SELL_ONLY", "RESTRICTED", "SUSPENDED", "BANNED"]
    return {
        "instrument_id": instrument["id"],
        "status": random.choices(statuses, [92, 3, 2, 2, 1])[0],
        "asset_class": random.choice(ASSET_CLASSES),
        "issuer_id": f"ISS_{random.randint(1, 400):03d}",
        "liquidity_tier": f"L{random.randint(1, 5)}",
        "settlement_days": random.choice([1, 2, 2, 2, 3]),
        "attributes": {"sector": random.choice(SECTORS), "region": random.choice(REGIONS)},
    }
