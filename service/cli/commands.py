"""The command line: serve, migrate."""

from __future__ import annotations

import click

from service import __version__
from service.cli.migrate import migrate
from service.cli.serve import serve


@click.group()
@click.version_option(version=__version__, prog_name="lotus-manage")
def main() -> None:
    """lotus-manage: simulate, record, review and prove portfolio changes."""


main.add_command(serve)
main.add_command(migrate)
