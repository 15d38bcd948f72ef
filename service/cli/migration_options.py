"""The options that name the databases a migration command is about, one or several (HTTP contract 7.8)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import click
from click.core import ParameterSource

from service.admin.migrations.databases import Target

ALL = "all"


@dataclass(frozen=True, slots=True)
class MigrationTarget:
    """A database, with the namespace it was asked for by, if by one."""

    target: Target
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Namespace:
    """A part of the service that may have a database of its own, and what names that database."""

    name: str
    variable: str

    @property
    def choice(self) -> str:
        return self.name.replace("_", "-")

    @property
    def parameter(self) -> str:
        return f"{self.name}_dsn"

    @property
    def option(self) -> str:
        return f"--{self.choice}-dsn"


RUNS_DSN = "DPM_SUPPORTABILITY_POSTGRES_DSN"
RUNS = Namespace("dpm", RUNS_DSN)
PROPOSALS = Namespace("proposals", "PROPOSAL_POSTGRES_DSN")
PACKS = Namespace("policy_packs", "DPM_POLICY_PACK_POSTGRES_DSN")
NAMESPACES = (RUNS, PROPOSALS, PACKS)


def on_databases(command: Callable[[tuple[MigrationTarget, ...]], None]) -> Callable[..., None]:
    """Gives a command the options that name its databases."""

    @click.option(
        "--sqlite-path",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar=["DPM_SUPPORTABILITY_SQL_PATH", "DPM_SUPPORTABILITY_SQLITE_PATH"],
        default=Path(".data/dpm_supportability.db"),
        show_default=True,
        help="The SQLite file.",
    )
    @click.option(
        "--postgres-dsn",
        envvar=RUNS_DSN,
        help="The address of the PostgreSQL database; one with a password is better left to the variable.",
    )
    @click.option(
        "--target",
        type=click.Choice([*(one.choice for one in NAMESPACES), ALL]),
        help="PostgreSQL databases by what they are for; each once, by the three addresses that follow.",
    )
    @click.option("--dpm-dsn", envvar=RUNS.variable, help="The database of the runs.")
    @click.option("--proposals-dsn", envvar=PROPOSALS.variable, help="The database of proposals.")
    @click.option("--policy-packs-dsn", envvar=PACKS.variable, help="The database of policy packs.")
    @click.pass_context
    @wraps(command)
    def asked(context: click.Context, /, **_: object) -> None:
        command(aims_of(context))

    return asked


def aims_of(context: click.Context) -> tuple[MigrationTarget, ...]:
    """The databases of the command line, else the one the service would use."""
    given = {name for name in context.params if is_given(context, name)}
    by_namespace = given & {"target", *(one.parameter for one in NAMESPACES)}
    by_place = given & {"sqlite_path", "postgres_dsn"}
    if by_namespace and by_place:
        raise click.UsageError(
            "--sqlite-path and --postgres-dsn name one database; give no --target with them"
        )
    if by_namespace:
        return by_target(context, context.params["target"] or ALL)
    if len(by_place) > 1:
        raise click.UsageError("--sqlite-path and --postgres-dsn name two databases; give one")
    postgres = "postgres_dsn" in by_place
    serving = os.environ.get("DPM_SUPPORTABILITY_STORE_BACKEND", "").strip().upper()
    if not postgres and (by_place or serving != "POSTGRES"):
        return (MigrationTarget(context.params["sqlite_path"]),)
    dsn = (context.params["postgres_dsn"] or "").strip()
    if not dsn:
        raise click.UsageError(f"give --postgres-dsn or set {RUNS_DSN}")
    return (MigrationTarget(dsn),)


def by_target(context: click.Context, wanted: str) -> tuple[MigrationTarget, ...]:
    """The databases of the namespaces that are wanted; one that several share comes once."""
    aims: dict[str, MigrationTarget] = {}
    for namespace in NAMESPACES:
        if wanted in (namespace.choice, ALL):
            dsn = address_of(context, namespace)
            if not dsn and namespace is PACKS:
                # The catalog is beside the runs unless another place is given.
                dsn = address_of(context, RUNS)
            if not dsn:
                raise click.ClickException(
                    f"POSTGRES_MIGRATION_DSN_REQUIRED:{namespace.name}: "
                    f"give {namespace.option} or set {namespace.variable}"
                )
            aims.setdefault(dsn, MigrationTarget(dsn, namespace.name))
    return tuple(aims.values())


def address_of(context: click.Context, namespace: Namespace) -> str:
    return (context.params[namespace.parameter] or "").strip()


def is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE
