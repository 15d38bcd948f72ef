"""What each statement of a file asks of the tables that were there before it: locks, scans, rewrites.

Read off the leading words, so that a plan needs neither a parser nor the database. A statement that is not
known here is assumed to need the strongest lock there is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

__all__ = ["Lock", "LockRequest", "Work", "asked_by"]


class Lock(IntEnum):
    """The table locks of PostgreSQL, weakest first."""

    NONE = 0
    ACCESS_SHARE = 1
    ROW_SHARE = 2
    ROW_EXCLUSIVE = 3
    SHARE_UPDATE_EXCLUSIVE = 4
    SHARE = 5
    SHARE_ROW_EXCLUSIVE = 6
    EXCLUSIVE = 7
    ACCESS_EXCLUSIVE = 8


class Work(IntEnum):
    """What is done to every row while the lock is held."""

    NONE = 0
    SCAN = 1
    REWRITE = 2


@dataclass(frozen=True, slots=True)
class LockRequest:
    lock: Lock = Lock.NONE
    tables: tuple[str, ...] = ()
    work: Work = Work.NONE
    assumed: bool = False
    # Tables that are only read, under the weakest lock.
    reads: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.lock is Lock.NONE:
            return "locks no existing table"
        mode = self.lock.name.replace("_", " ") + (" (assumed)" if self.assumed else "")
        place = f" on {', '.join(self.tables)}" if self.tables else ""
        read = f", reads {', '.join(self.reads)}" if self.reads else ""
        return mode + place + ("", ", scans", ", rewrites")[self.work] + read


NOTHING = LockRequest()
ASSUMED = LockRequest(Lock.ACCESS_EXCLUSIVE, work=Work.REWRITE, assumed=True)

NAME = r'((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))*)'
# Literals are blanked before anything is looked for, so that no word is found inside one.
NOISE = re.compile(r"--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'", re.DOTALL)
REFERENCES = re.compile(rf"\bREFERENCES\s+{NAME}", re.IGNORECASE)

# Values that are the same for every row; any other default is worked out row by row.
CONSTANT = re.compile(
    r"DEFAULT\s+(?:''(?:\s*::\s*\w+)?|[-+]?\d[\d.]*|true|false|null|now\s*\(\s*\)|current_timestamp|current_date)"
    r"(?=\s*(?:$|,|not\s+null|null|check|constraint|collate|references|unique|primary))",
    re.IGNORECASE,
)
# A type of another name may be a domain, whose rules are checked row by row.
PLAIN_TYPE = re.compile(
    r"(?:text|bytea|boolean|bool|smallint|integer|int|bigint|numeric|real|double\s+precision|uuid|jsonb?|date"
    r"|timestamptz|timestamp|varchar|char|interval)\b",
    re.IGNORECASE,
)


def asked_by(statements: Sequence[str]) -> tuple[LockRequest, ...]:
    """What each statement of a file asks, in order; a table made earlier in the file does not count."""
    made: set[str] = set()
    asked: list[LockRequest] = []
    for statement in statements:
        text = " ".join(NOISE.sub(blank, statement).split()).rstrip("; ")
        asked.append(on_existing(ask(text), made))
        if created := re.match(rf"CREATE TABLE (?!IF ){NAME}", text, re.IGNORECASE):
            made.add(plain(created[1]))
    return tuple(asked)


def blank(noise: re.Match[str]) -> str:
    return "''" if noise[0][0] in "'$" else " "


def on_existing(asked: LockRequest, made: set[str]) -> LockRequest:
    locked, reads = (
        tuple(table for table in tables if table not in made) for tables in (asked.tables, asked.reads)
    )
    if asked.tables and not locked:
        return LockRequest(Lock.ACCESS_SHARE, reads, asked.work) if reads else NOTHING
    return replace(asked, tables=locked, reads=reads)


def plain(name: str) -> str:
    """A table's own name, without its schema, as PostgreSQL folds it."""
    last: str = re.findall(r'"[^"]+"|[^.]+', name)[-1]
    return last.strip('"') if last.startswith('"') else last.lower()


