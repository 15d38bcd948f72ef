"""Removes what has expired, now and once; a server does the same by itself from time to time."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import click

from service import settings, wiring
from service.cli.exits import refused
from service.domains.purges import Removed
from service.errors import StoreUnavailable
from service.settings import Settings, SettingsInvalid


@click.command()
def purge() -> None:
    """Remove expired runs and operations with all that belongs to them, and keep a record of it."""
    try:
        removed = asyncio.run(_purge(settings.read()))
    except (SettingsInvalid, StoreUnavailable) as reason:
        raise refused(reason) from None
    if removed is None:
        click.echo("another instance is purging")
        return
    click.echo("removed " + ", ".join(f"{count} {what}" for what, count in asdict(removed).items()))


async def _purge(chosen: Settings) -> Removed | None:
    async with wiring.assemble_purging(chosen) as purges:
        await purges.fold()
        removed = await purges.run()
        await purges.forget_simulations()
        return removed
