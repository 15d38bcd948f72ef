"""Books small enough to work out by hand, stage by stage. Reading and notation: cases.py."""

from __future__ import annotations

import pytest

from tests.unit.engines.cases import check


def test_holdings_and_cash_are_valued_in_base_with_the_inverse_rate_if_need_be() -> None:
    # 10 A at 10 are 100; 4 B at 25 USD are 100 USD, at 1 / 0.8 = 1.25 they are 125; 20 USD are 25.
    check("""
        base SGD
        cash SGD 250
        cash USD 20
        hold A 10
        hold B 4
        price A 10 SGD
        price B 25 USD
        rate SGD/USD 0.8
        shelf A APPROVED class=EQUITY sector=TECH
        shelf B APPROVED class=BOND sector=GOVT
        ----
        before 500
        class EQUITY 0.2000 100
        class BOND 0.2500 125
        class CASH 0.5500 275
        attribute sector:TECH 0.2000
        attribute sector:GOVT 0.2500
    """)


def test_a_held_target_that_is_banned_is_excluded_twice_and_stays_as_it_is() -> None:
    check("""
        cash SGD 500
        hold A 50
        price A 10 SGD
        price B 10 SGD
        shelf A BANNED
        shelf B APPROVED
        target A 0.3
        target B 0.2
        ----
        excluded A SHELF_STATUS_BANNED
        excluded A LOCKED_DUE_TO_BANNED
        target A 0.5 REDISTRIBUTED_RECIPIENT
        target B 0.2
        trade oi_1 BUY 20 B for SGD 200
        status READY
    """)


def test_the_weight_of_a_line_that_may_only_be_sold_goes_to_the_buyable_ones() -> None:
    # The 0.4 of C is split 1 : 3 between A and B.
    check("""
        cash SGD 1000
        price A 1 SGD
        price B 1 SGD
        price C 1 SGD
        shelf A APPROVED
        shelf B APPROVED
        shelf C SELL_ONLY
        target A 0.1
        target C 0.4
        target B 0.3
        ----
        excluded C SHELF_STATUS_SELL_ONLY
        target A 0.2 REDISTRIBUTED_RECIPIENT
        target C 0 CAPPED_BY_MAX_WEIGHT
        target B 0.6 REDISTRIBUTED_RECIPIENT
    """)


def test_a_group_above_its_cap_shrinks_and_its_weight_goes_outside() -> None:
    # TECH 0.8 under 0.6: A and B times 0.75, the released 0.2 goes to C.
    check("""
        cash SGD 1000
        price A 10 SGD
        price B 10 SGD
        price C 10 SGD
        shelf A APPROVED sector=TECH
        shelf B APPROVED sector=TECH
        shelf C APPROVED sector=FIN
        target A 0.4
        target B 0.4
        target C 0.2
        option group_constraints {"sector:TECH": {"max_weight": "0.6"}, "zone:X": {"max_weight": "1"}}
        ----
        group sector:TECH CAPPED 0.2 C +0.2
        target A 0.3 CAPPED_BY_MAX_WEIGHT
        target B 0.3 CAPPED_BY_MAX_WEIGHT
        target C 0.4 REDISTRIBUTED_RECIPIENT
        warning CAPPED_BY_GROUP_LIMIT_sector:TECH
        warning UNKNOWN_CONSTRAINT_ATTRIBUTE_zone
    """)


def test_a_group_nobody_can_relieve_blocks_without_a_gate_reason() -> None:
    check("""
        cash SGD 1000
        price A 10 SGD
        shelf A APPROVED sector=TECH
        target A 1
        option group_constraints {"sector:TECH": {"max_weight": "0.5"}}
        ----
        status BLOCKED
        gate BLOCKED
        reason
        target
        trade
        group sector:TECH BLOCKED 0.5
        warning CAPPED_BY_GROUP_LIMIT_sector:TECH
        warning NO_ELIGIBLE_REDISTRIBUTION_DESTINATION
    """)


