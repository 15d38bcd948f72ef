"""What two stores have kept in the end: what is answered about it, what they give the service, their rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any
from urllib.parse import quote

from service.admin.comparison.backends import tables_at
from service.admin.comparison.recorded_requests import RecordedRequest, json_of
from service.admin.comparison.report import Report
from service.admin.comparison.sides import Side, Sides
from service.domains.dpm_runs.values import DEFAULT_TENANT, RunFilter
from service.domains.idempotency import KeyScope
from service.domains.lineage import Direction
from service.domains.operations import OperationFilter
from service.domains.proposals.values import ProposalFilter
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.pages import all_of
from service.storage.ports.store import Store

PAGE = 50
PURGES_MAX = 100
DEPTH = 3
# What is asked about each thing of a list, once it is known.
RUN = (
    "/rebalance/runs/{0}",
    "/rebalance/runs/{0}/artifact",
    "/rebalance/runs/{0}/support-bundle",
    "/rebalance/runs/{0}/workflow/history",
    f"/rebalance/lineage/{{0}}?depth={DEPTH}",
)
OPERATION = ("/rebalance/operations/{0}", f"/rebalance/lineage/{{0}}?depth={DEPTH}&direction=down")
PROPOSAL = tuple(
    f"/rebalance/proposals/{{0}}{more}" for more in ("", "/workflow-events", "/approvals", "/lineage")
)
LISTS = (
    ("/rebalance/runs", "rebalance_run_id", RUN),
    ("/rebalance/operations", "operation_id", OPERATION),
    ("/rebalance/workflow/decisions", "decision_id", ()),
    ("/rebalance/proposals", "proposal_id", PROPOSAL),
)
ALONE = (
    "/rebalance/supportability/summary",
    "/rebalance/proposals/supportability/config",
    "/rebalance/policies/catalog",
    "/health/ready",
)


async def compare_look_ups(sides: Sides, report: Report) -> None:
    """Every list to its end, everything that is in one, the summaries."""
    for path, name, about in LISTS:
        asked: RecordedRequest | None = RecordedRequest("GET", f"{path}?limit={PAGE}")
        while asked is not None:
            page = await _answered(sides, asked, report)
            for item in page.get("items", ()):
                for each in about:
                    await _answered(sides, RecordedRequest("GET", each.format(item[name])), report)
            cursor = page.get("next_cursor")
            asked = (
                RecordedRequest("GET", f"{path}?limit={PAGE}&cursor={quote(cursor, safe='')}")
                if cursor
                else None
            )
    for path in ALONE:
        await _answered(sides, RecordedRequest("GET", path), report)


async def _answered(sides: Sides, asked: RecordedRequest, report: Report) -> dict[str, Any]:
    left, right = await sides.ask(asked)
    report.compare_answers("look-up", asked, left, right)
    found = json_of(left)
    return found if isinstance(found, dict) else {}


async def compare_kept(sides: Sides, report: Report) -> None:
    """What the stores give to the service, thing by thing."""
    left, right = [await _everything(side.store) for side in (sides.left, sides.right)]
    for place in [*left, *(place for place in right if place not in left)]:
        report.compared["kept"] += 1
        ours, theirs = left.get(place), right.get(place)
        if ours == theirs:
            continue
        if is_dataclass(ours) and is_dataclass(theirs):
            report.compare_fields(f"kept {place}:", _fields_of(ours), _fields_of(theirs))
        else:
            report.add(f"kept {place}", ours, theirs)


async def _everything(store: Store) -> dict[str, object]:
    found: dict[str, object] = {}
    for part in (_runs, _operations, _proposals, _rest):
        found.update([each async for each in part(store)])
    return found


async def _runs(store: Store) -> AsyncIterator[tuple[str, object]]:
    async for head in _pages(store.dpm_runs.list, RunFilter()):
        run_id = head.rebalance_run_id
        sealed = await store.dpm_runs.get_sealed(DEFAULT_TENANT, run_id, KEEP_ALL)
        yield f"run {run_id}", sealed.run
        yield f"request {sealed.run.request_id}", sealed.request
        yield (
            f"artifact of {run_id}",
            await store.artifacts.find(DEFAULT_TENANT, run_id, KEEP_ALL),
        )
        yield (
            f"decisions of {run_id}",
            await all_of(store.workflow_decisions.list_of_run, DEFAULT_TENANT, run_id),
        )
        yield (
            f"edges of {run_id}",
            await store.lineage.trace(DEFAULT_TENANT, run_id, Direction.BOTH, DEPTH, KEEP_ALL),
        )
        if key := head.idempotency_key:
            family = KeyScope.DPM_SIMULATE
            yield f"key {key}", await store.idempotency.find(DEFAULT_TENANT, family, key, KEEP_ALL)
            yield (
                f"history of key {key}",
                await all_of(
                    store.idempotency.list_history,
                    DEFAULT_TENANT,
                    family,
                    key,
                    KEEP_ALL,
                ),
            )


async def _operations(store: Store) -> AsyncIterator[tuple[str, object]]:
    async for head in _pages(store.operations.list, OperationFilter()):
        name = head.operation_id
        yield f"operation {name}", await store.operations.get(DEFAULT_TENANT, name, KEEP_ALL)
        yield f"staged of {name}", await store.operations.list_staged(DEFAULT_TENANT, name)


async def _proposals(store: Store) -> AsyncIterator[tuple[str, object]]:
    cursor: str | None = None
    while True:
        page = await store.proposals.list(DEFAULT_TENANT, ProposalFilter(), limit=PAGE, cursor=cursor)
        for proposal in page.items:
            name = proposal.proposal_id
            yield f"proposal {name}", proposal
            for version in await all_of(store.proposals.list_versions, DEFAULT_TENANT, name):
                number = version.version_no
                yield (
                    f"version {number} of {name}",
                    await store.proposals.get_version(DEFAULT_TENANT, name, number),
                )
            yield (
                f"events of {name}",
                await all_of(store.proposals.list_events, DEFAULT_TENANT, name),
            )
            yield (
                f"approvals of {name}",
                await all_of(store.proposals.list_approvals, DEFAULT_TENANT, name),
            )
        cursor = page.next_cursor
        if cursor is None:
            return


async def _rest(store: Store) -> AsyncIterator[tuple[str, object]]:
    yield "summary", await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)
    yield "purges", await store.retention.list_records(DEFAULT_TENANT, limit=PURGES_MAX)
    yield "catalog", await store.policy_packs.list_amendments(DEFAULT_TENANT)


async def _pages(listing: Callable[..., Any], asked: object) -> AsyncIterator[Any]:
    cursor: str | None = None
    while True:
        page = await listing(DEFAULT_TENANT, asked, limit=PAGE, cursor=cursor, cutoff=KEEP_ALL)
        for item in page.items:
            yield item
        cursor = page.next_cursor
        if cursor is None:
            return


def _fields_of(value: Any) -> dict[str, Any]:
    found = {one.name: getattr(value, one.name) for one in fields(value)}
    return {name: part.value if isinstance(part, Enum) else part for name, part in found.items()}


def compare_rows(sides: Sides, report: Report) -> None:
    """Every row of every table, where both places have tables."""
    if sides.left.place.target is None or sides.right.place.target is None:
        return
    left, right = (_rows_of(side) for side in (sides.left, sides.right))
    for (name, ours), (_, theirs) in zip(left, right, strict=True):
        report.rows[name] = (len(ours), len(theirs))
        report.compared["row"] += max(len(ours), len(theirs))
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            place = f"row {name} ({', '.join(map(str, key))}):"
            if key in ours and key in theirs:
                report.compare_fields(place, ours[key], theirs[key])
            else:
                there = (key in ours, key in theirs)
                report.add(f"{place} is on one side only", *("there" if one else None for one in there))


def _rows_of(side: Side) -> Iterator[tuple[str, Mapping[tuple[Any, ...], Mapping[str, Any]]]]:
    """The rows of one table after the other, by their keys."""
    with closing(tables_at(side.place)) as opened, opened.snapshot():
        for name, table in sorted(opened.tables().items()):
            yield (
                name,
                {table.key_of(row): dict(zip(table.names, row, strict=True)) for row in opened.rows(table)},
            )
