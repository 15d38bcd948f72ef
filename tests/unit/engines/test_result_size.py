"""What is counted of a result while it is made is never more than what is written, and stops work early."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given

from scripts.harness.sample_requests import a_document, a_proposal, a_request, read_request, written
from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.rebalances.requests import RebalanceRequest
from service.engines.advisory import v1 as advisory
from service.engines.dpm import v1
from service.engines.dpm.stages import groups
from service.engines.limits.answer_bounds import bounded_number
from service.engines.limits.result_size import ResultSize
from service.engines.portfolio import valuation
from service.errors.engines import ResultTooLarge
from service.flows.dpm_runs.computing import RESULT
from tests.unit.engines import test_advisory_properties
from tests.unit.engines.test_properties import ANY_REQUEST, IDENTITY, books_are_large

PROPOSAL_IDENTITY = advisory.ProposalIdentity("pr_1", "corr_1", "sha256:0", None)
LINES = 200
CAPS = 100


def capped(*, tiny: bool = False, **options: Any) -> RebalanceRequest:
    """A book whose lines are all under caps far below what is wanted; tiny ones receive next to nothing."""
    document = a_document(LINES, seed=5, **options)
    for number, entry in enumerate(document["shelf_entries"]):
        entry |= {"status": "APPROVED", "attributes": {"sleeve": f"s{number % CAPS}"}}
    for number, target in enumerate(document["model_portfolio"]["targets"]):
        target["weight"] = "1E-40" if tiny and number > 2 else "0.3" if tiny else "0.005"
    document["options"]["group_constraints"] = {
        f"sleeve:s{number}": {"max_weight": "0.001"} for number in range(CAPS)
    }
    return read_request(written(document))


def is_counted_below_what_is_written(simulate: Any, request: Any, identity: Any) -> None:
    whole = RESULT.encode(simulate(request, identity))

    assert RESULT.encode(simulate(request, identity, len(whole))) == whole


@books_are_large
@given(ANY_REQUEST)
def test_no_rebalance_within_its_bound_is_refused(request: RebalanceRequest) -> None:
    is_counted_below_what_is_written(v1.simulate, request, IDENTITY)


@books_are_large
@given(test_advisory_properties.ANY_REQUEST)
def test_no_proposal_within_its_bound_is_refused(request: ProposalSimulateRequest) -> None:
    is_counted_below_what_is_written(advisory.simulate, request, PROPOSAL_IDENTITY)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda: capped(),
        # Shares so small that they are answered as their neighbours, with fewer digits.
        lambda: capped(tiny=True),
        lambda: capped(target_method="SOLVER", compare_target_methods=True),
        lambda: a_request(40, seed=2),
    ],
    ids=["caps", "subnormal shares", "shares that are not listed", "no caps"],
)
def test_nor_is_one_with_many_shares(request_of: Any) -> None:
    is_counted_below_what_is_written(v1.simulate, request_of(), IDENTITY)


def test_most_of_what_is_written_of_shares_is_counted() -> None:
    request = capped()
    whole = len(RESULT.encode(v1.simulate(request, IDENTITY)))
    without = msgspec.structs.replace(
        request, options=msgspec.structs.replace(request.options, group_constraints={})
    )
    shares = whole - len(RESULT.encode(v1.simulate(without, IDENTITY)))

    assert shares > whole / 2
    with pytest.raises(ResultTooLarge):
        v1.simulate(request, IDENTITY, whole * 2 // 3)


def test_caps_are_not_applied_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[Decimal] = []
    release = groups.Weights.release

    def counting(self: Any, amount: Decimal, members: Any) -> dict[str, Decimal]:
        released.append(amount)
        return release(self, amount, members)

    monkeypatch.setattr(groups.Weights, "release", counting)
    request = capped()
    whole = len(RESULT.encode(v1.simulate(request, IDENTITY)))
    every = len(released)
    released.clear()

    with pytest.raises(ResultTooLarge, match=str(whole // 2)):
        v1.simulate(request, IDENTITY, whole // 2)
    assert 0 < len(released) < every


@pytest.mark.parametrize(
    ("simulate", "request_of", "identity"),
    [
        (v1.simulate, lambda: a_request(40), IDENTITY),
        (advisory.simulate, lambda: a_proposal(40), PROPOSAL_IDENTITY),
    ],
    ids=["rebalance", "proposal"],
)
def test_nothing_is_valued_where_its_lines_have_no_room(
    monkeypatch: pytest.MonkeyPatch, simulate: Any, request_of: Any, identity: Any
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("valued")

    monkeypatch.setattr(valuation, "_value_positions", never)
    with pytest.raises(ResultTooLarge):
        simulate(request_of(), identity, 5000)


def test_allocations_by_attribute_are_counted_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    document = a_document(20)
    for number, entry in enumerate(document["shelf_entries"]):
        entry["attributes"] = {f"a{kind}": f"v{number}" for kind in range(40)}
    request = read_request(written(document))
    whole = len(RESULT.encode(v1.simulate(request, IDENTITY)))

    def never(*_: Any) -> None:
        raise AssertionError("published")

    monkeypatch.setattr(valuation, "_publish", never)
    with pytest.raises(ResultTooLarge):
        v1.simulate(request, IDENTITY, whole // 4)


def test_the_size_of_a_run_that_is_walked_again_is_counted_anew() -> None:
    """Figures too small to be answered have a run walked twice; its lists are written once."""
    request = capped(tiny=True)
    whole = RESULT.encode(v1.simulate(request, IDENTITY))

    assert RESULT.encode(v1.simulate(request, IDENTITY, len(whole))) == whole
    events = json.loads(whole)["diagnostics"]["group_constraint_events"]
    assert any(share == "0E-40" for event in events for share in event["recipients"].values())


def test_a_size_without_bound_refuses_nothing() -> None:
    size = ResultSize()

    size.add_positions(["a" * 200] * 1000, "SGD")

    assert size.bytes_count > 200_000


def test_no_more_is_counted_of_a_state_than_is_written_and_most_of_it_where_names_are_long() -> None:
    document = a_document(20)
    names = {row["instrument_id"]: f"{number:0200}" for number, row in enumerate(document["shelf_entries"])}
    text = json.dumps(document)
    for name, long in names.items():
        text = text.replace(f'"{name}"', f'"{long}"')
    state = v1.simulate(read_request(text.encode()), IDENTITY).before
    size = ResultSize()

    size.add_positions([position.instrument_id for position in state.positions], "SGD")

    lists = (state.positions, state.allocation, state.allocation_by_instrument)
    whole = sum(len(RESULT.encode(rows)) for rows in lists)
    assert whole * 2 / 3 < size.bytes_count < whole


@pytest.mark.parametrize(
    "share", ["0", "0.25", "1.694915254237288135593220339E-27", "1.2345678E-41", "-1E-60"]
)
def test_no_more_is_counted_of_a_share_than_is_written(share: str) -> None:
    size = ResultSize(bytes_max=1000)

    size.add_shares(["a", "Zürich"], [Decimal(share), Decimal(1)])

    answered = {"a": bounded_number(Decimal(share)), "Zürich": Decimal(1)}
    assert size.bytes_count <= len(RESULT.encode(answered))
