"""Check every digest of what is stored, and compute every run again, without a server."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import Any

import click

from service.admin.verification.verifier import verify_runs
from service.domains.dpm_runs.values import RunFilter
from service.errors.storage import StoreRefused, StoreUnavailable
from service.settings import process
from service.settings.process import SettingsInvalid
from service.web.schemas.parameters import InstantRefused, instant_of
from service.wiring.exit_codes import refused

EXIT_MISMATCH = 1


class Instant(click.ParamType[datetime]):
    """An instant as the API takes it; without an offset it is UTC."""

    name = "ISO"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return instant_of(value)
        except InstantRefused as refused:
            self.fail(str(refused), param, ctx)


class Bar:
    """A progress bar on a terminal, and a line for each run that does not match."""

    def __init__(self) -> None:
        self._shown = is_terminal()
        self._bar = click.progressbar(length=0, label="verify", hidden=not self._shown)

    def begin(self, runs: int) -> None:
        self._bar = click.progressbar(length=runs, label="verify", hidden=not self._shown)
        self._bar.render_progress()

    def checked(self) -> None:
        self._bar.update(1)

    def mismatch(self, text: str) -> None:
        # The bar stands on the line.
        click.echo(("\n" if self._shown else "") + text)

    def end(self) -> None:
        self._bar.render_finish()


@click.command()
@click.option("--from", "created_from", type=Instant(), help="Only runs created then or later.")
@click.option("--to", "created_to", type=Instant(), help="Only runs created then or earlier.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many runs, the newest first.")
def verify(created_from: datetime | None, created_to: datetime | None, limit: int | None) -> None:
    """Check every digest of what is stored, and compute every run again.

    Exit 0 if all runs match, 1 if some do not, 3 if the store cannot be used.
    """
    runs, bar = RunFilter(created_from=created_from, created_to=created_to), Bar()
    try:
        tally = asyncio.run(verify_runs(process.read(), runs, limit, bar))
    except (SettingsInvalid, StoreUnavailable, StoreRefused) as reason:
        raise refused(reason) from None
    finally:
        bar.end()
    click.echo(f"{tally.checked} runs checked, {tally.mismatched} do not match")
    if tally.mismatched:
        raise SystemExit(EXIT_MISMATCH)


def is_terminal() -> bool:
    return sys.stdout.isatty()
