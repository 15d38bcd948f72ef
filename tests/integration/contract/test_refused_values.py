"""What no database takes is refused by every store alike, keeps nothing and harms nobody (ruling 19)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT, Recorded
from service.domains.lineage import EdgeFilter
from service.domains.operations import OperationFilter
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.storage import StoreRefused, StoreUnavailable
from service.storage.texts import INDEXED_BYTES_MAX
from tests.integration.contract.builders import (
    REVIEWED,
    a_batch,
    a_replay,
    a_run,
    a_verdict,
    after,
    an_admission,
    an_operation,
)
from tests.integration.contract.proposal_builders import ALL_PROPOSALS, a_creation, a_simulation
from tests.integration.contract.reading import ALL_RUNS

UNSTORABLE = {
    "a surrogate": "pf_\ud800",
    "a zero": "pf_\0",
    "one byte too many": "x" * (INDEXED_BYTES_MAX + 1),
    "too many bytes, few characters": "\u4e2d" * (INDEXED_BYTES_MAX // 3 + 1),
    "20,000 characters": "".join(chr(33 + n * n % 90) for n in range(20_000)),
}
each_text = pytest.mark.parametrize("text", UNSTORABLE.values(), ids=UNSTORABLE)


def refused_acts_of(store, text):
    batch, run = a_batch("a"), a_run()
    return {
        "admit": lambda: store.dpm_runs.admit(an_admission(portfolio_id=text), KEEP_ALL),
        "admit under a key": lambda: store.dpm_runs.admit(an_admission(idempotency_key=text), KEEP_ALL),
        "admit anew": lambda: store.dpm_runs.admit(an_admission(correlation_id=text, replay=False), KEEP_ALL),
        "batch": lambda: store.dpm_runs.admit_batch(
            replace(batch, runs=tuple(replace(one, portfolio_id=text) for one in batch.runs))
        ),
        "replay": lambda: store.dpm_runs.admit_replay(
            replace(a_replay(run), run=replace(a_replay(run).run, portfolio_id=text)), KEEP_ALL
        ),
        "submit": lambda: store.operations.submit(an_operation(correlation_id=text)),
        "create": lambda: store.proposals.change(a_creation(portfolio_id=text)),
        "simulate": lambda: store.proposal_simulations.keep(
            replace(a_simulation(), idempotency_key=text), kept_since=after(0)
        ),
        "decide": lambda: store.workflow_decisions.decide(
            replace(a_verdict(run), actor_id=text), REVIEWED, KEEP_ALL
        ),
    }


@each_text
async def test_a_text_that_no_index_takes_is_refused_and_nothing_is_kept(store, text):
    for act in refused_acts_of(store, text).values():
        with pytest.raises(StoreRefused) as refused:
            await act()
        assert not isinstance(refused.value, StoreUnavailable)
        assert refused.value.sqlstate

    page = {"limit": 10, "cursor": None}
    assert (await store.dpm_runs.list(DEFAULT_TENANT, ALL_RUNS, cutoff=KEEP_ALL, **page)).items == ()
    assert (
        await store.operations.list(DEFAULT_TENANT, OperationFilter(), cutoff=KEEP_ALL, **page)
    ).items == ()
    assert (await store.proposals.list(DEFAULT_TENANT, ALL_PROPOSALS, **page)).items == ()
    edges = await store.lineage.list(DEFAULT_TENANT, "corr-1", EdgeFilter(), cutoff=KEEP_ALL, **page)
    assert edges.items == ()


async def test_a_refused_act_harms_none_of_those_beside_it(store):
    good = [an_admission(idempotency_key=f"key-{n}") for n in range(8)]
    bad = [an_admission(idempotency_key=f"bad-{n}", portfolio_id="\ud800") for n in range(4)]

    answers = await asyncio.gather(
        *(store.dpm_runs.admit(admission, KEEP_ALL) for admission in (*good, *bad)), return_exceptions=True
    )

    assert answers[:8] == [Recorded(one.run, replayed=False) for one in good]
    assert {type(answer) for answer in answers[8:]} == {StoreRefused}
    await store.check_writable()


@pytest.mark.parametrize("text", ["x" * INDEXED_BYTES_MAX, "\u4e2d" * (INDEXED_BYTES_MAX // 3)])
async def test_the_longest_text_is_kept_and_found(store, text):
    # As little of it as can be is the same twice, for what is indexed is compressed before it is measured.
    text = "".join(chr(ord(letter) + n * n % 89) for n, letter in enumerate(text[:600]))
    admission = an_admission(portfolio_id=text, correlation_id=text, idempotency_key=text)

    await store.dpm_runs.admit(admission, KEEP_ALL)

    again = await store.dpm_runs.admit(admission, KEEP_ALL)
    assert again == Recorded(admission.run, replayed=True)
