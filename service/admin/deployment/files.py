"""Writes out what an operator needs beside the service: SQL of logins and roles, dashboard, alerts, pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from service.storage.queries import MIGRATIONS_DIR, SHIPPED

DEPLOY_DIR = SHIPPED / "deploy"
DOCS_DIR = SHIPPED / "docs"
# It is kept with the migrations, after which it runs; a deployment has it beside the SQL of the logins.
ROLES = Path("postgres", "roles.sql")
HANDBOOK = Path("docs")
# Pages about the source, which is not there.
FOR_DEVELOPERS = frozenset({"architecture.md", "development.md"})
SUFFIXES = frozenset({".json", ".sql", ".yml"})


class FilesExist(Exception):
    """Files of these names are there with other contents; the message names each."""


def write_files(folder: Path, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Writes every file into a folder, which is made if need be; the paths of what was written, in order.

    Raises FilesExist where a file of another content is there and may not be overwritten; then nothing is
    written. Raises OSError where the folder cannot be written to.
    """
    files = {folder / name: path.read_bytes() for name, path in shipped_files()}
    edited = [path for path, content in files.items() if path.exists() and path.read_bytes() != content]
    if edited and not overwrite:
        raise FilesExist(", ".join(str(path) for path in edited))
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tuple(files)


def shipped_files() -> Iterator[tuple[Path, Path]]:
    """Each file that comes with the service: its path below the folder and where it is, in order."""
    found = {path.relative_to(DEPLOY_DIR): path for path in DEPLOY_DIR.rglob("*") if path.suffix in SUFFIXES}
    found[ROLES] = MIGRATIONS_DIR / "roles.sql"
    for pages in (DOCS_DIR, DOCS_DIR / "run"):
        for path in pages.glob("*.md"):
            if path.name not in FOR_DEVELOPERS:
                found[HANDBOOK / path.relative_to(DOCS_DIR)] = path
    yield from sorted(found.items())
