"""Runs a comparison of two backends, and describes what it found."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from service.admin.comparison.backends import Backend
from service.admin.comparison.recorded_requests import Source
from service.admin.comparison.report import Report
from service.admin.comparison.sides import Sides, opened_sides
from service.admin.comparison.stored_state import compare_kept, compare_look_ups, compare_rows
from service.settings.process import Settings


async def compared(
    places: tuple[Backend, Backend], source: Source, chosen: Settings, report: Report
) -> Report:
    """Raises StoreUnavailable."""
    async with opened_sides(*places, chosen) as sides:
        await replay(sides, source, report)
        await compare_look_ups(sides, report)
        await compare_kept(sides, report)
        compare_rows(sides, report)
    return report


async def replay(sides: Sides, source: Source, report: Report) -> None:
    for asked in source:
        left, right = await sides.ask(asked)
        report.statuses[left.status] += 1
        report.compare_answers("request", asked, left, right)
        source.learn(asked, left)


def described(places: tuple[Backend, Backend], report: Report, seconds: float) -> dict[str, Any]:
    return {
        "left": places[0].shown,
        "right": places[1].shown,
        "equal": not report.differences,
        "differences": report.differences,
        "first_differences": [asdict(one) for one in report.first],
        "compared": dict(report.compared),
        "statuses": {str(status): count for status, count in sorted(report.statuses.items())},
        "rows": {name: {"left": left, "right": right} for name, (left, right) in report.rows.items()},
        "seconds": round(seconds, 1),
    }


def text_of(places: tuple[Backend, Backend], report: Report, seconds: float) -> str:
    lines = [f"{place.shown} ({side})" for side, place in zip(("left", "right"), places, strict=True)]
    for one in report.first:
        lines += [one.place, f"  left   {one.left}", f"  right  {one.right}"]
    if report.differences > len(report.first):
        lines.append(f"and {report.differences - len(report.first)} more")
    statuses = ", ".join(f"{count} x {status}" for status, count in sorted(report.statuses.items()))
    found = report.compared
    lines.append(f"answers: {statuses}")
    lines.append(
        f"{found['request']} requests, {found['look-up']} look-ups, {found['kept']} kept things, "
        f"{found['row']} rows in {len(report.rows)} tables compared in {seconds:.1f} s: "
        f"{report.differences} differences"
    )
    return "\n".join(lines)
