"""Asks two backends the same and compares what they answer and what they keep."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import click
from aiohttp import ClientError

from service.admin.comparison.backends import BackendRefused, place_of, prepare
from service.admin.comparison.recorded_requests import Recorded, RequestsRefused, Source
from service.admin.comparison.report import Report
from service.admin.comparison.run import compared, described, text_of
from service.admin.comparison.workload import Generated
from service.errors.storage import StoreRefused, StoreUnavailable
from service.observability import logs
from service.settings import process
from service.settings.process import SettingsInvalid
from service.wiring.exit_codes import refused

EXIT_DIFFERENT = 1
GENERATED_DEFAULT = 1000
SHOWN_DEFAULT = 10


@click.command("compare-backends")
@click.option("--left", required=True, help="memory:, sqlite:PATH or postgresql://…, with nothing in it.")
@click.option("--right", required=True, help="The place that is held against it, with nothing in it.")
@click.option(
    "--requests",
    "recorded",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Recorded requests, one JSON object a line, plain or gzipped.",
)
@click.option(
    "--generate",
    "count",
    type=click.IntRange(min=1),
    help=f"So many generated requests. [default: {GENERATED_DEFAULT}]",
)
@click.option("--seed", default=1, show_default=True, help="What generated requests are drawn from.")
@click.option(
    "--show",
    type=click.IntRange(min=0),
    default=SHOWN_DEFAULT,
    show_default=True,
    help="How many differences are printed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def compare_backends(
    left: str,
    right: str,
    recorded: Path | None,
    count: int | None,
    seed: int,
    show: int,
    as_json: bool,
) -> None:
    """Replay requests through two backends and compare answers, stored rows, lists, lineage and summaries.

    Both are asked one after the other by an application in this process, at the same counted instants and
    with the same counted ids, so their answers must be equal byte for byte. A place must hold nothing: a
    SQLite file is made, a PostgreSQL database is to be empty and migrated. What was asked stays in it.

    A recorded line is {"method", "path", "headers", "body", "answer"}, the last three of which may be left
    out; ids in a recorded answer stand for those of the answer that is given this time. A line of the form
    {"id", "endpoint", "request"} is a POST under that id as its key.

    Exit 0 if nothing differs, 1 if something does, 2 if a place or a file is refused, 3 if a store fails.
    """
    if recorded is not None and count is not None:
        raise click.UsageError("--requests and --generate say two things; give one")
    try:
        places = place_of(left), place_of(right)
        if places[0] == places[1] and places[0].target is not None:
            raise BackendRefused("--left and --right name one place")
        source: Source = Recorded(recorded) if recorded else Generated(count or GENERATED_DEFAULT, seed)
        for place in places:
            prepare(place)
        chosen = process.read()
    except (BackendRefused, RequestsRefused) as reason:
        raise click.UsageError(str(reason)) from None
    except SettingsInvalid as reason:
        raise refused(reason) from None
    # What an application says while it is asked is not what is asked of this command.
    logs.set_up("ERROR")
    started = time.perf_counter()
    try:
        report = asyncio.run(compared(places, source, chosen, Report(show)))
    except (StoreUnavailable, StoreRefused, ClientError, TimeoutError) as reason:
        raise refused(reason) from None
    seconds = time.perf_counter() - started
    click.echo(
        json.dumps(described(places, report, seconds), indent=2)
        if as_json
        else text_of(places, report, seconds)
    )
    if report.differences:
        raise SystemExit(EXIT_DIFFERENT)
