"""Writes out what a deployment needs beside the service: SQL of logins and roles, dashboard, alert rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from service.storage.queries import MIGRATIONS_DIR, SHIPPED

DEPLOY_DIR = SHIPPED / "deploy"
# It is kept with the migrations, which it goes with; a deployment runs it beside the SQL of the logins.
ROLES = Path("postgres", "roles.sql")
SUFFIXES = frozenset({".json", ".sql", ".yml"})


class FilesExist(Exception):
    """Files of these names are there with other contents; the message names each."""


def write_files(folder: Path, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Writes every file into a folder, which is made if need be; the paths of what was written, in order.

    Raises FilesExist where a file of another content is there and may not be overwritten; then nothing is
    written. Raises OSError where the folder cannot be written to.
    """
    files = {folder / name: content for name, content in shipped_files()}
    edited = [path for path, content in files.items() if path.exists() and path.read_bytes() != content]
    if edited and not overwrite:
        raise FilesExist(", ".join(str(path) for path in edited))
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tuple(files)


def shipped_files() -> Iterator[tuple[Path, bytes]]:
    """Each file that comes with the service: its path below the folder and its content, in order of path."""
    found = {path.relative_to(DEPLOY_DIR): path for path in DEPLOY_DIR.rglob("*") if path.suffix in SUFFIXES}
    found[ROLES] = MIGRATIONS_DIR / "roles.sql"
    for name in sorted(found):
        yield name, found[name].read_bytes()
