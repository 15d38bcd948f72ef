"""What a plan says of a statement, held against what PostgreSQL does when it runs it."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from scripts.harness.postgres import create_database, drop_database
from service.admin.migrations.lock_plan import Lock, LockRequest, Work, asked_by
from service.admin.migrations.runner import read_text
from service.storage.schema import shipped_for
from tests.conftest import OURS
from tests.waiting import wait_for

LOCK_OF = {f"{lock.name.replace('_', ' ').title().replace(' ', '')}Lock": lock for lock in Lock}

TABLES = "SELECT oid, relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
LOCKS = """
SELECT relation, mode FROM pg_locks
WHERE pid = %s AND locktype = 'relation' AND granted AND relation = ANY(%s)
"""
WAITS = "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
WORK = """
SELECT oid, pg_relation_filenode(oid), pg_stat_get_xact_numscans(oid) FROM pg_class WHERE oid = ANY(%s)
"""

SCENE = """
CREATE TABLE parent (id integer PRIMARY KEY, n integer NOT NULL, word text, CONSTRAINT small CHECK (n < 10));
CREATE TABLE child (id integer PRIMARY KEY, parent_id integer, word text);
CREATE INDEX parent_by_word ON parent (word);
CREATE UNIQUE INDEX parent_by_n ON parent (n);
CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER parent_stays AFTER UPDATE ON parent FOR EACH STATEMENT EXECUTE FUNCTION stay();
ALTER TABLE parent ADD CONSTRAINT later CHECK (id > 0) NOT VALID;
ALTER TABLE child ADD CONSTRAINT kept FOREIGN KEY (parent_id) REFERENCES parent NOT VALID;
INSERT INTO parent VALUES (1, 1, 'one');
INSERT INTO child VALUES (1, 1, 'one');
"""

EXACT = [
    ("SET LOCAL lock_timeout = '3s'", Lock.NONE, Work.NONE),
    ("SELECT 1", Lock.NONE, Work.NONE),
    ("GRANT SELECT ON parent, child TO reading", Lock.NONE, Work.NONE),
    ("REVOKE SELECT ON parent FROM reading", Lock.NONE, Work.NONE),
    ("CREATE TABLE alone (id integer PRIMARY KEY)", Lock.NONE, Work.NONE),
    ("CREATE TABLE near (id integer REFERENCES parent)", Lock.SHARE_ROW_EXCLUSIVE, Work.NONE),
    (
        'CREATE TABLE IF NOT EXISTS "Near" (id integer, FOREIGN KEY (id) REFERENCES public.parent (id))',
        Lock.SHARE_ROW_EXCLUSIVE,
        Work.NONE,
    ),
    ("CREATE TABLE own (id integer PRIMARY KEY, up integer REFERENCES own)", Lock.NONE, Work.NONE),
    ("CREATE FUNCTION two() RETURNS integer LANGUAGE sql AS $$ SELECT 2 $$", Lock.NONE, Work.NONE),
    ("CREATE INDEX ON parent (n)", Lock.SHARE, Work.SCAN),
    (
        "CREATE UNIQUE INDEX IF NOT EXISTS two_words ON ONLY public.parent USING btree (word)",
        Lock.SHARE,
        Work.SCAN,
    ),
    ("DROP INDEX parent_by_word", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    (
        "CREATE TRIGGER again AFTER INSERT OR UPDATE OF n ON parent FOR EACH ROW EXECUTE FUNCTION stay()",
        Lock.SHARE_ROW_EXCLUSIVE,
        Work.NONE,
    ),
    ("COMMENT ON TABLE parent IS 'ALTER TABLE child'", Lock.SHARE_UPDATE_EXCLUSIVE, Work.NONE),
    ("INSERT INTO parent VALUES (2, 2, 'SELECT x FROM child')", Lock.ROW_EXCLUSIVE, Work.NONE),
    (
        "INSERT INTO parent (id, n) SELECT id + 1, 3 FROM child AS others WHERE word = 'one'",
        Lock.ROW_EXCLUSIVE,
        Work.SCAN,
    ),
    ("UPDATE parent SET word = 'two; three'", Lock.ROW_EXCLUSIVE, Work.SCAN),
    ("DELETE FROM child WHERE word = 'one'", Lock.ROW_EXCLUSIVE, Work.SCAN),
    ('ALTER TABLE parent ADD COLUMN plain text COLLATE "C"', Lock.ACCESS_EXCLUSIVE, Work.NONE),
    ("ALTER TABLE parent ADD COLUMN c text NOT NULL DEFAULT 'a, b'", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    ("ALTER TABLE parent ADD COLUMN c bigint DEFAULT -1", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    ("ALTER TABLE parent ADD COLUMN c timestamptz NOT NULL DEFAULT now()", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    (
        "ALTER TABLE parent ADD COLUMN c timestamptz DEFAULT clock_timestamp()",
        Lock.ACCESS_EXCLUSIVE,
        Work.REWRITE,
    ),
    ("ALTER TABLE parent ADD COLUMN c uuid DEFAULT gen_random_uuid()", Lock.ACCESS_EXCLUSIVE, Work.REWRITE),
    ("ALTER TABLE parent ADD COLUMN c bigserial", Lock.ACCESS_EXCLUSIVE, Work.REWRITE),
    (
        "ALTER TABLE parent ADD COLUMN c integer GENERATED ALWAYS AS (n + 1) STORED",
        Lock.ACCESS_EXCLUSIVE,
        Work.REWRITE,
    ),
    ("ALTER TABLE parent ADD COLUMN c integer CHECK (c > 0)", Lock.ACCESS_EXCLUSIVE, Work.SCAN),
    ("ALTER TABLE parent ADD CONSTRAINT c CHECK (n > 0)", Lock.ACCESS_EXCLUSIVE, Work.SCAN),
    ("ALTER TABLE parent ADD CONSTRAINT c CHECK (n > 0) NOT VALID", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    ("ALTER TABLE parent ADD CONSTRAINT c UNIQUE (id, n)", Lock.ACCESS_EXCLUSIVE, Work.SCAN),
    ("ALTER TABLE parent ADD CONSTRAINT c UNIQUE USING INDEX parent_by_n", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    (
        "ALTER TABLE child ADD CONSTRAINT c FOREIGN KEY (parent_id) REFERENCES parent",
        Lock.SHARE_ROW_EXCLUSIVE,
        Work.SCAN,
    ),
    (
        "ALTER TABLE child ADD CONSTRAINT c FOREIGN KEY (parent_id) REFERENCES parent NOT VALID",
        Lock.SHARE_ROW_EXCLUSIVE,
        Work.NONE,
    ),
    ("ALTER TABLE parent VALIDATE CONSTRAINT later", Lock.SHARE_UPDATE_EXCLUSIVE, Work.SCAN),
    ("ALTER TABLE child VALIDATE CONSTRAINT kept", Lock.SHARE_UPDATE_EXCLUSIVE, Work.SCAN),
    ("ALTER TABLE parent DROP CONSTRAINT small", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    ("ALTER TABLE parent ALTER COLUMN n TYPE bigint", Lock.ACCESS_EXCLUSIVE, Work.REWRITE),
    ("ALTER TABLE parent ALTER n SET DEFAULT 7", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    ("ALTER TABLE parent ALTER COLUMN word SET NOT NULL", Lock.ACCESS_EXCLUSIVE, Work.SCAN),
    ("ALTER TABLE parent ALTER COLUMN n DROP NOT NULL", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    ("ALTER TABLE parent ALTER COLUMN word SET COMPRESSION lz4", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    ("ALTER TABLE parent ALTER COLUMN word SET STORAGE EXTERNAL", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    ("ALTER TABLE parent ALTER COLUMN word SET STATISTICS 100", Lock.SHARE_UPDATE_EXCLUSIVE, Work.NONE),
    ("ALTER TABLE parent SET (fillfactor = 90)", Lock.SHARE_UPDATE_EXCLUSIVE, Work.NONE),
    ("ALTER TABLE parent DISABLE TRIGGER parent_stays", Lock.SHARE_ROW_EXCLUSIVE, Work.NONE),
    ("ALTER TABLE parent RENAME COLUMN word TO words", Lock.ACCESS_EXCLUSIVE, Work.NONE),
    (
        "ALTER TABLE ONLY parent ADD COLUMN c text, ADD CHECK (n > 0), ALTER word SET STATISTICS 9",
        Lock.ACCESS_EXCLUSIVE,
        Work.SCAN,
    ),
]
ALONE = [
    ("CREATE INDEX CONCURRENTLY IF NOT EXISTS c ON parent (n)", Lock.SHARE_UPDATE_EXCLUSIVE),
    ("CREATE UNIQUE INDEX CONCURRENTLY c ON public.parent (n)", Lock.SHARE_UPDATE_EXCLUSIVE),
    ("DROP INDEX CONCURRENTLY IF EXISTS parent_by_word", Lock.SHARE_UPDATE_EXCLUSIVE),
]
# More is said than is done: what is not known to be harmless is taken for harm.
CAUTIOUS = [
    "TRUNCATE child",
    "DROP TABLE child",
    "LOCK TABLE parent IN SHARE MODE",
    "DO $$ BEGIN UPDATE parent SET n = 3; END $$",
    "WITH gone AS (DELETE FROM child RETURNING id) SELECT count(*) FROM gone",
    "CREATE TABLE copied AS SELECT id FROM parent",
    "CREATE TABLE alike (LIKE parent)",
    "INSERT INTO child SELECT 5, parent.id FROM child, parent",
    "ALTER TABLE parent DROP COLUMN word",
    "ALTER TABLE parent ADD COLUMN c integer NOT NULL DEFAULT (1 + 1)",
    "ALTER TABLE child SET UNLOGGED",
    "CLUSTER parent USING parent_by_n",
    "CREATE VIEW words AS SELECT word FROM parent",
]

# What triggers write does not stand in the words of a statement; nobody is held up by an insert.
WRITTEN_BY_TRIGGERS = {"dpm_tally_changes"}


@dataclass(frozen=True)
class Seen:
    """The strongest lock on a table that was there before, the tables that have it, the work on any."""

    lock: Lock
    tables: frozenset[str]
    work: Work


def seen_in_transaction(conn, statement, existing, *, undone):
    with conn.transaction(force_rollback=undone):
        before = {oid: rest for oid, *rest in conn.execute(WORK, [list(existing)])}
        conn.execute(statement)
        held = conn.execute(LOCKS, [conn.info.backend_pid, list(existing)]).fetchall()
        after = {oid: rest for oid, *rest in conn.execute(WORK, [list(existing)])}
    rewritten = any(oid in after and after[oid][0] != file for oid, (file, _) in before.items())
    scanned = any(oid in after and after[oid][1] != scans for oid, (_, scans) in before.items())
    return seen(held, existing, Work.REWRITE if rewritten else Work.SCAN if scanned else Work.NONE)


def seen_alone(dsn, conn, statement, existing):
    """What a statement holds that cannot be in a transaction, while a writer makes it wait."""
    with closing(psycopg.connect(dsn)) as writer, closing(psycopg.connect(dsn, autocommit=True)) as runner:
        for name in existing.values():
            writer.execute(sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(sql.Identifier(name)))
        running = threading.Thread(target=runner.execute, args=[statement])
        running.start()
        wait_for(
            lambda: (
                not running.is_alive() or conn.execute(WAITS, [runner.info.backend_pid]).fetchone() != (0,)
            ),
            "the statement to wait or to be done",
        )
        held = conn.execute(LOCKS, [runner.info.backend_pid, list(existing)]).fetchall()
        writer.rollback()
        running.join()
    return seen(held, existing, Work.NONE)


def seen(held, existing, work):
    strongest = max((LOCK_OF[mode] for _, mode in held), default=Lock.NONE)
    tables = frozenset(existing[oid] for oid, mode in held if LOCK_OF[mode] is strongest)
    return Seen(strongest, tables, work)


@pytest.fixture(scope="module")
def scene(postgres_server):
    """Two tables with a row each, and a role; what a test does to them is undone."""
    name = f"{OURS}_scene"
    dsn = create_database(postgres_server, name)
    with closing(psycopg.connect(dsn, autocommit=True)) as conn:
        conn.execute(SCENE)
        conn.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role_of(conn))))
        yield conn
        conn.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role_of(conn))))
        conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role_of(conn))))
    drop_database(postgres_server, name)


@pytest.fixture
def own_scene(dsn):
    """The two tables in a database of the test's own."""
    with closing(psycopg.connect(dsn, autocommit=True)) as conn:
        conn.execute(SCENE)
        yield conn


