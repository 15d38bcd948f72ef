"""What only the body of a proposal can have wrong, and how it is said."""

import json
from decimal import Decimal

import pytest

from service.domains.proposals.requests import ProposalSimulateRequest, ProposedTrade
from service.errors.requests import RequestInvalid
from service.web.requests import bodies
from service.web.schemas.derive import schema_of

MIGRATION_TABLE = {
    "portfolio_snapshot": {"portfolio_id": "pf_1", "base_currency": "SGD"},
    "market_data_snapshot": {},
    "shelf_entries": [],
}
TRADE = {"side": "BUY", "instrument_id": "EQ_1"}
SGD = {"currency": "SGD"}
FLOW, WAY = ("body", "proposed_cash_flows", 0), ("body", "proposed_trades", 0)


def body_of(**more):
    return json.dumps({**MIGRATION_TABLE, **more}).encode()


def read_both_ways(body):
    """What either path says; a NUL in a member that is ignored keeps the typed decoder from reading."""
    outcomes = []
    for each in (body, body[:-1] + b', "\\u0000": 1}'):
        try:
            outcomes.append(bodies.decode_proposal(each))
        except RequestInvalid as refused:
            outcomes.append([(entry["type"], tuple(entry["loc"]), entry["msg"]) for entry in refused.entries])
    assert outcomes[0] == outcomes[1]
    return outcomes[0]


@pytest.mark.parametrize("size", [{"quantity": "0.5"}, {"quantity": 5}, {"notional": {"amount": 7, **SGD}}])
def test_a_size_is_text_or_a_whole_number(size):
    (trade,) = read_both_ways(body_of(proposed_trades=[TRADE | size])).proposed_trades

    read = trade.quantity if trade.notional is None else trade.notional.amount
    assert type(read) is Decimal


@pytest.mark.parametrize("amount", [0, "-500.00", 12, "0"])
def test_a_cash_flow_may_have_any_sign(amount):
    (flow,) = read_both_ways(body_of(proposed_cash_flows=[SGD | {"amount": amount}])).proposed_cash_flows

    assert flow.amount == Decimal(amount)


@pytest.mark.parametrize("written", [1.5, 5.0, 1e3])
def test_a_fraction_is_refused_where_it_may_have_been_rounded_before(written):
    say = "Value error, PROPOSAL_INVALID_TRADE_INPUT: {} must be a decimal string".format
    notional = {"notional": {"amount": written, **SGD}}

    assert read_both_ways(
        body_of(
            proposed_cash_flows=[SGD | {"amount": written}],
            proposed_trades=[TRADE | {"quantity": written}, TRADE | notional],
        )
    ) == [
        ("value_error", (*FLOW, "amount"), say("amount")),
        ("value_error", (*WAY, "quantity"), say("quantity")),
        ("value_error", ("body", "proposed_trades", 1, "notional"), say("notional.amount")),
    ]


@pytest.mark.parametrize(
    ("size", "fault"),
    [
        (
            {},
            (
                "value_error",
                WAY,
                "Value error, PROPOSAL_INVALID_TRADE_INPUT: quantity or notional is required",
            ),
        ),
        (
            {"quantity": 1, "notional": {"amount": 1, **SGD}},
            (
                "value_error",
                WAY,
                "Value error, PROPOSAL_INVALID_TRADE_INPUT: provide either quantity or notional, not both",
            ),
        ),
        ({"quantity": "0"}, ("greater_than", (*WAY, "quantity"), "Input should be greater than 0")),
        ({"quantity": -1}, ("greater_than", (*WAY, "quantity"), "Input should be greater than 0")),
        ({"quantity": "NaN"}, ("finite_number", (*WAY, "quantity"), "Input should be a finite number")),
        (
            {"quantity": float("nan")},
            ("finite_number", (*WAY, "quantity"), "Input should be a finite number"),
        ),
        (
            {"notional": {"amount": "0", **SGD}},
            ("value_error", (*WAY, "notional"), "Value error, notional.amount must be greater than 0"),
        ),
        (
            {"notional": {"amount": "x", **SGD}},
            ("decimal_parsing", (*WAY, "notional", "amount"), "Input should be a valid decimal"),
        ),
        (
            {"quantity": 1, "side": "buy"},
            ("literal_error", (*WAY, "side"), "Input should be 'BUY' or 'SELL'"),
        ),
        (
            {"quantity": 1, "intent_type": "CASH_FLOW"},
            ("literal_error", (*WAY, "intent_type"), "Input should be 'SECURITY_TRADE'"),
        ),
    ],
)
def test_what_is_wrong_with_a_trade_is_said_at_its_place(size, fault):
    assert read_both_ways(body_of(proposed_trades=[TRADE | size])) == [fault]


def test_what_is_left_out_is_filled_in_and_null_is_no_value_but_for_the_model():
    request = read_both_ways(body_of(reference_model=None))

    assert request.proposed_trades == request.proposed_cash_flows == ()
    assert request.options.enable_proposal_simulation is False
    assert [fault[:2] for fault in read_both_ways(body_of(options=None, proposed_trades=None))] == [
        ("model_attributes_type", ("body", "options")),
        ("list_type", ("body", "proposed_trades")),
    ]


def test_unknown_members_are_refused_only_if_they_are_to_be():
    body = body_of(proposed_trades=[TRADE | {"quantity": 1, "limit": "9"}], note="x")

    assert bodies.decode_proposal(body).proposed_trades[0].quantity == 1
    with pytest.raises(RequestInvalid) as refused:
        bodies.decode_proposal.strict(body)
    assert [(entry["type"], entry["loc"]) for entry in refused.value.entries] == [
        ("extra_forbidden", ["body", "proposed_trades", 0, "limit"]),
        ("extra_forbidden", ["body", "note"]),
    ]


def test_the_schema_describes_the_size_of_a_trade():
    fields = schema_of(ProposedTrade)._declared_fields

    assert fields["quantity"].metadata["exclusiveMinimum"] == 0
    assert fields["quantity"].allow_none and not fields["quantity"].required
    assert schema_of(ProposalSimulateRequest)._declared_fields["proposed_trades"].metadata["default"] == ()