def test_the_excess_over_the_single_cap_is_handed_on_with_a_shrinking_rest() -> None:
    # Excess 0.1; A takes 0.1 * 0.1 / 0.4 = 0.025, B takes 0.075 * 0.3 / 0.4 = 0.05625.
    check("""
        cash SGD 100000
        price A 1 SGD
        price B 1 SGD
        price C 1 SGD
        shelf A APPROVED
        shelf B APPROVED
        shelf C APPROVED
        target C 0.5
        target A 0.1
        target B 0.3
        option single_position_max_weight "0.4"
        ----
        target C 0.4 CAPPED_BY_MAX_WEIGHT
        target A 0.125 REDISTRIBUTED_RECIPIENT
        target B 0.35625 REDISTRIBUTED_RECIPIENT
        status PENDING_REVIEW
        gate EXECUTION_READY
    """)


def test_the_solver_lowers_equally_what_the_cash_band_forbids() -> None:
    # 0.6 + 0.4 must fit 0.9, and B alone is capped: A - 0.05, B - 0.05.
    check("""
        cash SGD 1000
        price A 1 SGD
        price B 1 SGD
        shelf A APPROVED
        shelf B APPROVED
        target A 0.6
        target B 0.4
        option target_method "SOLVER"
        option cash_band_min_weight "0.1"
        ----
        target A 0.55 CAPPED_BY_MAX_WEIGHT
        target B 0.35 CAPPED_BY_MAX_WEIGHT
        trade oi_1 BUY 550 A for SGD 550
        trade oi_2 BUY 350 B for SGD 350
        status READY
    """)


def test_a_solver_without_a_solution_says_which_limits_contradict() -> None:
    check("""
        cash SGD 1000
        price A 1 SGD
        shelf A APPROVED
        target A 0.6
        option target_method "SOLVER"
        option cash_band_max_weight "0.2"
        option single_position_max_weight "0.5"
        ----
        status BLOCKED
        target
        warning INFEASIBLE_INFEASIBLE
        warning INFEASIBILITY_HINT_SINGLE_POSITION_CAPACITY
    """)


def test_sales_and_purchases_are_cut_to_whole_units_and_dust_is_held_back() -> None:
    # Value 1000. A should be 500 and is 700: sells 200 / 35 = 5. B buys 300 / 70 = 4. C wants 7 for 35 < 50.
    check("""
        cash SGD 300
        hold A 20
        price A 35 SGD
        price B 70 SGD
        price C 5 SGD
        shelf A APPROVED
        shelf B APPROVED min=50
        shelf C APPROVED min=50
        target A 0.5
        target B 0.3
        target C 0.036
        ----
        trade oi_1 SELL 5 A for SGD 175
        trade oi_2 BUY 4 B for SGD 280 MIN_NOTIONAL after oi_1
        suppressed C 35
    """)


def test_the_dearest_lots_go_first_and_the_gains_budget_cuts_a_sale_to_a_fraction() -> None:
    # L2 loses 2 * 10 = 20; L1 gains 2 a unit and the budget of 50 lets 25 of its units go.
    check("""
        cash SGD 0
        hold A 50
        lot A L1 40 @ 8 SGD 2020-01-31
        lot A L2 10 @ 12 SGD 2021-01-31
        price A 10 SGD
        shelf A SELL_ONLY
        option enable_tax_awareness true
        option max_realized_capital_gains 50
        ----
        trade oi_1 SELL 35 A for SGD 350 TAX_BUDGET
        cut A 50 to 35
        tax gain 50 loss 20
        warning TAX_BUDGET_LIMIT_REACHED
    """)


