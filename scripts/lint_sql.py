"""Lints the SQL: squawk and house rules on what PostgreSQL gets, a trial run on what SQLite gets.

One line per finding, `file:line: message`, and exit code 1; one line and exit code 0 when there is none.
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pglast import ast, parse_sql
from pglast.enums import AlterTableType, ObjectType
from pglast.parser import ParseError

from service.admin.migrations.migrate import apply
from service.storage.queries import MIGRATIONS_DIR, SQL_DIR, Query, load
from service.storage.schema import SchemaRefused

ROOT = Path(__file__).resolve().parents[1]
PG_VERSION = "17.0"
# Rules of squawk that are left out, each with its reason.
SQUAWK_EXCLUDED = {"ban-drop-constraint": "one may be dropped to be put back wider, which is checked here"}
# Findings in one file that are let pass, each with its reason.
ENGINES_OWN = "the tables of the queue are its engine's, and its engine expects them as it makes them"
LET_PASS = {
    ("migrations/postgres/0006.job_queue.sql", "prefer-identity"): ENGINES_OWN,
    ("migrations/postgres/0006.job_queue.sql", "prefer-bigint-over-int"): ENGINES_OWN,
}
SQUAWK_LINE = re.compile(r"^(?P<path>[^:\n]+):(?P<line>\d+):\d+: \w+: (?P<message>.+)$", re.MULTILINE)

TIMEOUTS = ("lock_timeout", "statement_timeout")
# The runner reads its directives from the comments a file begins with, and from nowhere else.
NOT_IN_TRANSACTION = re.compile(r"^\s*--\s*transactional\s*:\s*(?!true\s*$)", re.MULTILINE | re.IGNORECASE)
LEADING = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)
NOT_REPEATABLE = (
    "outside a transaction only SET, CREATE INDEX CONCURRENTLY IF NOT EXISTS, "
    "DROP INDEX CONCURRENTLY IF EXISTS and REINDEX INDEX CONCURRENTLY bear being repeated"
)


@dataclass(frozen=True, slots=True)
class Finding:
    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{shown(self.path)}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Statement:
    node: ast.Node
    line: int


def main() -> int:
    migrations = sorted((MIGRATIONS_DIR / "postgres").glob("*.sql"))
    findings = [
        *squawk(migrations),
        *check_migrations(migrations),
        *check_postgres_queries(),
        *check_sqlite_queries(),
    ]
    for finding in findings:
        print(finding)
    if not findings:
        print("SQL: no findings")
    return 1 if findings else 0


def squawk(migrations: list[Path]) -> Iterator[Finding]:
    in_transaction = [path for path in migrations if is_transactional(path)]
    alone = [path for path in migrations if not is_transactional(path)]
    for paths, options in ((in_transaction, ["--assume-in-transaction"]), (alone, [])):
        if not paths:
            continue
        excluded = [f"--exclude={rule}" for rule in SQUAWK_EXCLUDED]
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("squawk")),
                "--reporter=gcc",
                f"--pg-version={PG_VERSION}",
                *options,
                *excluded,
                *map(shown, paths),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        found = list(SQUAWK_LINE.finditer(done.stdout))
        yield from (squawk_finding(match) for match in found if not is_let_pass(match))
        if done.returncode and not found:
            yield Finding(paths[0], 1, f"squawk gave up: {done.stdout}{done.stderr}".strip())


def is_let_pass(match: re.Match[str]) -> bool:
    rule, _, _ = match["message"].partition(" ")
    return (match["path"], rule) in LET_PASS


def squawk_finding(match: re.Match[str]) -> Finding:
    # Its lines count from 0.
    return Finding(ROOT / match["path"], int(match["line"]) + 1, match["message"])


def check_migrations(migrations: list[Path]) -> Iterator[Finding]:
    created_earlier: set[str] = set()
    for path in migrations:
        source = path.read_text(encoding="utf-8")
        try:
            statements = statements_of(source)
        except ParseError as error:
            message, offset = error.args
            yield Finding(path, line_at(source, offset), f"does not parse: {message}")
            continue
        yield from check_timeouts(path, statements)
        yield from check_constraints(path, statements)
        transactional = is_transactional(path)
        for statement in statements:
            if transactional:
                yield from check_statement(path, statement, created_earlier)
            elif not bears_repeating(statement.node):
                yield Finding(path, statement.line, NOT_REPEATABLE)
        created_earlier |= {
            statement.node.relation.relname
            for statement in statements
            if isinstance(statement.node, ast.CreateStmt)
        }


def check_timeouts(path: Path, statements: list[Statement]) -> Iterator[Finding]:
    """Both time-outs come before any work, or a waiting lock holds up every reader behind it."""
    transactional = is_transactional(path)
    missing = set(TIMEOUTS)
    for statement in statements:
        node = statement.node
        if not isinstance(node, ast.VariableSetStmt):
            break
        if node.name in missing:
            missing.discard(node.name)
            if bool(node.is_local) != transactional:
                wanted = "SET LOCAL" if transactional else "SET"
                yield Finding(path, statement.line, f"{node.name} is not set with {wanted}")
    for name in TIMEOUTS:
        if name in missing:
            yield Finding(path, 1, f"{name} is not set before the first statement")


def check_constraints(path: Path, statements: list[Statement]) -> Iterator[Finding]:
    """A constraint may be dropped for a wider one of its name, which has no other way in."""
    changes = [
        (statement.line, statement.node.relation.relname, command)
        for statement in statements
        if isinstance(statement.node, ast.AlterTableStmt)
        for command in statement.node.cmds
    ]
    put_back = {
        (table, command.def_.conname)
        for _, table, command in changes
        if command.subtype == AlterTableType.AT_AddConstraint
    }
    for line, table, command in changes:
        if command.subtype == AlterTableType.AT_DropConstraint and (table, command.name) not in put_back:
            yield Finding(path, line, f"constraint {command.name} is dropped and not put back")


def check_statement(path: Path, statement: Statement, created_earlier: set[str]) -> Iterator[Finding]:
    node = statement.node
    match node:
        case ast.AlterTableStmt():
            if any(command.subtype == AlterTableType.AT_DropColumn for command in node.cmds):
                yield Finding(path, statement.line, "a column is dropped")
        case ast.IndexStmt():
            if not node.concurrent and node.relation.relname in created_earlier:
                message = f"index {node.idxname} locks {node.relation.relname}: build it CONCURRENTLY"
                yield Finding(path, statement.line, message)
        case _:
            if type(node).__name__.startswith("Drop"):
                yield Finding(path, statement.line, "something is dropped")


def bears_repeating(node: ast.Node) -> bool:
    """Whether a statement outside a transaction may be run again after a break at any point."""
    match node:
        case ast.VariableSetStmt():
            return True
        case ast.IndexStmt():
            return bool(node.concurrent and node.if_not_exists)
        case ast.ReindexStmt():
            return any(option.defname == "concurrently" for option in node.params or ())
        case ast.DropStmt():
            # An index that another one replaces; without it nothing is lost that cannot be built again.
            is_index = node.removeType == ObjectType.OBJECT_INDEX
            return bool(is_index and node.concurrent and node.missing_ok)
    return False


def check_postgres_queries() -> Iterator[Finding]:
    for path, line, query in queries_of("postgres"):
        try:
            count = len(parse_sql(query.text))
        except ParseError as error:
            yield Finding(path, line, f"{query.name} does not parse: {error.args[0]}")
            continue
        if count != 1:
            yield Finding(path, line, f"{query.name} is {count} statements")


def check_sqlite_queries() -> Iterator[Finding]:
    with TemporaryDirectory() as folder:
        database = Path(folder) / "lint.db"
        try:
            apply(database)
        except SchemaRefused as refusal:
            yield Finding(MIGRATIONS_DIR / "sqlite", 1, str(refusal))
            return
        with closing(sqlite3.connect(database)) as conn:
            for path, line, query in queries_of("sqlite"):
                try:
                    conn.execute(f"EXPLAIN {query.text}", dict.fromkeys(query.params)).fetchall()
                except sqlite3.Error as error:
                    yield Finding(path, line, f"{query.name} cannot be run: {error}")


def queries_of(dialect: str) -> Iterator[tuple[Path, int, Query]]:
    for path in sorted((SQL_DIR / dialect).glob("*.sql")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for name, query in load(dialect, path.stem).items():
            yield path, lines.index(f"-- name: {name}") + 1, query


def statements_of(source: str) -> list[Statement]:
    return [
        Statement(raw.stmt, line_at(source, start_of(source, raw.stmt_location))) for raw in parse_sql(source)
    ]


def start_of(source: str, offset: int) -> int:
    """Where a statement's own text begins, past the comments that come with it."""
    leading = LEADING.match(source, offset)
    assert leading is not None, "the pattern matches the empty text too"
    return leading.end()


def line_at(source: str, offset: int) -> int:
    return source.count("\n", 0, offset) + 1


def is_transactional(path: Path) -> bool:
    source = path.read_text(encoding="utf-8")
    return NOT_IN_TRANSACTION.search(source[: start_of(source, 0)]) is None


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
