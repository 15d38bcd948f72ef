"""The command line: serve, worker, migrate, cutover-check, compare-backends, copy, purge, verify,
deploy-files.
"""

from __future__ import annotations

import copy as copying

import click

from service import __version__
from service.cli.compare_backends import compare_backends
from service.cli.copy import copy
from service.cli.cutover_check import cutover_check
from service.cli.deploy_files import deploy_files
from service.cli.migrate import migrate
from service.cli.purge import purge
from service.cli.serve import serve
from service.cli.verify import verify
from service.cli.worker import worker


@click.group()
@click.version_option(version=__version__, prog_name="lotus-manage")
def main() -> None:
    """lotus-manage: simulate, record, review and prove portfolio changes."""


main.add_command(serve)
main.add_command(worker)
main.add_command(migrate)
main.add_command(cutover_check)
main.add_command(compare_backends)
main.add_command(copy)
main.add_command(purge)
main.add_command(verify)
main.add_command(deploy_files)


def _add_alias(name: str, command: click.Command) -> None:
    """A former name of a command: it still works, and help does not show it."""
    alias = copying.copy(command)
    alias.hidden = True
    main.add_command(alias, name)


_add_alias("parity", compare_backends)
_add_alias("work", worker)
