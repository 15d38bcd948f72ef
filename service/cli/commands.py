"""The command line: serve, work, migrate, cutover-check, parity, copy, purge, verify."""

from __future__ import annotations

import click

from service import __version__
from service.cli.compare_backends import parity
from service.cli.copy import copy
from service.cli.cutover_check import cutover_check
from service.cli.migrate import migrate
from service.cli.purge import purge
from service.cli.serve import serve
from service.cli.verify import verify
from service.cli.worker import work


@click.group()
@click.version_option(version=__version__, prog_name="lotus-manage")
def main() -> None:
    """lotus-manage: simulate, record, review and prove portfolio changes."""


main.add_command(serve)
main.add_command(work)
main.add_command(migrate)
main.add_command(cutover_check)
main.add_command(parity)
main.add_command(copy)
main.add_command(purge)
main.add_command(verify)
