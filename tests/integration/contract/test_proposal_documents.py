"""The documents of a proposal are stored once each, and answered to the byte, also those stored whole."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from scripts.harness.sample_requests import a_proposal_body
from service.domains.callers import Caller
from service.domains.proposals.documents import stored_change
from service.domains.proposals.states import ProposalEventType
from service.flows.proposals.events import RequestContext, creation
from service.flows.proposals.versions import build_documents, read_creation, simulate_asked
from service.web.answers.proposals.proposals import STORED
from service.wiring.proposals import LENIENT_PROPOSAL_READERS as READERS
from tests.integration.contract.builders import an_id
from tests.integration.contract.proposal_builders import a_new_version, a_step, under_key
from tests.integration.contract.proposal_reading import keep, key_in, whole_after, whole_of
from tests.integration.contract.raw_databases import opened_beside

AT = datetime(2026, 11, 30, tzinfo=UTC)
# What is kept of a version once its documents are stored once each, in shares of what they are whole.
SHARE_MAX = 0.45


def a_real_creation(*, evidence_kept: bool = True):
    body = {"created_by": "adviser", "simulate_request": json.loads(a_proposal_body(positions=10, seed=7))}
    asked = read_creation(READERS, json.dumps(body).encode())
    outcome = simulate_asked(READERS.simulate, asked, "corr-1", "key-1")
    documents = build_documents(READERS.simulate, asked, outcome, AT, evidence_kept)
    sent = RequestContext(idempotency_key="key-1", correlation_id="corr-1")
    return creation(Caller.local(), an_id, STORED, asked, documents, sent, AT).change


@pytest.mark.parametrize("evidence_kept", [True, False])
async def test_what_an_act_brought_comes_back_to_the_byte(store, evidence_kept):
    change = a_real_creation(evidence_kept=evidence_kept)

    await keep(store, change)

    assert await whole_of(store, change.proposal) == whole_after(change)
    assert await key_in(store, change.key) == change.key
    # A replay gets what was answered, and writes nothing.
    assert await store.proposals.change(a_real_creation()) == change.key


async def test_the_keys_of_later_acts_come_back_as_well(store):
    created = a_real_creation()
    texts = {name: getattr(created.version, name) for name in ("result", "artifact", "evidence")}
    version = under_key(a_new_version(created.proposal, version=texts), "key-2")
    answer = b'{"version":{"proposal_result":%b,"artifact":%b}}' % (texts["result"], texts["artifact"])
    version = replace(version, key=replace(version.key, answer=answer))
    step = under_key(a_step(version.proposal, ProposalEventType.SUBMITTED_FOR_RISK_REVIEW), "key-3")
    changes = (created, version, step)

    for change in changes:
        await keep(store, change)

    assert [await key_in(store, change.key) for change in changes] == [change.key for change in changes]


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def beside(request):
    opened = await opened_beside(request.param, request)
    try:
        yield opened
    finally:
        await opened.store.close()


def bytes_of(*rows) -> int:
    return sum(len(value) for row in rows for value in row if isinstance(value, bytes))


async def test_no_document_is_written_twice(beside):
    change = a_real_creation()

    await keep(beside.store, change)

    rows = beside.database.rows()
    written = bytes_of(*rows["proposal_versions"], *rows["proposal_keys"])
    version = change.version
    texts = (version.request, version.result, version.artifact, version.evidence, change.key.answer)
    assert written < SHARE_MAX * sum(map(len, texts))
    # Something of the result that can be told from all else.
    part = version.result[: len(version.result) // 2]
    values = [value for name in rows for row in rows[name] for value in row if isinstance(value, bytes)]
    assert sum(part in value for value in values) == 1


async def test_rows_of_before_are_answered_as_they_are(beside, monkeypatch):
    monkeypatch.setattr("service.storage.sql.proposals.changes.stored_change", lambda change: change)
    change = a_real_creation()
    await keep(beside.store, change)
    monkeypatch.undo()
    (row,) = beside.database.rows()["proposal_keys"]
    assert change.key.answer in row
    assert stored_change(change).key.answer not in row

    assert await whole_of(beside.store, change.proposal) == whole_after(change)
    assert await key_in(beside.store, change.key) == change.key
