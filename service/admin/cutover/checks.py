"""What must be true before traffic is switched over, and whether it is, from what was given and seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from service.admin.cutover.grants import Right, exceeding, granted_to, lacking, told
from service.settings import production
from service.settings.process import Settings
from service.settings.proposals import Profile
from service.storage.schema import Migration

SETTINGS = "settings"


class Status(Enum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; the code is that of its failing."""

    code: str
    namespace: str
    status: Status
    text: str


class Role(Enum):
    """What a login is there for, by the role whose rights it needs."""

    SERVE = "dpm_application"
    REMOVE = "dpm_retention"

    @property
    def needs(self) -> frozenset[Right]:
        return granted_to(self.value)

    @property
    def may_have(self) -> frozenset[Right]:
        # Workers are told the same address.
        return self.needs | granted_to("dpm_worker") if self is Role.SERVE else self.needs


class Unreachable(Exception):
    """The database does not answer, or its address cannot be read; the message has no password."""


@dataclass(frozen=True, slots=True)
class MigrationHistory:
    """The applied migrations with their digests, and the names of invalid indexes."""

    applied: Mapping[str, str | None]
    invalid_indexes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one login has seen of a database."""

    shown: str
    login: str
    is_superuser: bool
    # With each table OWNER, or THERE where it is another's.
    rights: frozenset[Right]
    # None where the login may not read them.
    history: MigrationHistory | None
    # By how much the database's clock is ahead of this process's.
    skew_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDatabase:
    """A database by its address, by what for, and by why it is not looked at where there is no address."""

    namespace: str
    duty: Role
    dsn: str
    absent: str


def places_of(chosen: Settings) -> tuple[CheckedDatabase, ...]:
    """Every database the settings name, in the order of the report."""
    proposals, policy = chosen.proposals, chosen.policy
    apart = not chosen.proposals_beside_runs
    return (
        CheckedDatabase(
            namespace="dpm",
            duty=Role.SERVE,
            dsn=chosen.postgres_dsn,
            absent="DPM_SUPPORTABILITY_POSTGRES_DSN is not set",
        ),
        CheckedDatabase(
            namespace="proposals",
            duty=Role.SERVE,
            dsn=proposals.postgres_dsn,
            absent="PROPOSAL_POSTGRES_DSN is not set",
        ),
        CheckedDatabase(
            namespace="policy_packs",
            duty=Role.SERVE,
            dsn=policy.postgres_dsn if policy.postgres_dsn_given else "",
            absent="DPM_POLICY_PACK_POSTGRES_DSN is not set",
        ),
        CheckedDatabase(
            namespace="dpm_retention",
            duty=Role.REMOVE,
            dsn=chosen.postgres_retention_dsn,
            absent="neither DPM_RETENTION_POSTGRES_DSN nor the address that serves is set",
        ),
        CheckedDatabase(
            namespace="proposals_retention",
            duty=Role.REMOVE,
            dsn=proposals.postgres_retention_dsn if apart else "",
            absent="proposals have no database of their own to remove from",
        ),
    )


def of_settings(chosen: Settings) -> Iterator[Check]:
    """The profile, and each of its demands."""
    is_production = chosen.profile is Profile.PRODUCTION
    yield Check(
        "CUTOVER_PROFILE_NOT_PRODUCTION",
        SETTINGS,
        Status.PASSED if is_production else Status.FAILED,
        "APP_PERSISTENCE_PROFILE " + ("is" if is_production else "must be") + " PRODUCTION",
    )
    failed = {fault.code for fault in production.faults_of(chosen)}
    for demand in production.DEMANDS:
        status = Status.FAILED if demand.code in failed else Status.PASSED
        yield Check(demand.code, SETTINGS, status, f"{demand.variable} {demand.text}")


def of_unusable_settings(reason: Exception) -> Iterator[Check]:
    """Nothing else can be looked at."""
    yield Check("CUTOVER_SETTINGS_INVALID", SETTINGS, Status.FAILED, str(reason))


def of_connection(place: CheckedDatabase, seen: Looked | Unreachable | None) -> Check:
    """Whether the database answers; None where there is no address."""
    code, name = f"CUTOVER_CONNECTION_FAILED:{place.namespace}", place.namespace
    match seen:
        case None:
            return Check(code, name, Status.SKIPPED, place.absent)
        case Looked():
            return Check(code, name, Status.PASSED, f"{seen.shown} answers, and calls us {seen.login}")
        case Unreachable():
            return Check(code, name, Status.FAILED, str(seen))


def of_migrations(place: CheckedDatabase, seen: Looked, shipped: tuple[Migration, ...]) -> Iterator[Check]:
    """Every way in which a database differs from what this build expects of it."""
    differences = list(_differences_of(place.namespace, seen, shipped))
    for code, text in differences:
        yield Check(code, place.namespace, Status.FAILED, f"{seen.shown}: {text}")
    if not differences:
        text = f"{seen.shown}: {len(shipped)} migrations, as this build has them"
        yield Check(f"CUTOVER_MIGRATION_MISSING:{place.namespace}", place.namespace, Status.PASSED, text)


def _differences_of(name: str, seen: Looked, shipped: tuple[Migration, ...]) -> Iterator[tuple[str, str]]:
    if not shipped:
        yield f"CUTOVER_MIGRATIONS_EMPTY:{name}", "this build has no migrations"
        return
    if seen.history is None:
        yield f"CUTOVER_MIGRATIONS_UNREADABLE:{name}", f"{seen.login} may not read what was applied"
        return
    applied = seen.history.applied
    if not applied:
        yield "CUTOVER_SCHEMA_MIGRATIONS_TABLE_MISSING", f"no migration was applied for {name}"
        return
    if missing := [migration for migration in shipped if migration.migration_id not in applied]:
        listed = ", ".join(migration.migration_id for migration in missing)
        yield f"CUTOVER_MIGRATION_MISSING:{name}:{missing[0].number:04d}", f"not applied: {listed}"
    for migration in shipped:
        kept = applied.get(migration.migration_id, migration.sha256)
        if kept != migration.sha256:
            how = (
                "without the digest of its text" if kept is None else "with another text than this build has"
            )
            code = f"CUTOVER_MIGRATION_CHECKSUM_MISMATCH:{name}:{migration.number:04d}"
            yield code, f"{migration.migration_id} was applied {how}"
    for unknown in sorted(applied.keys() - {migration.migration_id for migration in shipped}):
        yield f"CUTOVER_MIGRATION_UNKNOWN:{name}:{unknown}", f"this build does not know {unknown}"
    for index in seen.history.invalid_indexes:
        yield f"CUTOVER_INDEX_INVALID:{name}:{index}", f"index {index} is invalid; migrate apply repairs it"


def of_rights(place: CheckedDatabase, seen: Looked) -> Iterator[Check]:
    """Whether the login has the rights of its role, all of them and no more."""
    code, role = f"CUTOVER_ROLE_PRIVILEGES:{place.namespace}", place.duty.value
    faults = list(_faults_of_rights(place.duty, seen))
    for kind, text in faults:
        yield Check(f"{code}:{kind}", place.namespace, Status.FAILED, f"{seen.shown}: {seen.login} {text}")
    if not faults:
        text = f"{seen.shown}: {seen.login} may do what {role} may, and changes nothing else"
        yield Check(code, place.namespace, Status.PASSED, text)


def _faults_of_rights(duty: Role, seen: Looked) -> Iterator[tuple[str, str]]:
    if seen.is_superuser:
        yield "SUPERUSER", "is a superuser, or may become one"
        return
    owned = {thing for thing, privilege in seen.rights if privilege == "OWNER"}
    if owned:
        yield "OWNER", f"owns, or may become the owner of, {', '.join(sorted(owned))}"
    # Who owns a table may do anything with it, and that has been said.
    held = {right for right in seen.rights if right[0] not in owned}
    if too_much := exceeding(held, duty.may_have):
        yield "EXCESS", f"may do more than {duty.value}: {told(too_much)}"
    too_little = lacking(held, {right for right in duty.needs if right[0] not in owned})
    there = {thing for thing, privilege in held if privilege == "THERE"}
    absent = {thing for thing, privilege in too_little if privilege != "USAGE"} - there
    if present := {right for right in too_little if right[0] not in absent}:
        yield "MISSING", f"may do less than {duty.value}: {told(present)}"
    if absent:
        yield "ABSENT", f"finds no {', '.join(sorted(absent))}"


def of_clock(place: CheckedDatabase, seen: Looked, skew_seconds_max: float) -> Check:
    """Whether the clocks are less than so far apart."""
    skew = seen.skew_seconds
    status = Status.PASSED if abs(skew) < skew_seconds_max else Status.FAILED
    where = "ahead of" if skew > 0 else "behind"
    text = f"{seen.shown}: its clock is {abs(skew):.3f} s {where} ours; the bound is {skew_seconds_max:g} s"
    return Check(f"CUTOVER_CLOCK_SKEW:{place.namespace}", place.namespace, status, text)


def skipped(code: str, place: CheckedDatabase, why: str) -> Check:
    return Check(f"{code}:{place.namespace}", place.namespace, Status.SKIPPED, why)
