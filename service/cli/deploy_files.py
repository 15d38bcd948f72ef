"""Writes the files of a deployment into a folder, for an operator who has the wheel and no checkout."""

from __future__ import annotations

from pathlib import Path

import click

from service.admin.deployment.files import FilesExist, write_files


@click.command("deploy-files")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace files of other contents.")
def deploy_files(folder: Path, overwrite: bool) -> None:
    """Write the SQL of logins and roles, dashboard, Prometheus rules and the handbook into FOLDER.

    Exit 1 if a file of another content is there; then nothing is written.
    """
    try:
        written = write_files(folder, overwrite=overwrite)
    except FilesExist as edited:
        raise click.ClickException(f"other contents, give --overwrite to replace them: {edited}") from None
    except OSError as error:
        raise click.ClickException(f"{folder}: {error.strerror}") from None
    for path in written:
        click.echo(path)
