"""Removes what has expired, now and once; a server does the same by itself from time to time."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import click

from service.domains.callers import Caller
from service.domains.retention.deletions import Purged
from service.errors.storage import StoreRefused, StoreUnavailable
from service.settings import production
from service.settings.process import Settings, SettingsInvalid
from service.wiring import server
from service.wiring.exit_codes import refused

# The second only where proposals are kept elsewhere.
PLACES = ("runs", "proposals")


@click.command()
def purge() -> None:
    """Remove expired runs and operations, old simulations and shadow differences; keep a record of it."""
    try:
        removed = asyncio.run(_purge(production.read()))
    except (SettingsInvalid, StoreUnavailable, StoreRefused) as reason:
        raise refused(reason) from None
    for place, purged in removed.items():
        if purged.removed is None:
            click.echo(f"{place}: another instance is purging")
        counts = asdict(purged.removed) if purged.removed is not None else {}
        counts |= {"simulations": purged.simulations, "differences": purged.differences}
        said = ", ".join(f"{count} {what}" for what, count in counts.items())
        click.echo(f"{place}: removed {said}")


async def _purge(chosen: Settings) -> dict[str, Purged]:
    """What was removed in each store."""
    removed = {}
    async with server.assemble_purging(chosen) as stores:
        for place, purges in zip(PLACES, stores, strict=False):
            removed[place] = await purges.run_all(Caller.local())
    return removed
