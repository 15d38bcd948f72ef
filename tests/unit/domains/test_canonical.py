"""Canonical text against the standard library's, and the check values of the contract."""

import hashlib
import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domains.rebalances.options import EngineOptions
from service.domains.values.canonical import (
    canonical_json,
    canonical_json_of_numbers,
    digest_of,
    without_keys,
)
from service.web.requests import bodies

CHECK_BODY = {
    "portfolio_snapshot": {
        "portfolio_id": "pf_1",
        "base_currency": "SGD",
        "positions": [],
        "cash_balances": [{"currency": "SGD", "amount": "10000.00"}],
    },
    "market_data_snapshot": {
        "prices": [{"instrument_id": "EQ_1", "price": "100.00", "currency": "SGD"}],
        "fx_rates": [],
    },
    "model_portfolio": {"targets": [{"instrument_id": "EQ_1", "weight": "1.0"}]},
    "shelf_entries": [{"instrument_id": "EQ_1", "status": "APPROVED"}],
    "options": {},
}

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8) | st.text(
    st.sampled_from('aZ~\x7f\x80\x00\x1f\n"\\/é\u2028\uffff😀\U0010ffff'), max_size=4
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


def plain(value):
    match value:
        case Decimal():
            return str(value)
        case list():
            return [plain(item) for item in value]
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case _:
            return value


def hash_of(**changes):
    document = {**CHECK_BODY, **changes}
    return digest_of(canonical_json(bodies.decode_rebalance(json.dumps(document).encode())))


@given(VALUES)
@example({"\uffff": 1, "\U00010000": 2, "a": 3, "é": 4})
@example({'"': 1, "\\": 2, "\n": 3, "\x7f": 4, "": 5})
@example("\x7f")
@example(Decimal("-0E+1"))
@example(10**4000)
def test_canonical_text_is_that_of_the_standard_library(value):
    expected = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    assert canonical_json(value) == expected.encode("ascii")


@given(VALUES)
def test_the_form_with_numbers_is_read_back_as_what_was_written(value):
    text = canonical_json_of_numbers(value)

    read = msgspec.json.Decoder(float_hook=Decimal).decode(text)

    assert text.isascii()
    assert canonical_json_of_numbers(read) == text


def test_a_struct_is_written_with_every_default_and_its_keys_sorted():
    written = json.loads(canonical_json(EngineOptions()))

    assert list(written) == sorted(written)
    assert set(written) == {info.name for info in msgspec.structs.fields(EngineOptions)}
    assert written["suitability_thresholds"]["max_weight_by_liquidity_tier"] == {"L4": "0.10", "L5": "0.05"}
    assert written["valuation_mode"] == "CALCULATED"


def test_a_digest_names_its_function():
    assert digest_of(b"{}") == "sha256:" + hashlib.sha256(b"{}").hexdigest()


def test_the_check_values_of_the_contract_hold():
    assert hash_of() == "sha256:d662dd868633f9012fecd429bf0aa3d6b2d46d3702022547f61be29b59a248ce"
    assert (
        hash_of(options={"single_position_max_weight": "0.5"})
        == "sha256:b4c4296b4ea93f92a07546dc090dd51d404330d891fb50650cfa938984961ae6"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"max_turnover_pct": None, "suppress_dust_trades": True, "unheard_of": [1]}),
        ({"fx_buffer_pct": 100}, {"fx_buffer_pct": "100"}),
        ({"settlement_horizon_days": 5}, {"settlement_horizon_days": 5.0}),
        ({"settlement_horizon_days": 4}, {"settlement_horizon_days": "4"}),
        ({"enable_tax_awareness": "yes"}, {"enable_tax_awareness": True}),
    ],
)
def test_spellings_of_one_value_hash_alike(one, other):
    assert hash_of(options=one) == hash_of(options=other)


def test_the_scale_of_a_number_is_part_of_the_hash():
    assert hash_of(options={"fx_buffer_pct": "100"}) != hash_of(options={"fx_buffer_pct": "100.00"})


def test_members_are_left_out_by_name_at_any_depth():
    value = {"a": 1, "b": [{"a": 2, "c": {"a": [3]}}, "a"], "c": {"b": None}}

    assert without_keys(value, frozenset({"a"})) == {"b": [{"c": {}}, "a"], "c": {"b": None}}
    assert without_keys(value, frozenset()) == value
