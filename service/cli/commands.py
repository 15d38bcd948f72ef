"""The command line: serve, migrate."""

from __future__ import annotations

import click

from service.cli.migrate import migrate
from service.cli.serve import serve


@click.group()
@click.version_option(package_name=None, version="0.1.0", prog_name="service")
def main() -> None:
    """lotus-manage: simulate, record, review and prove portfolio changes."""


main.add_command(serve)
main.add_command(migrate)
