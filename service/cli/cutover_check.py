"""Looks whether a deployment may take over the traffic: every check at once, and nothing is changed."""

from __future__ import annotations

import json

import click

from service.admin.cutover import checks as findings
from service.admin.cutover.checks import Check, Status
from service.admin.cutover.run import of_databases
from service.settings import process
from service.settings.process import Settings, SettingsInvalid

EXIT_NOT_READY = 1
SKEW_SECONDS_MAX = 2.0


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
