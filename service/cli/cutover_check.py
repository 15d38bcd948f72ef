"""Looks whether a deployment may take over the traffic: every check at once, and nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache

import click

from service.admin.cutover import checks as findings
from service.admin.cutover.checks import Check, Duty, Looked, Place, Status, Unreachable
from service.settings import process
from service.settings.process import Settings, SettingsInvalid
from service.storage.queries import MIGRATIONS_DIR
from service.storage.schema import Migration, SchemaRefused, list_shipped

EXIT_NOT_READY = 1
SKEW_SECONDS_MAX = 2.0

See = Callable[[str], Looked | Unreachable]


@click.command("cutover-check")
@click.option(
    "--check-migrations", is_flag=True, help="Also compare what was applied with what this build has."
)
@click.option("--json", "as_json", is_flag=True, help="Print every check as one JSON document.")
@click.option(
    "--skew-seconds-max",
    type=click.FloatRange(min=0),
    default=SKEW_SECONDS_MAX,
    show_default=True,
    help="The clocks of the databases and of this process must be less than so far apart.",
)
def cutover_check(check_migrations: bool, as_json: bool, skew_seconds_max: float) -> None:
    """Check the settings and the databases of this environment before traffic is switched over.

    Exit 0 if nothing fails, 1 otherwise, with every check that fails; passwords are never printed.
    """
    try:
        chosen = process.read_given()
    except SettingsInvalid as reason:
        report(None, list(findings.of_unusable_settings(reason)), as_json=as_json)
        return
    checks = [
        *findings.of_settings(chosen),
        *of_databases(chosen, migrations=check_migrations, skew_seconds_max=skew_seconds_max),
    ]
    report(chosen, checks, as_json=as_json)


def of_databases(chosen: Settings, *, migrations: bool, skew_seconds_max: float) -> Iterator[Check]:
    """What is to be said of each database, in order."""
    # One address is dialled once, whatever it is there for.
    see = cache(seen)
    for place in findings.places_of(chosen):
        yield from of_place(place, see, migrations=migrations, skew_seconds_max=skew_seconds_max)


def of_place(place: Place, see: See, *, migrations: bool, skew_seconds_max: float) -> Iterator[Check]:
    found = see(place.dsn) if place.dsn else None
    yield findings.of_connection(place, found)
    serves = place.duty is Duty.SERVE
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


def of_migrations(place: Place, found: Looked) -> Iterator[Check]:
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


def report(chosen: Settings | None, checks: list[Check], *, as_json: bool) -> None:
    """Prints what was found. Raises SystemExit if something failed."""
    failed = [check for check in checks if check.status is Status.FAILED]
    if as_json:
        document = {
            "ready": not failed,
            "profile": None if chosen is None else chosen.profile.value,
            "checks": [
                {"code": one.code, "namespace": one.namespace, "status": one.status.value, "text": one.text}
                for one in checks
            ],
        }
        click.echo(json.dumps(document, indent=2))
    elif failed:
        for check in failed:
            click.echo(f"{check.code}  {check.text}")
    else:
        passed = sum(check.status is Status.PASSED for check in checks)
        click.echo(f"ready for cutover: {passed} checks passed, {len(checks) - passed} skipped")
    if failed:
        raise SystemExit(EXIT_NOT_READY)
