"""What is known of a shadow (RFC-0024, rollout phase 2)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from service.domains.shadow_differences import (
    Difference,
    DifferenceKind,
    ShadowCounts,
    ShadowDifferenceFilter,
)
from service.flows.shadow_differences import ShadowReport
from service.web import keys
from service.web.requests import parameters
from service.web.schemas.shadow_differences import ParityQuery

PARITY = ParityQuery()


class ShadowSinceStart(msgspec.Struct, frozen=True, kw_only=True):
    """What the answering process has seen since it started."""

    applied: int
    differed: int
    missed: int
    waiting: int
    unrecorded: int


class ParityDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in which the shadow is not as the primary."""

    difference_id: str
    kind: DifferenceKind
    act: str
    entity_id: str
    place: str
    primary: str
    shadow: str
    found_at: str
    correlation_id: str | None


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """How the shadow does; no backend when there is none."""

    shadow_backend: str | None
    since_start: ShadowSinceStart | None
    difference_counts: Mapping[str, int]
    items: list[ParityDifference]
    next_cursor: str | None


async def get_parity(request: web.Request) -> web.Response:
    """The differences that were found, newest first, a page at a time."""
    asked = parameters.read(request, PARITY)
    gates = request.app[keys.GATES]
    gates.require_support_apis()
    gates.require_summary_apis()
    limit, cursor = asked.pop("limit"), asked.pop("cursor")
    report = await request.app[keys.FLOWS].shadow_differences.report(
        ShadowDifferenceFilter(**asked), limit=limit, cursor=cursor
    )
    return web.Response(body=msgspec.json.encode(_parity_of(report)), content_type="application/json")


def _parity_of(report: ShadowReport) -> Parity:
    return Parity(
        shadow_backend=report.shadow_backend,
        since_start=_since_start_of(report.counts) if report.counts else None,
        difference_counts={kind.value: count for kind, count in report.summary.counts.items()},
        items=[_difference_of(difference) for difference in report.page.items],
        next_cursor=report.page.next_cursor,
    )


def _since_start_of(counts: ShadowCounts) -> ShadowSinceStart:
    return ShadowSinceStart(
        applied=counts.applied,
        differed=counts.differed,
        missed=counts.missed,
        waiting=counts.waiting,
        unrecorded=counts.unrecorded,
    )


def _difference_of(difference: Difference) -> ParityDifference:
    return ParityDifference(
        difference_id=difference.difference_id,
        kind=difference.kind,
        act=difference.act,
        entity_id=difference.entity_id,
        place=difference.place,
        primary=difference.primary_text,
        shadow=difference.shadow_text,
        found_at=difference.found_at.isoformat(),
        correlation_id=difference.correlation_id,
    )