def role_of(conn):
    # Roles belong to the whole server.
    return f"{conn.info.dbname}_reading"


@pytest.mark.parametrize(("statement", "lock", "work"), EXACT)
def test_a_plan_says_what_is_done(scene, statement, lock, work):
    existing = dict(scene.execute(TABLES).fetchall())

    (asked,) = asked_by([statement])
    done = seen_in_transaction(scene, statement.replace("reading", role_of(scene)), existing, undone=True)

    assert (done.lock, done.work) == (lock, work)
    assert (asked.lock, asked.work, asked.assumed) == (lock, work, False)
    if not statement.startswith("DROP INDEX"):
        assert done.tables <= set(asked.tables)


@pytest.mark.parametrize(("statement", "lock"), ALONE)
def test_a_plan_says_what_is_done_outside_a_transaction(dsn, own_scene, statement, lock):
    existing = dict(own_scene.execute(TABLES).fetchall())

    (asked,) = asked_by([statement])
    done = seen_alone(dsn, own_scene, statement, existing)

    assert (asked.lock, asked.assumed) == (lock, False)
    assert (done.lock, done.tables) == (lock, {"parent"})


@pytest.mark.parametrize("statement", CAUTIOUS)
def test_what_is_not_known_is_assumed_to_be_the_worst(scene, statement):
    existing = dict(scene.execute(TABLES).fetchall())

    (asked,) = asked_by([statement])
    done = seen_in_transaction(scene, statement, existing, undone=True)

    assert asked.lock is Lock.ACCESS_EXCLUSIVE
    assert asked.work is Work.REWRITE
    assert done.lock <= asked.lock


