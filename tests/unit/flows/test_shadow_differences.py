"""How long differences are kept, and what is told of a store without a shadow."""

from __future__ import annotations

from datetime import timedelta

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.retention.cutoffs import Retention
from service.domains.shadow_differences import (
    DIFFERENCES_KEPT_DAYS,
    Difference,
    DifferenceKind,
    ShadowDifferenceFilter,
)
from service.flows.retention import RetentionFlow
from service.flows.shadow_differences import ShadowDifferenceFlow
from service.runtime.clock import TimeOrderedIds
from service.storage.memory.store import MemoryStore
from tests.e2e.local_application import SetClock


def a_difference(number, found_at):
    return Difference(
        difference_id=f"diff_{number}",
        tenant_id=DEFAULT_TENANT,
        kind=DifferenceKind.MISSED,
        act="dpm_runs.admit",
        entity_id="rr_1",
        place="act",
        primary_text="kept",
        shadow_text="not repeated",
        found_at=found_at,
    )


async def test_differences_are_forgotten_after_their_time_however_many_there_are():
    store, clock = MemoryStore(), SetClock()
    edge = clock.now() - timedelta(days=DIFFERENCES_KEPT_DAYS)
    old = [a_difference(number, edge - timedelta(seconds=number)) for number in range(1, 8)]
    await store.shadow_differences.record([*old, a_difference(0, edge)])
    purges = RetentionFlow(
        store=store,
        clock=clock,
        new_id=TimeOrderedIds(),
        retention=Retention(1, 86_400),
        simulations_kept_seconds=1,
        removed_at_once=3,
    )

    assert await purges.forget_differences() == 7

    report = await ShadowDifferenceFlow(store=store, shadow=None).report(
        ShadowDifferenceFilter(), limit=10, cursor=None
    )
    assert [difference.difference_id for difference in report.page.items] == ["diff_0"]
    assert report.summary.counts[DifferenceKind.MISSED] == 1
    assert (report.shadow_backend, report.counts) == (None, None)
