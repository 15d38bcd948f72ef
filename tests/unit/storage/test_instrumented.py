"""A store that is watched does what it did, and tells how long it took."""

from contextlib import contextmanager

import pytest

from service.domains.callers import DEFAULT_TENANT
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.dpm_runs import RunNotFound
from service.errors.storage import StoreUnavailable
from service.storage.instrumented import NOUNS, measured
from service.storage.memory.store import MemoryStore
from tests.integration.contract.builders import an_admission


class Measures:
    def __init__(self):
        self.timed, self.failed = [], []

    def act_timer(self, noun, act):
        return lambda seconds: self.timed.append((noun, act, seconds >= 0))

    def act_failed(self, noun, act, cause):
        self.failed.append((noun, act, cause))


class Spans:
    def __init__(self):
        self.names = []

    @contextmanager
    def child(self, name):
        self.names.append(name)
        yield


async def test_acts_reach_the_store_and_are_timed_by_noun_and_name():
    plain, measures = MemoryStore(), Measures()
    store = measured(plain, measures)
    admission = an_admission()

    await store.dpm_runs.admit(admission, KEEP_ALL)
    found = await store.dpm_runs.get(DEFAULT_TENANT, admission.run.rebalance_run_id, KEEP_ALL)

    assert found == admission.run
    assert await plain.dpm_runs.get(DEFAULT_TENANT, found.rebalance_run_id, KEEP_ALL) == found
    assert measures.timed == [("dpm_runs", "admit", True), ("dpm_runs", "get", True)]


async def test_a_refusal_is_timed_and_is_no_failure_of_the_store():
    measures = Measures()

    with pytest.raises(RunNotFound):
        await measured(MemoryStore(), measures).dpm_runs.get(DEFAULT_TENANT, "rr_none", KEEP_ALL)

    assert (measures.timed, measures.failed) == ([("dpm_runs", "get", True)], [])


async def test_an_act_that_finds_no_store_is_counted_as_failed():
    measures = Measures()
    store = measured(MemoryStore(), measures)
    await store.close()

    with pytest.raises(StoreUnavailable):
        await store.supportability.compact()

    assert measures.failed == [("supportability", "compact", "CONNECTION")]
    assert measures.timed == [("supportability", "compact", True)]


async def test_every_noun_of_the_port_is_watched():
    plain = MemoryStore()
    store = measured(plain, Measures())

    assert {"dpm_runs", "operations", "proposals", "retention", "supportability"} <= set(NOUNS)
    assert all(getattr(store, noun) is not getattr(plain, noun) for noun in NOUNS)


async def test_an_act_is_a_span_where_requests_are_followed():
    spans = Spans()

    await measured(MemoryStore(), Measures(), spans).supportability.compact()

    assert spans.names == ["store supportability.compact"]