def ask(text: str) -> LockRequest:
    for pattern, lock, work in FIXED:
        if found := re.match(pattern, text, re.IGNORECASE):
            return LockRequest(lock, tuple(plain(name) for name in found.groups() if name), work)
    if re.match(r"CREATE TABLE\b", text, re.IGNORECASE):
        return ask_create_table(text)
    if found := re.match(rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?{NAME} (.*)", text, re.IGNORECASE):
        return ask_alter_table(plain(found[1]), found[2])
    if found := re.match(rf"INSERT INTO {NAME} (?:\([^()]*\) )?(SELECT .*)", text, re.IGNORECASE):
        return ask_insert_of_rows(plain(found[1]), found[2])
    return ASSUMED


# Statements whose first words say it all; each group of a pattern is a table that is locked.
FIXED: tuple[tuple[str, Lock, Work], ...] = (
    (r"(?:SET|RESET)\b", Lock.NONE, Work.NONE),
    (r"(?:GRANT|REVOKE)\b", Lock.NONE, Work.NONE),
    (r"SELECT \d+$", Lock.NONE, Work.NONE),
    (r"CREATE (?:OR REPLACE )?FUNCTION\b", Lock.NONE, Work.NONE),
    (r"CREATE (?:SCHEMA|TYPE|DOMAIN)\b", Lock.NONE, Work.NONE),
    (
        rf"CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?(?:[\w\".]+ )?ON (?:ONLY )?{NAME}",
        Lock.SHARE_UPDATE_EXCLUSIVE,
        Work.SCAN,
    ),
    (
        rf"CREATE (?:UNIQUE )?INDEX (?:IF NOT EXISTS )?(?:[\w\".]+ )?ON (?:ONLY )?{NAME}",
        Lock.SHARE,
        Work.SCAN,
    ),
    # Whose index it is only the database knows.
    (r"DROP INDEX CONCURRENTLY\b", Lock.SHARE_UPDATE_EXCLUSIVE, Work.NONE),
    (r"REINDEX INDEX CONCURRENTLY\b", Lock.SHARE_UPDATE_EXCLUSIVE, Work.SCAN),
    (r"DROP INDEX\b", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    (
        rf"CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER \S+ (?:(?!ON ).)+ON {NAME}",
        Lock.SHARE_ROW_EXCLUSIVE,
        Work.NONE,
    ),
    (rf"COMMENT ON TABLE {NAME}", Lock.SHARE_UPDATE_EXCLUSIVE, Work.NONE),
    (rf"INSERT INTO {NAME}(?!.*\b(?:SELECT|TABLE|WITH)\b)", Lock.ROW_EXCLUSIVE, Work.NONE),
    (rf"UPDATE (?:ONLY )?{NAME} (?!.*\b(?:FROM|JOIN|TABLE|SELECT)\b)", Lock.ROW_EXCLUSIVE, Work.SCAN),
    (rf"DELETE FROM (?:ONLY )?{NAME}(?!.*\b(?:USING|SELECT|TABLE)\b)", Lock.ROW_EXCLUSIVE, Work.SCAN),
)


def ask_insert_of_rows(table: str, rows: str) -> LockRequest:
    # A second table after a comma would be missed.
    if re.search(rf"\bFROM {NAME}(?: AS)?(?: \w+)?,", rows, re.IGNORECASE):
        return ASSUMED
    read = re.findall(rf"\b(?:FROM|JOIN) (?:ONLY )?{NAME}(?![\w$.]| ?\()", rows, re.IGNORECASE)
    return LockRequest(
        Lock.ROW_EXCLUSIVE,
        (table,),
        Work.SCAN if read else Work.NONE,
        reads=tuple(dict.fromkeys(plain(name) for name in read)),
    )


def ask_create_table(text: str) -> LockRequest:
    if re.search(r"\b(?:PARTITION OF|INHERITS|LIKE|OF|AS)\b(?! (?:IDENTITY|\())", text, re.IGNORECASE):
        return ASSUMED
    referenced = tuple(dict.fromkeys(plain(name) for name in REFERENCES.findall(text)))
    itself = re.match(rf"CREATE TABLE (?:IF NOT EXISTS )?{NAME}", text, re.IGNORECASE)
    others = tuple(table for table in referenced if itself is None or table != plain(itself[1]))
    return LockRequest(Lock.SHARE_ROW_EXCLUSIVE, others) if others else NOTHING


def ask_alter_table(table: str, actions: str) -> LockRequest:
    asked = [ask_action(action) for action in split_actions(actions)]
    referenced = [plain(name) for name in REFERENCES.findall(actions)]
    return LockRequest(
        max(one.lock for one in asked),
        tuple(dict.fromkeys([table, *referenced])),
        max(one.work for one in asked),
        any(one.assumed for one in asked),
    )


def split_actions(actions: str) -> list[str]:
    """The actions of one ALTER TABLE; a comma inside brackets parts nothing."""
    depth, parts = 0, [""]
    for character in actions:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def ask_action(action: str) -> LockRequest:
    for pattern, lock, work in ACTIONS:
        if re.match(pattern, action, re.IGNORECASE):
            return LockRequest(lock, work=work)
    if found := re.match(r"ADD COLUMN (?:IF NOT EXISTS )?(?:\"[^\"]+\"|\w+) (.*)", action, re.IGNORECASE):
        return LockRequest(Lock.ACCESS_EXCLUSIVE, work=work_of_column(found[1]))
    return ASSUMED


COLUMN = r"ALTER (?:COLUMN )?(?!CONSTRAINT )\S+"
ACTIONS: tuple[tuple[str, Lock, Work], ...] = (
    (r"VALIDATE CONSTRAINT\b", Lock.SHARE_UPDATE_EXCLUSIVE, Work.SCAN),
    (r"ADD (?:CONSTRAINT \S+ )?FOREIGN KEY\b.* NOT VALID$", Lock.SHARE_ROW_EXCLUSIVE, Work.NONE),
    (r"ADD (?:CONSTRAINT \S+ )?FOREIGN KEY\b", Lock.SHARE_ROW_EXCLUSIVE, Work.SCAN),
    (r"ADD (?:CONSTRAINT \S+ )?CHECK\b.* NOT VALID$", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    (r"ADD (?:CONSTRAINT \S+ )?UNIQUE USING INDEX\b", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    (r"ADD (?:CONSTRAINT \S+ )?(?:CHECK|UNIQUE|PRIMARY KEY|EXCLUDE)\b", Lock.ACCESS_EXCLUSIVE, Work.SCAN),
    (r"DROP CONSTRAINT\b", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    (rf"{COLUMN} (?:SET DATA )?TYPE\b", Lock.ACCESS_EXCLUSIVE, Work.REWRITE),
    (rf"{COLUMN} SET NOT NULL$", Lock.ACCESS_EXCLUSIVE, Work.SCAN),
    (rf"{COLUMN} (?:DROP NOT NULL$|(?:SET|DROP) DEFAULT\b)", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    (rf"{COLUMN} SET (?:COMPRESSION|STORAGE) \w+$", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    (rf"{COLUMN} SET STATISTICS\b", Lock.SHARE_UPDATE_EXCLUSIVE, Work.NONE),
    (
        r"SET \((?:\s*(?:fillfactor|(?:toast\.)?autovacuum_\w+) = [^,()]+,?)+\)",
        Lock.SHARE_UPDATE_EXCLUSIVE,
        Work.NONE,
    ),
    (r"(?:ENABLE|DISABLE) TRIGGER\b", Lock.SHARE_ROW_EXCLUSIVE, Work.NONE),
    (r"RENAME\b", Lock.ACCESS_EXCLUSIVE, Work.NONE),
)


def work_of_column(definition: str) -> Work:
    """What a new column, given from its type on, costs for the rows there are."""
    default = re.search(r"\bDEFAULT\b", definition, re.IGNORECASE)
    constant = CONSTANT.search(definition)
    if default and not (constant and constant.start() == default.start()):
        return Work.REWRITE
    if not PLAIN_TYPE.match(definition) or re.search(r"\bGENERATED\b", definition, re.IGNORECASE):
        return Work.REWRITE
    if re.search(r"\b(?:CHECK|UNIQUE|PRIMARY KEY|REFERENCES)\b", definition, re.IGNORECASE):
        return Work.SCAN
    return Work.SCAN if not default and re.search(r"\bNOT NULL\b", definition, re.IGNORECASE) else Work.NONE