def test_the_turnover_budget_keeps_the_largest_trades_that_fit() -> None:
    # Budget 200 of 1000: 110 fits, neither 100 fits any more, 50 does.
    check("""
        cash SGD 1000
        price A 1 SGD
        price B 1 SGD
        price C 1 SGD
        price D 1 SGD
        shelf A APPROVED
        shelf B APPROVED
        shelf C APPROVED
        shelf D APPROVED
        target D 0.05
        target C 0.10
        target B 0.10
        target A 0.11
        option max_turnover_pct "0.2"
        ----
        trade oi_4 BUY 110 A for SGD 110
        trade oi_1 BUY 50 D for SGD 50
        dropped B 0.1
        dropped C 0.1
        warning PARTIAL_REBALANCE_TURNOVER_LIMIT
    """)


def test_a_foreign_purchase_is_funded_with_a_buffer_and_a_foreign_balance_is_swept() -> None:
    # Value 100 + 400 + 500 = 1000. U costs 50 * 2 USD, funded with 1 % more; 500 HKD left over are swept.
    check("""
        cash SGD 100
        cash HKD 2500
        hold A 40
        price A 10 SGD
        price U 2 USD
        rate USD/SGD 2
        rate HKD/SGD 0.2
        shelf A APPROVED
        shelf U APPROVED
        target U 0.2
        target A 0.3
        ----
        trade oi_2 SELL 10 A for SGD 100
        trade oi_fx_3 fx SGD 500 for HKD 2500
        trade oi_fx_4 fx USD 101 for SGD 202
        trade oi_1 BUY 50 U for USD 100 after oi_fx_4
        held A 30 0.3000
        held U 50 0.2000
        cash SGD 498
        cash HKD 0
        cash USD 1
        reconciled OK 0 within 1
    """)


def test_cash_that_settles_too_late_blocks_on_the_first_day_it_is_missing() -> None:
    check("""
        cash SGD 0
        hold A 10
        price A 10 SGD
        price B 10 SGD
        shelf A APPROVED days=3
        shelf B APPROVED days=1
        target B 1
        option enable_settlement_awareness true
        option settlement_horizon_days 0
        option fx_settlement_days 0
        option max_overdraft_by_ccy {"SGD": "99.5"}
        ----
        ladder SGD T+0 0
        ladder SGD T+1 -100
        ladder SGD T+2 -100
        ladder SGD T+3 0
        status BLOCKED
        fail SETTLEMENT_CASH_LADDER 0.5 OVERDRAFT_ON_T_PLUS_1
        warning SETTLEMENT_OVERDRAFT_UTILIZED
        warning OVERDRAFT_ON_T_PLUS_1
        trade oi_2 SELL 10 A for SGD 100
        trade oi_1 BUY 10 B for SGD 100 after oi_2
        held A 10 1.0000
    """)


def test_a_breached_cap_and_overdrawn_cash_block_and_are_reasons() -> None:
    check("""
        cash SGD -20
        hold A 10
        price A 10 SGD
        shelf A SUSPENDED
        option single_position_max_weight "1.248"
        ----
        status BLOCKED
        fail CASH_BAND -0.25 THRESHOLD_BREACH
        fail SINGLE_POSITION_MAX 1.25 LIMIT_BREACH
        fail INSUFFICIENT_CASH -20 CASH_BALANCE_NEGATIVE
        warning SIMULATION_SAFETY_CHECK_FAILED
    """)


def test_trusted_values_that_differ_from_prices_do_not_reconcile() -> None:
    # Trusted 120 + 900, computed 100 + 900; tolerance 0.5 + 1020 / 2000.
    check("""
        cash SGD 900
        hold A 10 = 120 SGD
        price A 10 SGD
        shelf A SUSPENDED
        option valuation_mode "TRUST_SNAPSHOT"
        ----
        status BLOCKED
        reconciled MISMATCH -20 within 1.01
        fail RECONCILIATION 20 VALUE_MISMATCH
        reason HIGH HARD_RULE_FAIL:RECONCILIATION
    """)