def test_every_shipped_statement_is_known_and_does_no_more_than_its_plan_says(dsn):
    with closing(psycopg.connect(dsn, autocommit=True)) as conn:
        for migration in shipped_for("postgres"):
            existing = dict(conn.execute(TABLES).fetchall())
            text = read_text(migration.path)
            for statement, asked in zip(text.statements, asked_by(text.statements), strict=True):
                done = (
                    seen_in_transaction(conn, statement, existing, undone=False)
                    if "CONCURRENTLY" not in statement
                    else seen_alone(dsn, conn, statement, existing)
                )
                assert not asked.assumed, statement
                assert done.lock is asked.lock, statement
                assert done.work <= asked.work, statement
                told = {*asked.tables, *asked.reads, *WRITTEN_BY_TRIGGERS}
                assert not asked.tables or done.tables <= told, statement


def test_a_table_made_in_the_same_file_is_nobodys_yet():
    asked = asked_by(
        [
            "-- A comment, and; a semicolon.\nCREATE TABLE new (id integer);",
            "CREATE INDEX ON new (id);",
            "ALTER TABLE new ADD CHECK (id > 0), ADD FOREIGN KEY (id) REFERENCES old;",
            "INSERT INTO new SELECT id FROM old;",
        ]
    )

    assert asked == (
        LockRequest(),
        LockRequest(),
        LockRequest(Lock.ACCESS_EXCLUSIVE, ("old",), Work.SCAN),
        LockRequest(Lock.ACCESS_SHARE, ("old",), Work.SCAN),
    )
    assert [str(one) for one in asked] == [
        "locks no existing table",
        "locks no existing table",
        "ACCESS EXCLUSIVE on old, scans",
        "ACCESS SHARE on old, scans",
    ]


def test_an_assumption_says_that_it_is_one():
    (asked,) = asked_by(["VACUUM FULL"])

    assert str(asked) == "ACCESS EXCLUSIVE (assumed), rewrites"
