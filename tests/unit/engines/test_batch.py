"""The pure pieces of the batch, the registry of versions, and options that only a policy pack can make."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from scripts.harness.sample_requests import a_batch_body, a_request
from service.domains.rebalances.options import GroupConstraint, TargetMethod
from service.domains.rebalances.requests import BatchRebalanceRequest
from service.domains.rebalances.results.intents import SecurityTradeIntent
from service.domains.values.money import decode_hook
from service.engines.dpm import batch, v1
from service.engines.dpm.versions import CURRENT_VERSION, engine_of

IDENTITY = v1.RunIdentity("rr_1", "corr_1", "sha256:0")


def test_a_metric_counts_security_trades_and_sums_what_they_move() -> None:
    result = v1.simulate(a_request(8, seed=3), IDENTITY)

    metric = batch.metric_of(result, "SGD")

    trades = [intent for intent in result.intents if isinstance(intent, SecurityTradeIntent)]
    assert trades
    assert metric.status == result.status
    assert metric.security_intent_count == len(trades)
    assert metric.gross_turnover_notional_base.amount == sum(t.notional_base.amount for t in trades)


def test_a_batch_names_the_snapshots_it_was_computed_from() -> None:
    body = a_batch_body({"base": {}}, positions=3, seed=7)
    request = msgspec.json.decode(body, type=BatchRebalanceRequest, dec_hook=decode_hook)

    named = batch.base_snapshot_ids(request)
    unnamed = batch.base_snapshot_ids(
        msgspec.structs.replace(
            request,
            portfolio_snapshot=msgspec.structs.replace(request.portfolio_snapshot, snapshot_id=None),
            market_data_snapshot=msgspec.structs.replace(request.market_data_snapshot, snapshot_id=None),
        )
    )

    assert named == {"portfolio_snapshot_id": "ps_7", "market_data_snapshot_id": "md_7"}
    assert unnamed == {"portfolio_snapshot_id": "pf_7_3", "market_data_snapshot_id": "md"}


def test_a_scenario_is_known_by_its_batch_and_its_name() -> None:
    named = batch.scenario_identity("batch_1", "low", "rr_1", "corr_1")
    unnamed = batch.scenario_identity("batch_1", "low", "rr_1", None)

    assert named == v1.RunIdentity("rr_1", "corr_1:low", "batch_1:low")
    assert unnamed == v1.RunIdentity("rr_1", "batch_1:low", "batch_1:low")


def test_a_failed_scenario_marks_the_batch() -> None:
    assert batch.batch_warnings({"low": "INVALID_OPTIONS: no"}) == ("PARTIAL_BATCH_FAILURE",)
    assert batch.batch_warnings({}) == ()


def test_a_result_says_which_engine_made_it_and_that_engine_can_be_found() -> None:
    request = a_request(2)

    result = engine_of()(request, IDENTITY)

    assert result.lineage.engine_version == CURRENT_VERSION == "1"
    assert result.lineage.idempotency_key is None
    assert engine_of("1")(request, IDENTITY) == result
    with pytest.raises(KeyError):
        engine_of("0")


@pytest.mark.parametrize("method", TargetMethod)
def test_a_group_key_without_a_colon_is_reported_and_skipped(method: TargetMethod) -> None:
    request = a_request(4, target_method=method.value, group_constraints={})
    # Only a policy pack can bring such a key past validation.
    limits = {"nonsense": GroupConstraint(max_weight=Decimal("0.1"))}
    msgspec.structs.force_setattr(request.options, "group_constraints", limits)

    result = v1.simulate(request, IDENTITY)

    assert result.diagnostics.warnings[0] == "INVALID_CONSTRAINT_KEY_nonsense"
