"""Every number that is answered is a number that is taken (ruling 2), and no other is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Context, Decimal, localcontext
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from scripts.harness.sample_requests import a_document
from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.rebalances.requests import RebalanceRequest
from service.domains.values.canonical import canonical_json
from service.domains.values.money import decode_hook, exact_of, is_exact
from service.engines.advisory import v1 as advisory
from service.engines.advisory.artifacts.artifact import CanonicalTexts, build_artifact
from service.engines.dpm import batch
from service.engines.dpm.v1 import simulate
from service.engines.limits import answer_bounds
from service.engines.limits.answer_bounds import LARGEST, TOO_LARGE, bounded_number
from tests.integration.contract.builders import AT
from tests.unit.engines import advisory_requests
from tests.unit.engines.test_properties import ANY_REQUEST, IDENTITY, SOUND_REQUEST, books_are_large

WIDE = Context(prec=900)
READ = msgspec.json.Decoder(RebalanceRequest, dec_hook=decode_hook, float_hook=Decimal)
PROPOSAL_IDENTITY = advisory.ProposalIdentity("pr_1", "corr_1", "sha256:0", None)


def numbers_in(value: Any) -> Iterator[Decimal]:
    """Every decimal inside a value, whatever it is made of."""
    if isinstance(value, Decimal):
        yield value
    elif isinstance(value, msgspec.Struct):
        yield from numbers_in(msgspec.structs.asdict(value))
    elif isinstance(value, dict):
        yield from numbers_in(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from numbers_in(item)


def refused_in(value: Any) -> list[Decimal]:
    return [number for number in numbers_in(value) if not is_exact(number)]


@pytest.mark.parametrize(
    ("number", "answered"),
    [
        ("1.50", "1.50"),
        ("1.694915254237288135593220339E-27", "1.694915254237288135593220339E-27"),
        ("1.23456E-39", "1.23456E-39"),
        ("1.5E-40", "2E-40"),
        ("-2.5E-40", "-2E-40"),
        ("1E-60", "0E-40"),
        ("1E+18", "1E+18"),
        ("1E+19", "9999999999999999999.999999999"),
        ("-3E+30", "-2.999999999999999999999999999E+30"),
        ("1.234E+45", "1.233999999999999999999999999E+45"),
        ("9.999999999999999999999999999E+45", "9.999999999999999999999999999E+45"),
        ("1E+46", "9.999999999999999999999999999E+45"),
        ("-7E+200", "-9.999999999999999999999999999E+45"),
        ("0E-90", "0E-90"),
        ("0E+90", "0E+90"),
        ("1" * 39 + ".0001", "1.111111111111111111111111111E+38"),
    ],
)
def test_a_number_out_of_bounds_is_answered_as_its_nearest_neighbour(number: str, answered: str) -> None:
    found = bounded_number(Decimal(number))

    assert found == Decimal(answered)
    assert is_exact(found)
    if found == Decimal(number):
        assert str(found) == str(Decimal(number))


@given(st.decimals(allow_nan=False, allow_infinity=False) | st.integers(-(10**60), 10**60).map(Decimal))
@example(LARGEST)
@example(TOO_LARGE)
def test_a_neighbour_is_as_near_as_the_arithmetic_is_exact(number: Decimal) -> None:
    found = bounded_number(number)

    assert is_exact(found)
    if abs(number) < TOO_LARGE:
        with localcontext(WIDE):
            assert abs(found - number) <= max(Decimal("5E-41"), abs(number) * Decimal("1E-27"))


@books_are_large
@given(ANY_REQUEST)
def test_every_number_of_a_rebalance_is_taken(request: RebalanceRequest) -> None:
    result = simulate(request, IDENTITY)

    assert refused_in(result) == []
    assert refused_in(batch.metric_of(result, "SGD")) == []


@books_are_large
@given(advisory_requests.ANY_REQUEST)
def test_every_number_of_a_proposal_and_its_artifact_is_taken(request: ProposalSimulateRequest) -> None:
    result = advisory.simulate(request, PROPOSAL_IDENTITY)
    texts = CanonicalTexts(canonical_json(request), canonical_json(result))
    artifact = build_artifact(request, result, msgspec.json.encode(result), texts, AT)

    assert refused_in(result) == []
    document = json.loads(artifact.body)
    for part in ("portfolio_impact", "trades_and_funding"):
        for text in texts_of(document[part]):
            if text.lstrip("-")[:1].isdigit():
                assert is_exact(Decimal(text)), text


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if not name.endswith(("_id", "key")):
                yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)
    elif isinstance(value, str):
        yield value


@books_are_large
@given(SOUND_REQUEST)
def test_what_a_rebalance_leaves_is_taken_as_the_next_book(request: RebalanceRequest) -> None:
    result = simulate(request, IDENTITY)
    after = json.loads(msgspec.json.encode(result.after_simulated))
    document = json.loads(msgspec.json.encode(request))
    document["portfolio_snapshot"]["cash_balances"] = after["cash_balances"]
    document["portfolio_snapshot"]["positions"] = [
        {name: row[name] for name in ("instrument_id", "quantity")} for row in after["positions"]
    ]

    again = READ.decode(json.dumps(document).encode())

    assert simulate(again, IDENTITY).before.total_value.amount == result.after_simulated.total_value.amount


@given(SOUND_REQUEST)
def test_an_ordinary_book_is_computed_once(request: RebalanceRequest) -> None:
    computed = 0

    def count(gaps: Any) -> Any:
        nonlocal computed
        computed += 1
        return simulate(request, IDENTITY)

    answer_bounds.within_bounds(count, tuple)

    assert computed == 1


def a_book(**changes: Any) -> RebalanceRequest:
    document = a_document(positions=1)
    document["portfolio_snapshot"] |= {
        "base_currency": "SGD",
        "positions": [{"instrument_id": "A", "quantity": changes.get("quantity", "1")}],
        "cash_balances": changes.get("cash", []),
    }
    document["market_data_snapshot"] |= {
        "prices": [{"instrument_id": "A", "price": changes.get("price", "1"), "currency": "SGD"}],
        "fx_rates": [],
    }
    document["model_portfolio"]["targets"] = []
    document["shelf_entries"] = [{"instrument_id": "A", "status": "APPROVED"}]
    return READ.decode(json.dumps(document).encode())


def test_a_value_too_large_to_be_answered_blocks_the_run_and_names_its_instrument() -> None:
    result = simulate(a_book(quantity="9" * 38, price="1E+18"), IDENTITY)

    assert result.status == "BLOCKED"
    assert "A" in result.diagnostics.data_quality.price_missing
    assert result.before.total_value.amount == LARGEST
    assert refused_in(result) == []


def test_a_large_round_value_is_answered_one_last_place_nearer_to_zero() -> None:
    result = simulate(a_book(quantity="1E+10", price="1E+10"), IDENTITY)

    assert result.status != "BLOCKED"
    assert result.before.total_value.amount == Decimal("99999999999999999999.99999999")


def test_cash_that_adds_up_to_too_much_names_what_is_priced() -> None:
    rows = [{"currency": "SGD", "amount": "9" * 38 + "e8"} for _ in range(9)]

    result = simulate(a_book(cash=rows), IDENTITY)

    assert result.status == "BLOCKED"
    assert "A" in result.diagnostics.data_quality.price_missing
    assert refused_in(result) == []


def test_a_value_too_small_is_answered_with_forty_decimals() -> None:
    result = simulate(a_book(quantity="1E-30", price="1.5E-10"), IDENTITY)

    assert result.before.total_value.amount == Decimal("2E-40")


def test_a_share_of_one_is_taken_however_it_was_computed() -> None:
    for names in range(1, 2001):
        for text in (repr(1 / names), format(1 / names, ".17g"), str(Decimal(1) / names)):
            assert exact_of(text) == exact_of(Decimal(text)) == Decimal(text)
        for text in (repr(78 / names / 100), repr(names / 100 / 7)):
            assert exact_of(text) == Decimal(text)


@pytest.mark.parametrize("names", range(1, 61))
def test_normalised_weights_are_taken(names: int) -> None:
    drawn = Random(names)
    for _ in range(20):
        raw = [drawn.random() for _ in range(names)]
        for text in json.dumps([one / sum(raw) for one in raw]).strip("[]").split(", "):
            assert exact_of(Decimal(text)) == Decimal(text)


@given(st.floats(1e-20, 1e18, allow_nan=False), st.sampled_from([1, 100, 170, 15026]))
def test_a_number_of_any_language_is_taken(number: float, divided_by: int) -> None:
    text = repr(number / divided_by)

    assert exact_of(text) == Decimal(text)
    event("small" if number < 1e-6 else "usual")
