"""Runs every check of a cutover on the databases that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from service.admin.cutover import checks as findings
from service.admin.cutover.checks import Check, CheckedDatabase, Looked, Role, Status, Unreachable
from service.settings.process import Settings
from service.storage.queries import MIGRATIONS_DIR
from service.storage.schema import Migration, SchemaRefused, list_shipped

See = Callable[[str], Looked | Unreachable]


def of_databases(chosen: Settings, *, migrations: bool, skew_seconds_max: float) -> Iterator[Check]:
    """What is to be said of each database, in order."""
    # One address is dialled once, whatever it is there for.
    see = cache(seen)
    for place in findings.places_of(chosen):
        yield from of_place(place, see, migrations=migrations, skew_seconds_max=skew_seconds_max)


def of_place(
    place: CheckedDatabase, see: See, *, migrations: bool, skew_seconds_max: float
) -> Iterator[Check]:
    found = see(place.dsn) if place.dsn else None
    yield findings.of_connection(place, found)
    serves = place.duty is Role.SERVE
    if not isinstance(found, Looked):
        why = "there is no connection"
        if serves:
            yield findings.skipped("CUTOVER_MIGRATION_MISSING", place, why)
        yield findings.skipped("CUTOVER_ROLE_PRIVILEGES", place, why)
        if serves:
            yield findings.skipped("CUTOVER_CLOCK_SKEW", place, why)
        return
    if serves:
        if migrations:
            yield from of_migrations(place, found)
        else:
            yield findings.skipped("CUTOVER_MIGRATION_MISSING", place, "--check-migrations was not given")
    yield from findings.of_rights(place, found)
    if serves:
        yield findings.of_clock(place, found, skew_seconds_max)


def of_migrations(place: CheckedDatabase, found: Looked) -> Iterator[Check]:
    folder = MIGRATIONS_DIR / "postgres"
    try:
        shipped: tuple[Migration, ...] = list_shipped(folder)
    except FileNotFoundError:
        code = f"POSTGRES_MIGRATIONS_NAMESPACE_NOT_FOUND:{place.namespace}"
        yield Check(code, place.namespace, Status.FAILED, "this build has no folder of migrations")
    except SchemaRefused as refused:
        code = f"CUTOVER_MIGRATIONS_UNUSABLE:{place.namespace}"
        yield Check(code, place.namespace, Status.FAILED, str(refused))
    else:
        yield from findings.of_migrations(place, found, shipped)


def seen(dsn: str) -> Looked | Unreachable:
    # The driver is a good part of the start-up time of the command line.
    from service.admin.cutover.probe import look

    try:
        return look(dsn)
    except Unreachable as reason:
        return reason