@pytest.mark.parametrize("price", ["0", "-5", "-0.00"])
def test_a_price_that_is_not_positive_is_a_missing_one(price: str) -> None:
    # Held, so the state before reports it too; a later row of the same instrument does not count.
    book = f"""
        cash SGD 1000
        hold A 10
        price A {price} SGD
        price A 7 SGD
        price B 10 SGD
        shelf A APPROVED
        shelf B APPROVED
        target A 0.5
        target B 0.5
    """
    check(f"""{book}
        ----
        status BLOCKED
        missing price A
        fail DATA_QUALITY 1 MISSING_DATA
        reason HIGH DATA_QUALITY_MISSING_PRICE
        reason HIGH HARD_RULE_FAIL:DATA_QUALITY
        trade
    """)
    check(f"""{book}
        option block_on_missing_prices false
        ----
        status READY
        missing price A
        missing price A
        missing price A
        trade oi_1 BUY 50 B for SGD 500
    """)


def test_a_line_that_was_written_off_and_may_not_be_traded_is_worth_nothing() -> None:
    for status in ("SUSPENDED", "BANNED", "RESTRICTED"):
        check(f"""
            hold GONE 300
            hold A 80
            price GONE 0 SGD
            price A 5 SGD
            price B 4 SGD
            shelf GONE {status} min=10
            shelf A APPROVED
            shelf B APPROVED
            target GONE 0.1
            target A 0.5
            target B 0.5
            ----
            status READY
            missing
            trade oi_1 SELL 40 A for SGD 200
            trade oi_2 BUY 50 B for SGD 200 after oi_1
        """)


def test_a_line_that_may_be_sold_is_not_worth_nothing_for_a_price_of_zero() -> None:
    check("""
        cash SGD 100
        hold GONE 300
        price GONE 0 SGD
        shelf GONE SELL_ONLY
        ----
        status BLOCKED
        missing price GONE
    """)


@pytest.mark.parametrize("rate", ["0", "-0.9"])
def test_a_rate_that_is_not_positive_is_a_missing_one(rate: str) -> None:
    book = f"""
        base EUR
        cash USD 1000
        cash EUR 5000
        rate USD/EUR {rate}
        rate USD/EUR 0.9
    """
    check(f"""{book}
        ----
        status BLOCKED
        missing rate USD/EUR
        trade
    """)
    check(f"""{book}
        option block_on_missing_fx false
        ----
        status READY
        missing rate USD/EUR
        missing rate USD/EUR
        missing rate USD/EUR
        trade
    """)


def test_a_rate_is_taken_from_the_other_direction_if_that_one_is_positive() -> None:
    check("""
        base EUR
        cash USD 1000
        rate USD/EUR -0.9
        rate EUR/USD 1.25
        ----
        status READY
        missing
    """)
    check("""
        base EUR
        cash USD 1000
        rate EUR/USD -1.25
        ----
        status BLOCKED
        missing rate USD/EUR
    """)


def test_a_lot_whose_cost_has_no_positive_rate_does_not_limit_a_sale() -> None:
    check("""
        hold A 10
        lot A L1 10 @ 8 USD 2020-01-31
        price A 10 SGD
        rate USD/SGD -1.3
        shelf A APPROVED
        option enable_tax_awareness true
        option max_realized_capital_gains 1
        option block_on_missing_fx false
        ----
        missing rate USD/SGD
        trade oi_1 SELL 10 A for SGD 100
    """)


def test_a_drift_of_more_units_than_can_be_counted_blocks() -> None:
    check("""
        cash SGD 100000000000000
        price A 0.000000000000001 SGD
        shelf A APPROVED
        target A 1
        ----
        status BLOCKED
        missing price A
    """)


def test_missing_data_that_may_pass_raises_reasons_but_leaves_the_gate_open() -> None:
    # The unpriced holding is traced as an implicit sale nobody can make; each stage reports it.
    check("""
        cash SGD 100
        hold A 10
        shelf A APPROVED
        option block_on_missing_prices false
        ----
        status READY
        gate EXECUTION_READY
        reason HIGH DATA_QUALITY_MISSING_PRICE
        target A 0 IMPLICIT_SELL_TO_ZERO
        missing price A
        missing price A
        missing price A
        trade
    """)
