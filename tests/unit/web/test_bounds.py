"""What callers send is held to bounds: at the bound it is taken, one over it is refused with its place."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest

from service.domains.rebalances.snapshots import PortfolioSnapshot
from service.domains.values.bounds import DEFAULT_BOUNDS, Bounds
from service.domains.values.canonical import canonical_json
from service.errors.requests import RequestInvalid
from service.settings.process import SettingsInvalid, read
from service.web.openapi.document import OPERATIONS, document
from service.web.requests import bodies
from service.web.requests.body_bounds import holds
from service.web.schemas.derive import schema_of
from service.web.schemas.fields import ExactNumber
from service.wiring.readers import LENIENT_READERS, proposal_readers_of, readers_of
from tests.unit.web.conftest import Start

BOM = b"\xef\xbb\xbf"
WIDE = "\U0001f600"

MIGRATION_TABLE: dict[str, Any] = {
    "portfolio_snapshot": {
        "snapshot_id": "ps",
        "portfolio_id": "pf",
        "base_currency": "SGD",
        "positions": [
            {
                "instrument_id": "A",
                "quantity": "1",
                "market_value": {"amount": "1", "currency": "SGD"},
                "lots": [
                    {
                        "lot_id": "L",
                        "quantity": "1",
                        "unit_cost": {"amount": "1", "currency": "SGD"},
                        "purchase_date": "2026-01-01",
                    }
                ],
            }
        ],
        "cash_balances": [{"currency": "SGD", "amount": "1"}],
    },
    "market_data_snapshot": {
        "snapshot_id": "md",
        "prices": [{"instrument_id": "A", "price": "1", "currency": "SGD"}],
        "fx_rates": [{"pair": "USD/SGD", "rate": "1"}],
    },
    "shelf_entries": [
        {
            "instrument_id": "A",
            "status": "APPROVED",
            "asset_class": "EQUITY",
            "issuer_id": "I",
            "min_notional": {"amount": "1", "currency": "SGD"},
            "attributes": {"sector": "TECH"},
        }
    ],
    "options": {"min_trade_notional": {"amount": "1", "currency": "SGD"}},
}
TARGETS = {"targets": [{"instrument_id": "A", "weight": "1"}]}
PROPOSAL = MIGRATION_TABLE | {
    "proposed_cash_flows": [{"currency": "SGD", "amount": "1", "description": "d"}],
    "proposed_trades": [
        {"side": "BUY", "instrument_id": "A", "notional": {"amount": "1", "currency": "SGD"}},
    ],
    "reference_model": {
        "model_id": "m",
        "as_of": "2026",
        "base_currency": "SGD",
        "asset_class_targets": [{"asset_class": "EQUITY", "weight": "1"}],
        "instrument_targets": [{"instrument_id": "A", "weight": "1"}],
    },
}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "rebalance": MIGRATION_TABLE | {"model_portfolio": TARGETS},
    "batch": {name: part for name, part in MIGRATION_TABLE.items() if name != "options"}
    | {"model_portfolio": TARGETS, "scenarios": {"base": {"description": "d", "options": {"a": "b"}}}},
    "proposal": PROPOSAL,
    "creation": {
        "created_by": "c",
        "simulate_request": PROPOSAL,
        "metadata": {"title": "t", "advisor_notes": "n", "jurisdiction": "SG", "mandate_id": "m"},
    },
    "version": {"created_by": "c", "simulate_request": PROPOSAL},
    "transition": {"event_type": "CANCELLED", "actor_id": "a", "reason": {"a": "b"}},
    "approval": {"approval_type": "RISK", "approved": True, "actor_id": "a", "details": {"a": "b"}},
    "action": {"action": "APPROVE", "reason_code": "R", "actor_id": "a", "comment": "c"},
    "policy_pack": {"version": "v", "constraint_policy": {"group_constraints": {"a:b": {"max_weight": "1"}}}},
}
READERS = {name: getattr(bodies, f"decode_{name}") for name in DOCUMENTS}
STRICT = {name: getattr(bodies, f"decode_{name}").strict for name in DOCUMENTS}

IN_BOOK = [
    ("portfolio_snapshot.snapshot_id", 1, 200),
    ("portfolio_snapshot.portfolio_id", 1, 200),
    ("portfolio_snapshot.base_currency", 0, 12),
    ("portfolio_snapshot.positions.0.instrument_id", 1, 200),
    ("portfolio_snapshot.positions.0.market_value.currency", 0, 12),
    ("portfolio_snapshot.positions.0.lots.0.lot_id", 1, 200),
    ("portfolio_snapshot.positions.0.lots.0.unit_cost.currency", 0, 12),
    ("portfolio_snapshot.positions.0.lots.0.purchase_date", 0, 200),
    ("portfolio_snapshot.cash_balances.0.currency", 0, 12),
    ("market_data_snapshot.snapshot_id", 1, 200),
    ("market_data_snapshot.prices.0.instrument_id", 1, 200),
    ("market_data_snapshot.prices.0.currency", 0, 12),
    ("market_data_snapshot.fx_rates.0.pair", 0, 25),
    ("shelf_entries.0.instrument_id", 1, 200),
    ("shelf_entries.0.asset_class", 0, 200),
    ("shelf_entries.0.issuer_id", 0, 200),
    ("shelf_entries.0.min_notional.currency", 0, 12),
    ("shelf_entries.0.attributes.sector", 1, 200),
]
TEXTS = [
    *[("rebalance", *row) for row in IN_BOOK],
    ("rebalance", "model_portfolio.targets.0.instrument_id", 1, 200),
    ("rebalance", "options.min_trade_notional.currency", 0, 12),
    ("batch", "portfolio_snapshot.portfolio_id", 1, 200),
    ("batch", "scenarios.base.description", 0, 4_000),
    *[("proposal", *row) for row in IN_BOOK[:2]],
    ("proposal", "proposed_cash_flows.0.currency", 0, 12),
    ("proposal", "proposed_cash_flows.0.description", 0, 4_000),
    ("proposal", "proposed_trades.0.instrument_id", 1, 200),
    ("proposal", "proposed_trades.0.notional.currency", 0, 12),
    ("proposal", "reference_model.model_id", 0, 200),
    ("proposal", "reference_model.as_of", 0, 200),
    ("proposal", "reference_model.base_currency", 0, 12),
    ("proposal", "reference_model.asset_class_targets.0.asset_class", 0, 200),
    ("proposal", "reference_model.instrument_targets.0.instrument_id", 1, 200),
    ("creation", "created_by", 1, 200),
    ("creation", "metadata.title", 0, 500),
    ("creation", "metadata.advisor_notes", 0, 4_000),
    ("creation", "metadata.jurisdiction", 0, 200),
    ("creation", "metadata.mandate_id", 1, 200),
    ("creation", "simulate_request.portfolio_snapshot.portfolio_id", 1, 200),
    ("version", "created_by", 1, 200),
    ("transition", "actor_id", 1, 200),
    ("approval", "actor_id", 1, 200),
    ("action", "actor_id", 1, 200),
    ("action", "comment", 0, 4_000),
    ("policy_pack", "version", 0, 200),
]


def with_value(name: str, path: str, value: Any) -> bytes:
    """The document with something else at one place."""
    changed = deepcopy(DOCUMENTS[name])
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    inside: Any = changed
    for part in way:
        inside = inside[part]
    inside[last] = value
    return json.dumps(changed).encode()


def refusal(name: str, body: bytes, **how: Any) -> tuple[str, list[Any]]:
    """The one thing that is wrong, which both ways of reading must find."""
    found = []
    for read_body in (READERS[name], STRICT[name]):
        with pytest.raises(RequestInvalid) as refused:
            read_body(body, **how)
        (entry,) = refused.value.entries
        found.append((entry["type"], entry["loc"]))
        assert len(json.dumps(entry, ensure_ascii=False)) < 3_000
    assert found[0] == found[1]
    return found[0]


def place_of(path: str) -> list[Any]:
    return ["body", *[int(part) if part.isdigit() else part for part in path.split(".")]]


@pytest.mark.parametrize(("name", "path", "least", "most"), TEXTS)
def test_a_text_is_taken_up_to_its_bound(name: str, path: str, least: int, most: int) -> None:
    for value in ("x" * most, WIDE * most, "x" * least):
        body = with_value(name, path, value)
        assert READERS[name](body) == STRICT[name](body)
    for value in ("x" * (most + 1), WIDE * (most + 1), "x" * 100_000):
        assert refusal(name, with_value(name, path, value)) == ("string_too_long", place_of(path))
    if least:
        assert refusal(name, with_value(name, path, "")) == ("string_too_short", place_of(path))


def test_a_reason_code_is_taken_up_to_its_bound() -> None:
    assert READERS["action"](with_value("action", "reason_code", "R" * 200))
    for length in (201, 100_000):
        found = refusal("action", with_value("action", "reason_code", "R" * length))
        assert found == ("string_too_long", ["body", "reason_code"])


ROW = {"instrument_id": "A"}
LISTS = [
    ("rebalance", "portfolio_snapshot.positions", {**ROW, "quantity": "1"}, 20_000),
    ("rebalance", "portfolio_snapshot.cash_balances", {"currency": "SGD", "amount": "1"}, 2_000),
    ("rebalance", "market_data_snapshot.prices", {**ROW, "price": "1", "currency": "SGD"}, 20_000),
    ("rebalance", "market_data_snapshot.fx_rates", {"pair": "A/B", "rate": "1"}, 2_000),
    ("rebalance", "model_portfolio.targets", {**ROW, "weight": "1"}, 20_000),
    ("rebalance", "shelf_entries", {**ROW, "status": "APPROVED"}, 20_000),
    ("proposal", "proposed_cash_flows", {"currency": "SGD", "amount": "1"}, 2_000),
    ("proposal", "proposed_trades", {**ROW, "side": "BUY", "quantity": "1"}, 2_000),
    ("proposal", "reference_model.instrument_targets", {**ROW, "weight": "1"}, 20_000),
    ("proposal", "reference_model.asset_class_targets", {"asset_class": "A", "weight": "1"}, 20_000),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "path", "item", "most"), LISTS)
def test_a_list_is_taken_up_to_its_bound(name: str, path: str, item: Any, most: int) -> None:
    assert READERS[name](with_value(name, path, [item] * most))
    for many in (most + 1, 3 * most):
        assert refusal(name, with_value(name, path, [item] * many)) == ("too_long", place_of(path))


MAPS = [
    ("rebalance", "shelf_entries.0.attributes", "TECH", 50),
    ("rebalance", "options.group_constraints", {"max_weight": "1"}, 200),
    ("policy_pack", "constraint_policy.group_constraints", {"max_weight": "1"}, 200),
    ("rebalance", "options.max_overdraft_by_ccy", "1", 200),
]


@pytest.mark.parametrize(("name", "path", "item", "most"), MAPS)
def test_a_map_is_taken_up_to_its_bound(name: str, path: str, item: Any, most: int) -> None:
    def entries(many: int) -> dict[str, Any]:
        return {f"a:{n}": item for n in range(many)}

    assert READERS[name](with_value(name, path, entries(most)))
    for many in (most + 1, 100 * most):
        assert refusal(name, with_value(name, path, entries(many))) == ("too_long", place_of(path))


@pytest.mark.parametrize(
    ("name", "path", "item", "longest"),
    [
        ("rebalance", "shelf_entries.0.attributes", "TECH", "x" * 200),
        ("rebalance", "options.group_constraints", {"max_weight": "1"}, "x" * 200 + ":" + "x" * 200),
        ("rebalance", "options.max_overdraft_by_ccy", "1", "x" * 12),
    ],
)
def test_a_name_in_a_map_is_taken_up_to_its_bound(name: str, path: str, item: Any, longest: str) -> None:
    assert READERS[name](with_value(name, path, {longest: item}))
    for key in (longest + "x", longest + "x" * 100_000):
        assert refusal(name, with_value(name, path, {key: item})) == (
            "string_too_long",
            [*place_of(path), key[:200], "[key]"],
        )


def test_the_name_of_an_attribute_is_not_empty() -> None:
    found = refusal("rebalance", with_value("rebalance", "shelf_entries.0.attributes", {"": "x"}))

    assert found == ("string_too_short", [*place_of("shelf_entries.0.attributes"), "", "[key]"])


def with_currencies(name: str, in_cash: int, in_prices: int, in_flows: int = 0) -> bytes:
    changed = deepcopy(DOCUMENTS[name])
    changed["portfolio_snapshot"]["cash_balances"] = [
        {"currency": f"C{n}", "amount": "1"} for n in range(in_cash)
    ]
    changed["market_data_snapshot"]["prices"] = [
        {"instrument_id": "A", "price": "1", "currency": f"P{n}"} for n in range(in_prices)
    ]
    if in_flows:
        changed["proposed_cash_flows"] = [{"currency": f"F{n}", "amount": "1"} for n in range(in_flows)]
    return json.dumps(changed).encode()


def test_currencies_of_cash_and_prices_are_counted_together() -> None:
    for name in ("rebalance", "batch"):
        assert READERS[name](with_currencies(name, 100, 100))
        for many in (101, 1_000):
            assert refusal(name, with_currencies(name, 100, many)) == ("value_error", ["body"])
    assert READERS["proposal"](with_currencies("proposal", 100, 90, 10))
    assert refusal("proposal", with_currencies("proposal", 100, 90, 11)) == ("value_error", ["body"])


def with_lots(*held: int) -> bytes:
    lot = '{"lot_id":"L","quantity":"0","unit_cost":{"amount":"1","currency":"S"},"purchase_date":""}'
    rows = ['{"instrument_id":"A","quantity":"0","lots":[' + ",".join([lot] * lots) + "]}" for lots in held]
    body = json.dumps(DOCUMENTS["rebalance"] | {"portfolio_snapshot": "@"})
    snapshot = '{"portfolio_id":"pf","base_currency":"SGD","positions":[' + ",".join(rows) + "]}"
    return body.replace('"@"', snapshot).encode()


@pytest.mark.slow
def test_lots_are_counted_over_all_positions() -> None:
    snapshot = bodies.decode_rebalance(with_lots(100_000, 100_000)).portfolio_snapshot
    first, second = snapshot.positions
    longer = msgspec.structs.replace(second, lots=(*second.lots, second.lots[0]))

    assert holds(snapshot, DEFAULT_BOUNDS)
    assert not holds(msgspec.structs.replace(snapshot, positions=(first, longer)), DEFAULT_BOUNDS)


@pytest.fixture
def fewer_lots() -> Iterator[int]:
    """How many lots a book may have meanwhile: so few that refusing one more takes no time."""
    (bound,) = PortfolioSnapshot.TOTALS
    most = bound.most
    # It is frozen, and known by more than one reader of bodies.
    object.__setattr__(bound, "most", 3)
    try:
        yield 3
    finally:
        object.__setattr__(bound, "most", most)


def test_a_book_of_too_many_lots_is_refused_by_their_number(fewer_lots: int) -> None:
    assert bodies.decode_rebalance(with_lots(1, fewer_lots - 1))
    with pytest.raises(RequestInvalid) as refused:
        bodies.decode_rebalance(with_lots(1, fewer_lots))
    (entry,) = refused.value.entries
    assert entry["loc"] == ["body", "portfolio_snapshot"]
    assert entry["msg"] == f"Value error, at most {fewer_lots} lots in all"


@pytest.mark.parametrize("name", ["transition", "approval", "batch"])
def test_a_free_object_is_taken_up_to_its_bounds(name: str) -> None:
    path = {"transition": "reason", "approval": "details", "batch": "scenarios.base.options"}[name]
    for value in ({"k": ["x"] * 1_999}, {"k": "x" * 199_999}, {"k": [[None] * 1_000, {"l": [0] * 996}]}):
        assert READERS[name](with_value(name, path, value))
    for value in (
        {"k": ["x"] * 2_000},
        {"k": "x" * 200_000},
        {"k" * 200_001: 1},
        {str(n): None for n in range(2_001)},
        {"k": [[None] * 1_000, {"l": [0] * 999}]},
    ):
        assert refusal(name, with_value(name, path, value)) == ("value_error", place_of(path))


def test_a_list_that_is_far_too_long_is_refused_before_any_item_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unasked(*_: Any, **__: Any) -> Any:
        raise AssertionError("an item was looked at")

    monkeypatch.setattr(ExactNumber, "_deserialize", unasked)
    wrong = dict.fromkeys(("portfolio_snapshot", "market_data_snapshot", "model_portfolio", "scenarios"), 1)
    body = json.dumps(wrong | {"shelf_entries": "@"})
    body = body.replace('"@"', "[" + "0," * 1_000_000 + "0]")

    with pytest.raises(RequestInvalid) as refused:
        bodies.decode_batch(body.encode())

    assert ("too_long", ["body", "shelf_entries"]) in [
        (entry["type"], entry["loc"]) for entry in refused.value.entries
    ]


def test_what_was_stored_is_read_without_bounds() -> None:
    kept = with_value("rebalance", "portfolio_snapshot.portfolio_id", "x" * 20_000)
    empty = with_value("rebalance", "portfolio_snapshot.portfolio_id", "")

    for body in (kept, empty):
        assert LENIENT_READERS.rebalance(body) == bodies.decode_rebalance(body, bounds=None)
        with pytest.raises(RequestInvalid):
            bodies.decode_rebalance(body)
    # As does a reader that has to go the long way.
    assert LENIENT_READERS.rebalance(kept[:-1] + b',"\\u0000":1}') == LENIENT_READERS.rebalance(kept)


def test_longer_ids_are_let_in_by_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPM_ID_LENGTH_MAX", "600")
    settings = read()
    readers, proposals = readers_of(settings), proposal_readers_of(settings)

    body = with_value("rebalance", "portfolio_snapshot.portfolio_id", WIDE * 600)
    assert pickle.loads(pickle.dumps(readers)).rebalance(body) == readers.rebalance(body)
    with pytest.raises(RequestInvalid) as refused:
        readers.rebalance(with_value("rebalance", "portfolio_snapshot.portfolio_id", "x" * 601))
    assert refused.value.entries[0]["ctx"] == {"max_length": 600}
    assert proposals.approval(with_value("approval", "actor_id", "x" * 600))
    # What is no id keeps its bound.
    with pytest.raises(RequestInvalid):
        readers.rebalance(with_value("rebalance", "shelf_entries.0.asset_class", "x" * 201))
    with pytest.raises(RequestInvalid):
        proposals.create(with_value("creation", "metadata.title", "x" * 501))


@pytest.mark.parametrize("text", ["601", "199", "0", "many"])
def test_the_setting_has_bounds_of_its_own(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DPM_ID_LENGTH_MAX", text)

    with pytest.raises(SettingsInvalid, match="DPM_ID_LENGTH_MAX"):
        read()


async def test_longer_ids_are_found_again(start: Start, demo: dict[str, Any]) -> None:
    client = await start(serving=replace(read().serving, id_length_max=600))
    demo["portfolio_snapshot"]["portfolio_id"] = "p" * 600
    answer = await client.post("/rebalance/simulate", json=demo, headers={"Idempotency-Key": "k"})
    assert answer.status == 200

    found = await (await client.get("/rebalance/runs", params={"portfolio_id": "p" * 600})).json()
    assert [item["portfolio_id"] for item in found["items"]] == ["p" * 600]
    refused = await client.get("/rebalance/runs", params={"portfolio_id": "p" * 601})
    assert refused.status == 422


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/rebalance/runs/" + "x" * 201, ["path", "rebalance_run_id"]),
        ("/rebalance/runs/by-correlation/" + "x" * 266, ["path", "correlation_id"]),
        ("/rebalance/runs/idempotency/" + "x" * 256, ["path", "idempotency_key"]),
        ("/rebalance/lineage/" + "x" * 266, ["path", "entity_id"]),
        ("/rebalance/proposals/" + "x" * 201, ["path", "proposal_id"]),
        ("/rebalance/operations/" + "x" * 201, ["path", "operation_id"]),
        ("/rebalance/runs?portfolio_id=" + "x" * 201, ["query", "portfolio_id"]),
        ("/rebalance/runs?cursor=" + "x" * 1001, ["query", "cursor"]),
        ("/rebalance/runs?status=" + "x" * 201, ["query", "status"]),
        ("/rebalance/operations?correlation_id=" + "x" * 266, ["query", "correlation_id"]),
        ("/rebalance/proposals?created_by=" + "x" * 201, ["query", "created_by"]),
        ("/rebalance/workflow/decisions?actor_id=" + "x" * 201, ["query", "actor_id"]),
    ],
)
async def test_what_is_looked_up_is_held_to_the_bounds(start: Start, path: str, place: list[str]) -> None:
    client = await start(lineage_apis_enabled=True, workflow_enabled=True)

    refused, taken = await client.get(path), await client.get(path[:-1])

    problem = await refused.json()
    assert (refused.status, problem["code"]) == (422, "REQUEST_VALIDATION_FAILED")
    (entry,) = problem["detail"]
    assert (entry["type"], entry["loc"]) == ("string_too_long", place)
    assert entry["input"] == "x" * 200
    assert taken.status in (200, 404)


@pytest.mark.parametrize(
    ("header", "most"),
    [
        ("X-Correlation-Id", 200),
        ("X-Policy-Pack-Id", 200),
        ("X-Tenant-Policy-Pack-Id", 200),
        ("X-Tenant-Id", 200),
    ],
)
async def test_a_header_is_held_to_its_bound_before_anything_is_stored(
    start: Start, demo: dict[str, Any], header: str, most: int
) -> None:
    client = await start()

    async def send(value: str, key: str) -> Any:
        return await client.post(
            "/rebalance/simulate", json=demo, headers={"Idempotency-Key": key, header: value}
        )

    refused = await send("x" * (most + 1), "key-1")

    (entry,) = (await refused.json())["detail"]
    assert (refused.status, entry["type"], entry["loc"]) == (422, "string_too_long", ["header", header])
    assert len(refused.headers["X-Correlation-Id"]) <= 200
    assert (await (await client.get("/rebalance/runs")).json())["items"] == []
    assert (await send("x" * most, "key-2")).status == 200


async def test_what_is_over_a_bound_is_not_stored(start: Start, demo: dict[str, Any]) -> None:
    client = await start()
    demo["portfolio_snapshot"]["portfolio_id"] = "x" * 201
    batch = {name: part for name, part in demo.items() if name != "options"} | {"scenarios": {"base": {}}}

    for path, body in (
        ("/rebalance/simulate", demo),
        ("/rebalance/analyze", batch),
        ("/rebalance/analyze/async", batch),
    ):
        refused = await client.post(path, json=body, headers={"Idempotency-Key": "k"})
        (entry,) = (await refused.json())["detail"]
        assert (refused.status, entry["loc"]) == (422, ["body", "portfolio_snapshot", "portfolio_id"])

    for path in ("/rebalance/runs", "/rebalance/operations"):
        assert (await (await client.get(path)).json())["items"] == []


async def test_a_byte_order_mark_before_a_body_is_skipped(start: Start, demo: dict[str, Any]) -> None:
    client = await start()
    body = json.dumps(demo).encode()
    headers = {"Content-Type": "application/json"}

    answers = [
        await client.post("/rebalance/simulate", data=data, headers=headers | more)
        for data, more in (
            (body, {"Idempotency-Key": "plain"}),
            (BOM + body, {"Idempotency-Key": "plain"}),
            (BOM + body, {"Idempotency-Key": "marked"}),
            (gzip.compress(BOM + body), {"Idempotency-Key": "zipped", "Content-Encoding": "gzip"}),
        )
    ]

    assert [answer.status for answer in answers] == [200] * 4
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    hashes = [(await answer.json())["lineage"]["request_hash"] for answer in answers]
    assert len(set(hashes)) == 1


@pytest.mark.parametrize("body", [BOM, BOM + b"null"])
def test_a_byte_order_mark_alone_is_no_body(body: bytes) -> None:
    with pytest.raises(RequestInvalid) as refused:
        bodies.decode_rebalance(body)

    assert refused.value.entries[0]["type"] == "missing"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "latin-1"])
def test_no_other_encoding_is_taken(encoding: str) -> None:
    body = with_value("rebalance", "portfolio_snapshot.portfolio_id", "é").decode().replace("\\u00e9", "é")

    with pytest.raises(RequestInvalid) as refused:
        bodies.decode_rebalance(body.encode(encoding))

    assert refused.value.entries[0]["type"] == "json_invalid"


def test_bounds_change_no_hash() -> None:
    body = json.dumps(DOCUMENTS["rebalance"]).encode()

    assert canonical_json(bodies.decode_rebalance(body)) == canonical_json(
        bodies.decode_rebalance(body, bounds=None)
    )


def unbounded_in(schema: Any, place: str) -> list[str]:
    """The places of a published schema that say nothing of how much may be sent."""
    found = []
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    said = schema.keys()
    if "string" in kinds and not said & {"maxLength", "enum", "const", "pattern"}:
        found.append(place)
    if "array" in kinds and "maxItems" not in said:
        found.append(place)
    if "object" in kinds and "properties" not in said and "maxProperties" not in said:
        found.append(place)
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            found += unbounded_in(schema[part], f"{place}.{part}")
    for name, member in schema.get("properties", {}).items():
        found += unbounded_in(member, f"{place}.{name}")
    return found


def names_of(schema: Any) -> list[str]:
    start = "#/components/schemas/"
    return [part.removeprefix(start) for part in refs_in(schema) if part.startswith(start)]


def refs_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for item in value.values() for ref in refs_in(item)]
    if isinstance(value, list):
        return [ref for item in value for ref in refs_in(item)]
    return []


def test_the_document_says_every_bound() -> None:
    described = document()
    schemas = described["components"]["schemas"]
    waiting, seen, found = [], set(), []
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            waiting += names_of(operation.get("requestBody", {}))
            for parameter in operation.get("parameters", ()):
                # An instant is read to its end, and a cut short one is none.
                if not parameter["name"].endswith(("from", "to")):
                    found += unbounded_in(parameter["schema"], f"{method} {path} {parameter['name']}")
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            found += unbounded_in(schemas[name], name)
            waiting += names_of(schemas[name])

    assert len(seen) > 25
    assert found == []
    assert schemas["PortfolioSnapshot"]["properties"]["portfolio_id"]["maxLength"] == 200
    assert schemas["PortfolioSnapshot"]["properties"]["portfolio_id"]["minLength"] == 1
    assert schemas["PortfolioSnapshot"]["properties"]["positions"]["maxItems"] == 20_000
    assert schemas["ShelfEntry"]["properties"]["attributes"]["maxProperties"] == 50
    assert "at most 200000 lots in all" in schemas["PortfolioSnapshot"]["description"]


def test_every_body_has_bounds() -> None:
    structs = [operation.body for operation in OPERATIONS if operation.body is not None]

    assert len(structs) > 9
    for struct in structs:
        assert schema_of(struct).bounds == DEFAULT_BOUNDS == Bounds()
    assert partial(bodies.decode_rebalance, bounds=Bounds()).keywords
