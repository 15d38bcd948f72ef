"""What the roles of a deployment may do, as migrations/roles.sql grants it, and where a login differs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from service.storage.queries import MIGRATIONS_DIR

ROLES = MIGRATIONS_DIR / "roles.sql"

# A table as the file names it, or SEQUENCE or SCHEMA and a name; and a privilege, UPDATE perhaps of a column.
Right = tuple[str, str]

COMMENT = re.compile(r"--[^\n]*")
BLOCK = re.compile(r"DO (\$\w*\$).*?\1;", re.DOTALL)
GRANT = re.compile(
    r"GRANT (?P<privileges>.+?) ON (?P<kind>SCHEMA |SEQUENCE )?(?P<things>.+?) TO (?P<roles>.+)", re.DOTALL
)
PRIVILEGE = re.compile(r"(?P<name>[A-Z]+)(?: \((?P<columns>[^)]*)\))?")
CHANGING = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")


def granted_to(role: str, path: Path = ROLES) -> frozenset[Right]:
    """What a role is granted by itself, not by being a member of another."""
    return frozenset(right for name, right in _grants_in(path) if name == role)


def lacking(held: Iterable[Right], needed: Iterable[Right]) -> frozenset[Right]:
    """The privileges that are needed and not granted; a privilege on a table includes its columns."""
    have = set(held)
    return frozenset(
        (thing, privilege)
        for thing, privilege in needed
        if (thing, privilege) not in have and (thing, privilege.partition(" ")[0]) not in have
    )


def exceeding(held: Iterable[Right], allowed: Iterable[Right]) -> frozenset[Right]:
    """The privileges to change rows that are granted beyond what is allowed; reading is not checked."""
    changing = (right for right in held if right[1].startswith(CHANGING))
    return lacking(allowed, changing)


def told(rights: Iterable[Right]) -> str:
    """Rights as a sentence tells them: the privileges of each thing."""
    by_thing = defaultdict(list)
    for thing, privilege in sorted(rights):
        by_thing[thing].append(privilege)
    return "; ".join(f"{', '.join(privileges)} on {thing}" for thing, privileges in by_thing.items())


def _grants_in(path: Path) -> Iterator[tuple[str, Right]]:
    text = BLOCK.sub("", COMMENT.sub("", path.read_text(encoding="utf-8")))
    for statement in (" ".join(statement.split()) for statement in text.split(";")):
        # A role that is granted to another has no ON.
        if (grant := GRANT.fullmatch(statement)) is None:
            continue
        for role in _names_in(grant["roles"]):
            for thing in _names_in(grant["things"]):
                for privilege in _privileges_in(grant["privileges"]):
                    yield role, ((grant["kind"] or "") + thing, privilege)


def _privileges_in(text: str) -> Iterator[str]:
    for found in PRIVILEGE.finditer(text):
        if found["columns"] is None:
            yield found["name"]
        else:
            yield from (f"{found['name']} ({column})" for column in _names_in(found["columns"]))


def _names_in(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]
