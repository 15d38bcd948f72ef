"""What the roles may do, as the file that grants it says, and where a login differs."""

import pytest
from pglast import ast, parse_sql
from pglast.enums import GrantTargetType, ObjectType

from service.admin.cutover.grants import ROLES, exceeding, granted_to, lacking, told

KINDS = {ObjectType.OBJECT_SEQUENCE: "SEQUENCE ", ObjectType.OBJECT_SCHEMA: "SCHEMA "}
FILE = """
-- GRANT ALL ON remarks TO clerk;
DO $$ BEGIN EXECUTE 'GRANT DELETE ON bodies TO clerk'; END $$;
REVOKE ALL ON orders FROM clerk;
GRANT SELECT, INSERT ON
    orders, queue.jobs
TO clerk, auditor;
GRANT UPDATE (state, done_at) ON orders TO clerk;
GRANT USAGE ON SCHEMA queue TO clerk;
GRANT clerk TO chief;
"""


@pytest.fixture
def path(tmp_path):
    written = tmp_path / "roles.sql"
    written.write_text(FILE)
    return written


def test_a_role_is_granted_what_the_file_says_of_it_and_nothing_else(path):
    assert granted_to("clerk", path) == {
        ("orders", "SELECT"),
        ("orders", "INSERT"),
        ("orders", "UPDATE (state)"),
        ("orders", "UPDATE (done_at)"),
        ("queue.jobs", "SELECT"),
        ("queue.jobs", "INSERT"),
        ("SCHEMA queue", "USAGE"),
    }
    assert granted_to("auditor", path) == {
        (thing, privilege) for thing in ("orders", "queue.jobs") for privilege in ("SELECT", "INSERT")
    }
    assert granted_to("chief", path) == frozenset()


@pytest.mark.parametrize(
    "role", ["dpm_application", "dpm_worker", "dpm_retention", "dpm_reader", "dpm_migrator"]
)
def test_the_shipped_file_is_read_as_postgresql_reads_it(role):
    assert granted_to(role) == rights_in_tree(role)
    assert granted_to(role)


def rights_in_tree(role):
    rights = set()
    for statement in (raw.stmt for raw in parse_sql(ROLES.read_text(encoding="utf-8"))):
        if not isinstance(statement, ast.GrantStmt) or not statement.is_grant:
            continue
        assert statement.targtype == GrantTargetType.ACL_TARGET_OBJECT
        if role not in {grantee.rolename for grantee in statement.grantees}:
            continue
        for thing in statement.objects:
            for privilege in statement.privileges:
                columns = [f" ({column.sval})" for column in privilege.cols or ()] or [""]
                rights |= {(name_of(statement, thing), privilege.priv_name.upper() + one) for one in columns}
    return rights


def name_of(statement, thing):
    if isinstance(thing, ast.String):
        return KINDS[statement.objtype] + thing.sval
    schema = f"{thing.schemaname}." if thing.schemaname else ""
    return KINDS.get(statement.objtype, "") + schema + thing.relname


def test_whoever_may_change_a_table_may_change_its_columns_and_not_the_reverse():
    whole, part = {("orders", "UPDATE")}, {("orders", "UPDATE (state)")}

    assert lacking(whole, part) == frozenset()
    assert lacking(part, whole) == whole
    assert exceeding(whole, part) == whole
    assert exceeding(part, whole) == frozenset()


def test_looking_exceeds_nothing_and_emptying_a_table_does():
    held = {("orders", "SELECT"), ("orders", "TRUNCATE"), ("orders", "OWNER")}

    assert exceeding(held, ()) == {("orders", "TRUNCATE")}


def test_rights_are_told_thing_by_thing():
    assert told({("b", "SELECT"), ("a", "UPDATE (x)"), ("a", "DELETE")}) == (
        "DELETE, UPDATE (x) on a; SELECT on b"
    )
