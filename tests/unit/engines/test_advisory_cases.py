"""Proposals small enough to work out by hand, stage by stage. Reading and notation: advisory_cases.py."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.unit.engines.advisory_cases import check


def test_nothing_proposed_leaves_everything_and_waits_for_the_client() -> None:
    result = check("""
        cash SGD 100
        ----
        status READY
        gate CLIENT_CONSENT_REQUIRED REQUEST_CLIENT_CONSENT
        trade
        warning
        cash SGD 100
        reconciled OK 0 within 0.55
    """)

    assert result.lineage.portfolio_snapshot_id == "pf_1"
    assert result.lineage.market_data_snapshot_id == "md"
    assert result.lineage.idempotency_key == "key_1"


def test_an_inverse_rate_has_the_scale_of_one_with_a_decimal_place() -> None:
    result = check("""
        cash USD 100
        rate SGD/USD 0.1
        ----
        before 1000
    """)

    # 1.0 / 0.1 is 10, which 1 / 0.1 would write as 1E+1.
    assert str(result.before.total_value.amount) == "1000"


# Cash flows


def test_a_withdrawal_that_a_later_deposit_covers_blocks_all_the_same() -> None:
    check("""
        cash SGD 500
        flow SGD -600
        flow SGD 200
        flow EUR 0
        rate EUR/SGD 1.5
        ----
        status BLOCKED
        trade oi_cf_1 SGD -600
        trade oi_cf_2 SGD 200
        trade oi_cf_3 EUR 0
        cash SGD 100
        cash EUR 0
        warning PROPOSAL_WITHDRAWAL_NEGATIVE_CASH
        fail PROPOSAL_INPUT_GUARDS 1 PROPOSAL_WITHDRAWAL_NEGATIVE_CASH
        reconciled OK -400 within 0.55
    """)


def test_a_deposit_into_an_overdrawn_account_is_blamed_too() -> None:
    check("""
        cash SGD -500
        flow SGD 100
        flow SGD 100
        ----
        warning PROPOSAL_WITHDRAWAL_NEGATIVE_CASH
        warning PROPOSAL_WITHDRAWAL_NEGATIVE_CASH
        fail INSUFFICIENT_CASH -300 CASH_BALANCE_NEGATIVE
        fail PROPOSAL_INPUT_GUARDS 2 PROPOSAL_WITHDRAWAL_NEGATIVE_CASH
    """)


def test_with_the_guard_off_only_the_state_after_counts() -> None:
    check("""
        cash SGD 500
        flow SGD -600
        flow SGD 200
        option proposal_block_negative_cash false
        option proposal_apply_cash_flows_first false
        ----
        status READY
        warning
        cash SGD 100
    """)


def test_a_flow_without_a_rate_is_missed_twice_and_counts_as_nothing() -> None:
    # In the state after and in the expected change; the state before did not have the row yet.
    check("""
        cash SGD 500
        flow EUR 10
        ----
        status BLOCKED
        cash SGD 500
        cash EUR 10
        missing rate EUR/SGD
        missing rate EUR/SGD
        fail DATA_QUALITY 1 MISSING_DATA
        reason HIGH DATA_QUALITY_MISSING_FX
        reason HIGH HARD_RULE_FAIL:DATA_QUALITY
        reconciled OK 0 within 0.75
    """)


# Trades


def test_trades_are_numbered_as_entered_and_ordered_by_side_and_instrument() -> None:
    check("""
        cash SGD 1000
        hold D 5
        price A 10 SGD
        price B 10 SGD
        price D 10 SGD
        shelf A APPROVED
        shelf B APPROVED
        shelf D SELL_ONLY
        buy B 1
        buy C 1
        buy A 2
        sell D 3
        buy A = 25 SGD
        ----
        missing shelf C
        trade oi_4 SELL 3 D for SGD 30 = 30
        trade oi_3 BUY 2 A for SGD 20 = 20
        trade oi_5 BUY 2.5 A for SGD 25 = 25
        trade oi_1 BUY 1 B for SGD 10 = 10
        held D 2 0.0190
        held A 4.5 0.0429
        held B 1 0.0095
        cash SGD 975
        fail DATA_QUALITY 1 MISSING_DATA
    """)


def test_the_shelf_refuses_purchases_but_never_sales() -> None:
    check("""
        cash SGD 1000
        hold A 9
        price A 10 SGD
        shelf A BANNED
        shelf B SUSPENDED
        shelf C SELL_ONLY
        shelf D RESTRICTED
        buy A 1
        buy B 1
        buy C 1
        buy D 1
        sell A 9
        ----
        status BLOCKED
        trade oi_5 SELL 9 A for SGD 90 = 90
        warning PROPOSAL_TRADE_NOT_SUPPORTED_BY_SHELF
        warning PROPOSAL_TRADE_NOT_SUPPORTED_BY_SHELF
        warning PROPOSAL_TRADE_NOT_SUPPORTED_BY_SHELF
        warning PROPOSAL_TRADE_NOT_SUPPORTED_BY_SHELF
        fail PROPOSAL_INPUT_GUARDS 4 PROPOSAL_TRADE_NOT_SUPPORTED_BY_SHELF
        missing
    """)


def test_a_restricted_product_may_be_bought_when_that_is_allowed() -> None:
    check("""
        cash SGD 1000
        price D 10 SGD
        shelf D RESTRICTED
        option allow_restricted true
        buy D 1
        ----
        status READY
        trade oi_1 BUY 1 D for SGD 10 = 10
    """)


def test_the_last_shelf_row_decides_trades_and_the_first_one_classes() -> None:
    result = check("""
        cash SGD 1000
        price A 10 SGD
        shelf A BANNED class=BOND
        shelf A APPROVED class=EQUITY
        buy A 1
        ----
        status READY
    """)

    assert [row.key for row in result.after_simulated.allocation_by_asset_class] == ["BOND", "CASH"]


def test_a_trade_without_a_price_vanishes_with_an_entry_only() -> None:
    check("""
        cash SGD 1000
        shelf A APPROVED
        option block_on_missing_prices false
        buy A 1
        ----
        status READY
        gate CLIENT_CONSENT_REQUIRED REQUEST_CLIENT_CONSENT
        reason HIGH DATA_QUALITY_MISSING_PRICE
        warning
        trade
        missing price A
    """)


def test_an_amount_must_be_in_the_currency_of_the_price() -> None:
    check("""
        cash SGD 1000
        price A 10 USD
        rate USD/SGD 1.3
        shelf A APPROVED
        buy A = 100 SGD
        ----
        status BLOCKED
        warning PROPOSAL_INVALID_TRADE_INPUT
        fail PROPOSAL_INPUT_GUARDS 1 PROPOSAL_INVALID_TRADE_INPUT
        trade
    """)


@pytest.mark.parametrize("price", ["0", "-5"])
def test_nothing_is_traded_at_a_price_that_is_not_positive(price: str) -> None:
    book = f"""
        cash SGD 1000
        price A {price} SGD
        shelf A APPROVED
        buy A = 100 SGD
        buy A 7
        sell A 1
    """
    check(f"""{book}
        ----
        status BLOCKED
        missing price A
        missing price A
        missing price A
        fail DATA_QUALITY 3 MISSING_DATA
        trade
    """)
    check(f"""{book}
        option block_on_missing_prices false
        ----
        status READY
        missing price A
        missing price A
        missing price A
        trade
    """)


def test_a_line_that_was_written_off_is_worth_nothing_and_is_not_sold() -> None:
    book = """
        cash SGD 1000
        hold GONE 300
        price GONE 0 SGD
        shelf GONE SUSPENDED
    """
    check(f"""{book}
        ----
        status READY
        missing
    """)
    check(f"""{book}
        sell GONE 300
        ----
        status BLOCKED
        missing price GONE
        trade
    """)


@pytest.mark.parametrize("rate", ["0", "-1.3"])
def test_nothing_is_paid_at_a_rate_that_is_not_positive(rate: str) -> None:
    check(f"""
        cash SGD 1000
        price A 10 USD
        rate USD/SGD {rate}
        shelf A APPROVED
        flow USD 5
        buy A 7
        ----
        status BLOCKED
        missing rate USD/SGD
        missing rate USD/SGD
        missing rate USD/SGD
        fail DATA_QUALITY 2 MISSING_DATA
        fail PROPOSAL_INPUT_GUARDS 1 PROPOSAL_MISSING_FX_FOR_FUNDING
    """)


def test_selling_more_than_is_held_shows_below_zero() -> None:
    check("""
        cash SGD 0
        hold A 1
        price A 10 SGD
        price B 10 SGD
        shelf A APPROVED
        shelf B APPROVED
        sell A 3
        sell B 1
        ----
        status BLOCKED
        held A -2 -2.0000
        held B -1 -1.0000
        fail CASH_BAND 4 THRESHOLD_BREACH
        fail NO_SHORTING -2 SELL_EXCEEDS_HOLDINGS
    """)


# Funding


def test_a_purchase_abroad_is_funded_from_base_and_waits_for_it() -> None:
    check("""
        cash SGD 1000
        cash USD 30
        price A 10 USD
        rate USD/SGD 1.3482
        shelf A APPROVED
        buy A 10
        ----
        status READY
        plan USD 100.00 30.00 70.00 USD/SGD
        trade oi_fx_1 USD 70 for SGD 94.37
        trade oi_1 BUY 10 A for USD 100 = 134.82 after oi_fx_1
        cash SGD 905.63
        cash USD 0
    """)


def test_yen_have_no_cents_and_dinars_have_three_decimals() -> None:
    check("""
        cash SGD 10000
        price A 1000.5 JPY
        price B 10.0005 KWD
        rate JPY/SGD 0.0087
        rate KWD/SGD 4.4
        shelf A APPROVED
        shelf B APPROVED
        buy A 1
        buy B 1
        ----
        plan JPY 1000 0 1000 JPY/SGD
        plan KWD 10.000 0.000 10.000 KWD/SGD
        cash SGD 9947.3
        cash JPY -0.5
        cash KWD -0.0005
        status BLOCKED
    """)


def test_exchanges_are_numbered_as_made_and_shown_by_pair() -> None:
    check("""
        base USD
        cash CHF 1000
        cash USD 0
        price A 1 EUR
        price B 1 USD
        rate EUR/CHF 1
        rate USD/CHF 0.9
        rate EUR/USD 1.1
        shelf A APPROVED
        shelf B APPROVED
        buy B 100
        buy A 100
        ----
        trade oi_fx_1 EUR 100 for CHF 100
        trade oi_fx_2 USD 100 for CHF 90
        trade oi_2 BUY 100 A for EUR 100 = 110 after oi_fx_1
        trade oi_1 BUY 100 B for USD 100 = 100 after oi_fx_2
    """)


def test_base_only_funds_from_base_and_never_base_itself() -> None:
    check("""
        cash SGD 10
        cash EUR 1000
        price A 1 SGD
        price B 1 USD
        rate USD/SGD 1.3
        rate USD/EUR 0.9
        rate EUR/SGD 1.5
        shelf A APPROVED
        shelf B APPROVED
        option fx_funding_source_currency "BASE_ONLY"
        buy A 100
        buy B 100
        ----
        status BLOCKED
        plan SGD 100.00 10.00 90.00 -
        plan USD 100.00 0.00 100.00 -
        lacking SGD 120.00
        fail PROPOSAL_INPUT_GUARDS 2 PROPOSAL_INSUFFICIENT_FUNDING_CASH
        warning PROPOSAL_BUY_SKIPPED_UNFUNDED
        trade
    """)


def test_the_smallest_bare_deficit_is_reported_when_no_single_source_is_enough() -> None:
    check("""
        cash SGD 50
        cash EUR 60
        price A 1 USD
        rate USD/SGD 1.3
        rate USD/EUR 0.9
        rate EUR/SGD 1.5
        shelf A APPROVED
        buy A 100
        ----
        lacking EUR 30.00
        cash SGD 50
        cash EUR 60
        cash USD 0
    """)


def test_a_missing_pair_explains_every_later_shortage_and_blocks() -> None:
    check("""
        cash SGD 1
        price A 1 EUR
        price B 1 USD
        rate USD/SGD 1.3
        shelf A APPROVED
        shelf B APPROVED
        buy A 1
        buy B 100
        ----
        status BLOCKED
        pair EUR/SGD
        pair USD/EUR
        missing rate EUR/SGD
        missing rate USD/EUR
        missing rate EUR/SGD
        lacking
        warning PROPOSAL_BUY_SKIPPED_UNFUNDED
        fail DATA_QUALITY 3 MISSING_DATA
        fail PROPOSAL_INPUT_GUARDS 2 PROPOSAL_MISSING_FX_FOR_FUNDING
    """)


def test_with_missing_rates_let_pass_funding_asks_for_a_review() -> None:
    check("""
        cash SGD 1000
        price A 1 EUR
        shelf A APPROVED
        option block_on_missing_fx false
        buy A 1
        buy A 2
        ----
        status PENDING_REVIEW
        gate RISK_REVIEW_REQUIRED RISK_REVIEW
        warning PROPOSAL_MISSING_FX_NON_BLOCKING
        warning PROPOSAL_BUY_SKIPPED_UNFUNDED
        fail PROPOSAL_FUNDING_DQ 1 MISSING_FX_FOR_FUNDING
        trade
    """)


def test_nothing_is_reserved_so_what_one_target_bought_may_fund_the_next() -> None:
    check("""
        base USD
        cash USD 1000
        price A 100 EUR
        price B 1000 USD
        rate EUR/USD 1.1
        shelf A APPROVED
        shelf B APPROVED
        buy A 1
        buy B 1
        ----
        status BLOCKED
        plan EUR 100.00 0.00 100.00 EUR/USD
        plan USD 1000.00 890.00 110.00 USD/EUR
        cash USD 0
        cash EUR -100
        fail CASH_BAND -0.11 THRESHOLD_BREACH
        fail INSUFFICIENT_CASH -100 CASH_BALANCE_NEGATIVE
    """)


def test_without_automatic_funding_everything_is_bought_paid_for_or_not() -> None:
    check("""
        cash SGD 1000
        price A 1 USD
        rate USD/SGD 1.3
        shelf A APPROVED
        option auto_funding false
        buy A 10
        ----
        plan
        trade oi_1 BUY 10 A for USD 10 = 13
        cash SGD 1000
        cash USD -10
        fail INSUFFICIENT_CASH -10 CASH_BALANCE_NEGATIVE
    """)


def test_a_purchase_may_also_wait_for_the_last_sale_in_its_currency() -> None:
    check("""
        cash SGD 1000
        hold B 5
        hold C 5
        price A 10 USD
        price B 1 USD
        price C 1 USD
        rate USD/SGD 1.3
        shelf A APPROVED
        shelf B APPROVED
        shelf C APPROVED
        option link_buy_to_same_currency_sell_dependency true
        sell C 5
        sell B 5
        buy A 2
        ----
        trade oi_2 SELL 5 B for USD 5 = 6.5
        trade oi_1 SELL 5 C for USD 5 = 6.5
        trade oi_fx_1 USD 10 for SGD 13
        trade oi_3 BUY 2 A for USD 20 = 26 after oi_fx_1 after oi_1
    """)


def test_an_amount_too_large_for_minor_units_blocks_and_names_the_purchase() -> None:
    # 28 digits are held, and the cents need two more.
    check("""
        cash SGD 1000
        price A 1 SGD
        price B 1 USD
        rate USD/SGD 1.3
        shelf A APPROVED
        shelf B APPROVED
        option block_on_missing_prices false
        buy A 1234567890123456789012345678
        buy B 1
        ----
        status BLOCKED
        missing price A
        plan SGD 1234567890123456789012345678.00 1000.00 1234567890123456789012344678.00 -
        plan USD 1.00 0.00 1.00 USD/SGD
        warning PROPOSAL_BUY_SKIPPED_UNFUNDED
        trade oi_fx_1 USD 1 for SGD 1.3
        trade oi_2 BUY 1 B for USD 1 = 1.3 after oi_fx_1
        fail DATA_QUALITY 1 MISSING_DATA
    """)


def test_a_weight_that_cannot_be_written_blocks_and_names_the_holding() -> None:
    check("""
        cash SGD 1
        hold A 100000000000000000000000000.1
        hold B -100000000000000000000000000.1
        price A 1 SGD
        price B 1 SGD
        flow SGD 1
        option block_on_missing_prices false
        ----
        status BLOCKED
        missing price A
        missing price B
        missing price A
        missing price B
        fail DATA_QUALITY 4 MISSING_DATA
        fail NO_SHORTING -100000000000000000000000000.1 SELL_EXCEEDS_HOLDINGS
    """)
    check("""
        cash SGD 1
        hold A 999999999999999999999999
        hold B -999999999999999999999999
        price A 1 SGD
        price B 1 SGD
        ----
        fail NO_SHORTING -999999999999999999999999 SELL_EXCEEDS_HOLDINGS
        missing
    """)


def test_if_only_a_sum_of_weights_cannot_be_written_it_is_named() -> None:
    check("""
        cash SGD 1
        hold A 600000000000000000000001
        hold B 600000000000000000000001
        hold C -1200000000000000000000002
        price A 1 SGD
        price B 1 SGD
        price C 0.5 SGD
        hold D -600000000000000000000001
        price D 1 SGD
        shelf A APPROVED class=EQUITY
        shelf B APPROVED class=EQUITY
        ----
        status BLOCKED
        missing price EQUITY
        missing price UNKNOWN
        missing price EQUITY
        missing price UNKNOWN
    """)


# Status, reconciliation, gate


def test_trusted_values_off_the_market_do_not_reconcile() -> None:
    check("""
        cash SGD 0
        hold A 100 = 1200 SGD
        price A 10 SGD
        shelf A APPROVED
        option valuation_mode "TRUST_SNAPSHOT"
        ----
        status BLOCKED
        before 1200
        reconciled MISMATCH -200 within 1.1
        fail RECONCILIATION 200 VALUE_MISMATCH
        reason HIGH HARD_RULE_FAIL:RECONCILIATION
        gate BLOCKED FIX_INPUT
    """)


def test_the_tolerance_is_a_share_of_what_is_expected_whatever_its_sign() -> None:
    check("""
        cash SGD 100
        flow SGD -1100
        option proposal_block_negative_cash false
        ----
        reconciled OK -1100 within 1
    """)


def test_consent_that_was_given_leads_to_execution() -> None:
    check("""
        cash SGD 100
        option client_consent_already_obtained true
        ----
        gate EXECUTION_READY EXECUTE
    """)


def test_a_soft_rule_asks_for_risk_review_and_no_gate_is_decided_when_gates_are_off() -> None:
    soft = """
        cash SGD 100
        option cash_band_max_weight "0.5"
        {}
        ----
        status PENDING_REVIEW
        fail CASH_BAND 1 THRESHOLD_BREACH
        {}
    """
    check(soft.format("", "gate RISK_REVIEW_REQUIRED RISK_REVIEW"))
    check(soft.format("option enable_workflow_gates false", "gate"))


# Drift


def test_drift_is_measured_by_class_and_by_instrument() -> None:
    check("""
        cash SGD 300
        hold A 70
        price A 10 SGD
        price B 10 SGD
        shelf A APPROVED class=EQUITY
        shelf B APPROVED class=BOND
        model SGD
        wanted EQUITY 0.5
        wanted EQUITY 0.6
        wanted BOND 0.2
        wanted CASH 0.2
        wanted-instrument A 0.6
        buy B 20
        ----
        drift class 0.2 0.1 -0.1
        drift instrument 0.05 0.15 0.1
        bucket BOND 0.2 -0.2 0 0.2
        bucket CASH 0.2 0.1 -0.1 0
        bucket EQUITY 0.6 0.1 0.1 0
        bucket A 0.6 0.1 0.1 0
        bucket B 0 0 0.2 -0.2
        top BOND 0.2
        top CASH 0.1
        top EQUITY 0.1
        top A 0.1
        top B 0
        better
        worse B -0.2
        unmodeled B 0.2
    """)


def test_without_instruments_in_the_model_highlights_are_about_classes() -> None:
    check("""
        cash SGD 300
        hold A 70
        price A 10 SGD
        shelf A APPROVED class=EQUITY
        model SGD
        wanted EQUITY 0.6
        option drift_top_contributors_limit 1
        sell A 10
        ----
        drift class 0.2 0.2 0
        better EQUITY 0.1
        worse CASH -0.1
        unmodeled CASH 0.4
        top CASH 0.3
    """)


def test_a_model_in_another_currency_is_not_compared() -> None:
    check("""
        cash SGD 300
        model USD
        wanted CASH 1
        ----
        warning REFERENCE_MODEL_BASE_CURRENCY_MISMATCH
        drift
    """)


# Suitability


def test_a_cap_newly_broken_asks_for_the_review_of_its_severity() -> None:
    book = """
        cash SGD 1000
        price A 1 SGD
        shelf A APPROVED issuer=I tier=L1
        limit single_position_max_weight "0.10"
        limit issuer_max_weight "1"
        limit cash_band_max_weight "1"
        buy A {}
        ----
        gate {}
        recommended {}
        issue NEW {} SUIT_SINGLE_POSITION_MAX SINGLE_POSITION_MAX|A
    """
    check(book.format(125, "RISK_REVIEW_REQUIRED RISK_REVIEW", "RISK_REVIEW", "MEDIUM"))
    check(book.format(126, "COMPLIANCE_REVIEW_REQUIRED COMPLIANCE_REVIEW", "COMPLIANCE_REVIEW", "HIGH"))


def test_what_was_there_before_persists_or_is_resolved() -> None:
    result = check("""
        cash SGD 100
        hold A 100
        hold B 200
        hold C 100
        price A 1 SGD
        price B 1 SGD
        price C 1 SGD
        shelf A APPROVED issuer=I tier=L5
        shelf B BANNED issuer=I tier=L4
        shelf C APPROVED
        limit single_position_max_weight "0.35"
        limit issuer_max_weight "0.5"
        limit cash_band_max_weight "0.5"
        limit max_weight_by_liquidity_tier {"L5": "0.10"}
        sell B 200
        ----
        status READY
        recommended RISK_REVIEW
        issue NEW MEDIUM SUIT_CASH_BAND CASH_BAND
        issue PERSISTENT HIGH SUIT_LIQUIDITY_MAX LIQUIDITY_MAX|L5
        issue PERSISTENT MEDIUM SUIT_DATA_QUALITY DQ|MISSING_ISSUER|C
        issue PERSISTENT MEDIUM SUIT_DATA_QUALITY DQ|MISSING_LIQUIDITY_TIER|C
        issue RESOLVED HIGH SUIT_GOVERNANCE_BANNED GOVERNANCE|B|BANNED
        issue RESOLVED MEDIUM SUIT_SINGLE_POSITION_MAX SINGLE_POSITION_MAX|B
        issue RESOLVED MEDIUM SUIT_ISSUER_MAX ISSUER_MAX|I
    """)

    assert result.suitability is not None
    summary = result.suitability.summary
    assert (summary.new_count, summary.persistent_count, summary.resolved_count) == (1, 3, 3)
    assert summary.highest_severity_new == "MEDIUM"


def test_a_purchase_that_was_refused_is_an_attempt_all_the_same() -> None:
    result = check("""
        cash SGD 1000
        price A 1 SGD
        price B 1 SGD
        shelf A SELL_ONLY issuer=I tier=L1
        shelf B RESTRICTED issuer=J tier=L1
        limit cash_band_max_weight "1"
        buy A 10
        buy B 10
        ----
        issue NEW HIGH SUIT_GOVERNANCE_SELL_ONLY_INCREASE GOVERNANCE|A|SELL_ONLY
        issue NEW HIGH SUIT_GOVERNANCE_RESTRICTED_INCREASE GOVERNANCE|B|RESTRICTED
        trade
    """)

    assert result.suitability is not None
    assert result.suitability.issues[1].details == {
        "instrument_id": "B",
        "shelf_status": "RESTRICTED",
        "allow_restricted": "false",
        "measured_before": "0",
        "measured_after": "0",
    }


@pytest.mark.parametrize(
    ("status", "allowed", "severity", "text"),
    [
        ("RESTRICTED", "true", "MEDIUM", "RESTRICTED instrument A increased under allow_restricted"),
        ("RESTRICTED", "false", "HIGH", "RESTRICTED instrument A increased in proposed state"),
        ("SELL_ONLY", "true", "HIGH", "SELL_ONLY instrument A increased in proposed state."),
    ],
)
def test_a_weight_that_rises_without_a_trade_is_an_increase_too(
    status: str, allowed: str, severity: str, text: str
) -> None:
    result = check(f"""
        cash SGD 500
        hold A 500
        price A 1 SGD
        shelf A {status} issuer=I tier=L1
        limit single_position_max_weight "1"
        limit issuer_max_weight "1"
        limit cash_band_max_weight "1"
        option allow_restricted {allowed}
        flow SGD -250
        ----
        issue NEW {severity} SUIT_GOVERNANCE_{status}_INCREASE GOVERNANCE|A|{status}
    """)

    assert result.suitability is not None
    assert [issue.summary for issue in result.suitability.issues] == [text]


def test_the_last_shelf_row_and_the_last_row_with_a_weight_are_scanned() -> None:
    result = check("""
        cash SGD 0
        hold A 100
        price A 1 SGD
        shelf A BANNED
        shelf A APPROVED issuer=I tier=L1
        limit single_position_max_weight "0.8"
        limit issuer_max_weight "1"
        limit cash_band_min_weight "0"
        ----
        issue PERSISTENT MEDIUM SUIT_SINGLE_POSITION_MAX SINGLE_POSITION_MAX|A
    """)

    assert result.suitability is not None
    assert Decimal(result.suitability.issues[0].details["measured"]) == 1


def test_every_pair_without_a_rate_is_listed_once() -> None:
    # As many currencies as may be, half of them bought out of all others; each pair has to be looked for.
    bought, held = [f"B{number:03}" for number in range(100)], [f"H{number:03}" for number in range(99)]
    lines = ["cash SGD 1", *[f"cash {currency} 1" for currency in held]]
    for currency in bought:
        name = f"X{currency}"
        lines += [f"price {name} 10 {currency}", f"shelf {name} APPROVED", f"buy {name} 1"]

    result = check("\n".join([*lines, "----", "status BLOCKED"]))

    # What was bought before is cash too, though there is none of it.
    pairs = [
        f"{target}/{source}"
        for number, target in enumerate(bought)
        for source in ("SGD", *bought[:number], *held)
    ]
    assert list(result.diagnostics.missing_fx_pairs) == pairs
