"""Removes what has expired, now and once; a server does the same by itself from time to time."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import click

from service import production, wiring
from service.cli.exits import refused
from service.domains.purges import Removed
from service.errors import StoreUnavailable
from service.settings import Settings, SettingsInvalid

# The second only where proposals are kept elsewhere.
PLACES = ("runs", "proposals")


@click.command()
def purge() -> None:
    """Remove expired runs and operations with all that belongs to them, and keep a record of it."""
    try:
        removed = asyncio.run(_purge(production.read()))
    except (SettingsInvalid, StoreUnavailable) as reason:
        raise refused(reason) from None
    for place, counts in removed.items():
        if counts is None:
            click.echo(f"{place}: another instance is purging")
        else:
            said = ", ".join(f"{count} {what}" for what, count in asdict(counts).items())
            click.echo(f"{place}: removed {said}")


async def _purge(chosen: Settings) -> dict[str, Removed | None]:
    """What was removed in each store; None where another instance is at it."""
    removed = {}
    async with wiring.assemble_purging(chosen) as stores:
        for place, purges in zip(PLACES, stores, strict=False):
            await purges.fold()
            removed[place] = await purges.run()
            await purges.forget_simulations()
    return removed
