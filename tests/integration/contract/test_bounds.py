"""What the bounds on texts let in is kept by every store, in rows and in indexes alike.

Texts are of characters of four bytes that no index can compress.
"""

from __future__ import annotations

from random import Random

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT, RunFilter, RunStatus
from service.domains.policy_packs import Amendments
from service.domains.proposals.values import ProposalFilter
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.bounds import (
    CORRELATION_ID,
    FILED_CORRELATION_ID,
    ID_CHARACTERS_MAX_LIMIT,
    IDEMPOTENCY_KEY,
    REASON_CODE,
)
from service.domains.workflow_decisions import DecisionFilter
from tests.integration.contract.builders import (
    REVIEWED,
    a_batch,
    a_run,
    a_verdict,
    an_admission,
    an_operation,
)
from tests.integration.contract.policy_builders import a_change, a_pack
from tests.integration.contract.proposal_builders import a_creation
from tests.integration.contract.proposal_reading import keep, proposals_of
from tests.integration.contract.reading import newest_of, runs_of

DRAWN = Random(17)


def wide(characters: int) -> str:
    return "".join([chr(DRAWN.randrange(0x20000, 0x2A6DF)) for _ in range(characters)])


def visible(characters: int) -> str:
    return "".join([chr(DRAWN.randrange(0x21, 0x7F)) for _ in range(characters)])


LONGEST_ID = wide(ID_CHARACTERS_MAX_LIMIT)


def test_the_longest_id_has_the_bytes_it_is_meant_to_have() -> None:
    assert len(LONGEST_ID.encode()) == 2400


@pytest.mark.parametrize("artifact", [False, True])
async def test_a_run_with_the_longest_texts_is_kept_and_found(store, artifact):
    run = a_run(
        portfolio_id=LONGEST_ID,
        correlation_id=wide(CORRELATION_ID.characters_max),
        idempotency_key=visible(IDEMPOTENCY_KEY.characters_max),
    )
    fields = {name: getattr(run, name) for name in ("portfolio_id", "correlation_id", "idempotency_key")}

    kept = (await store.dpm_runs.admit(an_admission(artifact=artifact, **fields), KEEP_ALL)).run

    page = await runs_of(store, RunFilter(portfolio_id=LONGEST_ID))
    assert [found.portfolio_id for found in page.items] == [LONGEST_ID]
    found = await store.dpm_runs.get_newest_by_correlation(DEFAULT_TENANT, run.correlation_id, KEEP_ALL)
    assert found == kept


async def test_a_batch_with_the_longest_texts_is_kept(store):
    sent_as = wide(CORRELATION_ID.characters_max)
    filed_as = f"{sent_as}:{'s' * 64}"
    assert len(filed_as) == FILED_CORRELATION_ID.characters_max
    batch = a_batch("s" * 64, sent_as=sent_as, portfolio_id=LONGEST_ID, correlation_id=filed_as)

    await store.dpm_runs.admit_batch(batch)

    assert [run.correlation_id for run in (await runs_of(store)).items] == [filed_as]


async def test_an_operation_with_the_longest_correlation_id_is_kept(store):
    operation = an_operation(correlation_id=wide(CORRELATION_ID.characters_max))

    await store.operations.submit(operation)

    found = await newest_of(store, operation.correlation_id)
    assert found is not None and found.operation_id == operation.operation_id


async def test_a_decision_with_the_longest_texts_is_kept_and_found(store):
    reason = "R" * REASON_CODE.characters_max
    run = (await store.dpm_runs.admit(an_admission(status=RunStatus.PENDING_REVIEW), KEEP_ALL)).run
    verdict = a_verdict(
        run,
        actor_id=LONGEST_ID,
        reason_code=reason,
        comment=wide(4_000),
        correlation_id=wide(CORRELATION_ID.characters_max),
    )

    _, decision = await store.workflow_decisions.decide(verdict, REVIEWED, KEEP_ALL)

    for asked in (DecisionFilter(actor_id=LONGEST_ID), DecisionFilter(reason_code=reason)):
        page = await store.workflow_decisions.list(
            DEFAULT_TENANT, asked, limit=5, cursor=None, cutoff=KEEP_ALL
        )
        assert page.items == (decision,)


async def test_a_proposal_with_the_longest_texts_is_kept_and_found(store):
    creation = a_creation(
        key=visible(IDEMPOTENCY_KEY.characters_max),
        portfolio_id=LONGEST_ID,
        created_by=wide(ID_CHARACTERS_MAX_LIMIT),
        mandate_id=wide(ID_CHARACTERS_MAX_LIMIT),
        title=wide(500),
        advisor_notes=wide(4_000),
        jurisdiction=wide(200),
    )

    proposal = await keep(store, creation)

    for asked in (
        ProposalFilter(portfolio_id=LONGEST_ID),
        ProposalFilter(created_by=proposal.created_by),
    ):
        assert (await proposals_of(store, asked)).items == (proposal,)


async def test_a_pack_with_the_longest_texts_is_kept(store):
    pack = a_pack(LONGEST_ID, version=wide(200))

    await store.policy_packs.amend(a_change(1, pack))

    assert await store.policy_packs.list_amendments(DEFAULT_TENANT) == Amendments(1, {LONGEST_ID: pack})
