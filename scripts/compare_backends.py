"""Asks SQLite and PostgreSQL the same thousand times and more, and prints where they differ.

    python -m scripts.compare_backends [options of `python -m service parity` but the places]

Both stores are made for this and go with it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.harness import postgres
from service.admin.migrations import migrate
from service.cli.commands import main

NAME = f"parity_{os.getpid()}"


def run(options: list[str]) -> None:
    """Ends with the exit code of the command."""
    with TemporaryDirectory(prefix="parity-") as folder, postgres.integration_server() as admin_dsn:
        dsn = postgres.create_database(admin_dsn, NAME)
        try:
            migrate.apply(dsn)
            places = ["--left", f"sqlite:{Path(folder) / 'left.db'}", "--right", dsn]
            main(["compare-backends", *places, *options], prog_name="python -m service")
        finally:
            postgres.drop_database(admin_dsn, NAME)


if __name__ == "__main__":
    run(sys.argv[1:])
