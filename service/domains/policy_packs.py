"""Policy packs: rules a house lays over the options of a request, and which pack is meant.

Source: RFC-0022, HTTP contract 6.1, 7.7 and 8.4; defects D32 to D36.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from service.domains.rebalances.options import EngineOptions, GroupConstraint, has_group_form, is_share
from service.domains.values.bounds import GROUPS, LABEL
from service.domains.values.canonical import canonical_json, digest_of
from service.domains.values.fields import Bound, Check, Checked, FieldRule
from service.domains.values.money import Exact, decode_hook
from service.domains.values.published import published

# A catalog is answered whole, so it has an end.
PACKS_MAX = 1000


@published("DpmPolicyPackTurnoverPolicy-Output", request="DpmPolicyPackTurnoverPolicy-Input")
class TurnoverPolicy(Checked, frozen=True, kw_only=True):
    """What a pack says of turnover."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        FieldRule("max_turnover_pct", "max_turnover_pct must be between 0 and 1 inclusive", is_share),
    )

    max_turnover_pct: Exact | None = None
    """Replaces the turnover budget of the request, a fraction of the total value before trades; null leaves
    it."""


@published("DpmPolicyPackTaxPolicy-Output", request="DpmPolicyPackTaxPolicy-Input")
class TaxPolicy(Checked, frozen=True, kw_only=True):
    """What a pack says of tax."""

    CHECKS: ClassVar[tuple[Check, ...]] = (Bound("max_realized_capital_gains", ge=0),)

    enable_tax_awareness: bool | None = None
    """Replaces whether sales are sized by tax lots and the gains budget; null leaves it."""
    max_realized_capital_gains: Exact | None = None
    """Replaces the gains budget of the request, in the base currency; null leaves it."""


@published("DpmPolicyPackSettlementPolicy", request="DpmPolicyPackSettlementPolicy", once=True)
class SettlementPolicy(Checked, frozen=True, kw_only=True):
    """What a pack says of settlement."""

    CHECKS: ClassVar[tuple[Check, ...]] = (Bound("settlement_horizon_days", ge=0, le=10),)

    enable_settlement_awareness: bool | None = None
    """Replaces whether cash is projected day by day; null leaves it."""
    settlement_horizon_days: int | None = None
    """Replaces the days that cash is projected for at least (T+n); null leaves it."""


@published("DpmPolicyPackConstraintPolicy-Output", request="DpmPolicyPackConstraintPolicy-Input")
class ConstraintPolicy(Checked, frozen=True, kw_only=True):
    """What a pack says of limits on weights."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        Bound("single_position_max_weight", ge=0, le=1),
        FieldRule(
            "group_constraints",
            "group_constraints keys must use format '<attribute_key>:<attribute_value>'",
            lambda groups: all(has_group_form(key) for key in groups),
        ),
    )

    single_position_max_weight: Exact | None = None
    """Replaces the highest weight of one position, a fraction of one; null leaves it."""
    group_constraints: Annotated[dict[str, GroupConstraint], GROUPS] = msgspec.field(default_factory=dict)
    """Caps by `attribute:value`; if there are any, they replace all of the request."""


@published("DpmPolicyPackWorkflowPolicy", request="DpmPolicyPackWorkflowPolicy", once=True)
class WorkflowPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a pack says of gates."""

    enable_workflow_gates: bool | None = None
    """Replaces whether results say who has to act next; null leaves it."""
    workflow_requires_client_consent: bool | None = None
    """Replaces whether the client has to agree; null leaves it."""
    client_consent_already_obtained: bool | None = None
    """Replaces whether the client has agreed already; null leaves it."""


@published("DpmPolicyPackIdempotencyPolicy", request="DpmPolicyPackIdempotencyPolicy", once=True)
class IdempotencyPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a pack says of idempotency keys."""

    replay_enabled: bool | None = None
    """Whether a simulation that is sent again under its idempotency key is answered from the store; null
    leaves what the service is set to."""


@published(request="DpmPolicyPackUpsertRequest")
class PolicyPackUpsert(msgspec.Struct, frozen=True, kw_only=True):
    """What a pack is to be; what is null leaves the option of the request as it is."""

    version: Annotated[str, LABEL, Meta(examples=["2026.1"])]
    """Name of this state of the pack, chosen by its publisher."""
    turnover_policy: TurnoverPolicy = msgspec.field(default_factory=TurnoverPolicy)
    """What the pack says of turnover."""
    tax_policy: TaxPolicy = msgspec.field(default_factory=TaxPolicy)
    """What the pack says of tax."""
    settlement_policy: SettlementPolicy = msgspec.field(default_factory=SettlementPolicy)
    """What the pack says of settlement."""
    constraint_policy: ConstraintPolicy = msgspec.field(default_factory=ConstraintPolicy)
    """What the pack says of limits on weights."""
    workflow_policy: WorkflowPolicy = msgspec.field(default_factory=WorkflowPolicy)
    """What the pack says of gates."""
    idempotency_policy: IdempotencyPolicy = msgspec.field(default_factory=IdempotencyPolicy)
    """What the pack says of idempotency keys."""


@published("DpmPolicyPackDefinition")
class PolicyPack(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmPolicyPackDefinition` of the HTTP contract."""

    policy_pack_id: str
    """Id that requests select the pack by."""
    version: str
    """Name of this state of the pack, chosen by its publisher."""
    turnover_policy: TurnoverPolicy
    """What the pack says of turnover."""
    tax_policy: TaxPolicy
    """What the pack says of tax."""
    settlement_policy: SettlementPolicy
    """What the pack says of settlement."""
    constraint_policy: ConstraintPolicy
    """What the pack says of limits on weights."""
    workflow_policy: WorkflowPolicy
    """What the pack says of gates."""
    idempotency_policy: IdempotencyPolicy
    """What the pack says of idempotency keys."""

    def written(self) -> bytes:
        """The pack as canonical JSON; equal packs give equal bytes."""
        return canonical_json(self)


def pack_of(policy_pack_id: str, wanted: PolicyPackUpsert) -> PolicyPack:
    """The pack of that id with what is wanted of it."""
    return PolicyPack(policy_pack_id=policy_pack_id, **msgspec.structs.asdict(wanted))


def read_pack(text: bytes) -> PolicyPack:
    """What `written` wrote."""
    return _PACK.decode(text)


class PackSource(Enum):
    """Why this pack and no other (contract 7.7)."""

    DISABLED = "DISABLED"
    """Policy packs are switched off."""
    REQUEST = "REQUEST"
    """The request names the pack."""
    TENANT_DEFAULT = "TENANT_DEFAULT"
    """The request names no pack, and its tenant has this one."""
    GLOBAL_DEFAULT = "GLOBAL_DEFAULT"
    """Neither request nor tenant names a pack, and the house has this one."""
    NONE = "NONE"
    """No pack is named anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedPack:
    """What a caller says of packs; a tenant default that is blank says that there is none."""

    request_pack_id: str = ""
    tenant_pack_id: str | None = None
    tenant_id: str = ""


NO_PACK_REQUESTED = RequestedPack()


@dataclass(frozen=True, slots=True)
class PackSelection:
    """Which pack is meant, whether it exists or not."""

    enabled: bool
    policy_pack_id: str | None
    source: PackSource


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionRules:
    """`tenant_packs` is empty where tenants have no packs of their own."""

    enabled: bool
    default_pack_id: str = ""
    tenant_packs: Mapping[str, str] = field(default_factory=dict)

    def select(self, requested: RequestedPack) -> PackSelection:
        """The caller's own choice, else that of the tenant, else that of the house (contract 7.7)."""
        if not self.enabled:
            return PackSelection(False, None, PackSource.DISABLED)
        tenant_pack = requested.tenant_pack_id
        if tenant_pack is None:
            tenant_pack = self.tenant_packs.get(requested.tenant_id.strip(), "")
        for named, source in (
            (requested.request_pack_id, PackSource.REQUEST),
            (tenant_pack, PackSource.TENANT_DEFAULT),
            (self.default_pack_id, PackSource.GLOBAL_DEFAULT),
        ):
            if named.strip():
                return PackSelection(True, named.strip(), source)
        return PackSelection(True, None, PackSource.NONE)


class ResolvedPack(msgspec.Struct, frozen=True):
    """A pack that was selected and exists."""

    pack: PolicyPack
    source: PackSource

    @property
    def content_hash(self) -> str:
        """The digest of the whole pack, its id and version included."""
        return digest_of(self.pack.written())


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedPolicy:
    """What a run was computed under (D32, D34); `options` are all engine options, as canonical JSON."""

    policy_pack_id: str
    version: str
    source: PackSource
    content_hash: str
    options: bytes

    def read_options(self) -> EngineOptions:
        return _OPTIONS.decode(self.options)


def applied(resolved: ResolvedPack, options: EngineOptions) -> AppliedPolicy:
    """What is kept of a pack with a run; `options` are those the run was computed with."""
    return AppliedPolicy(
        policy_pack_id=resolved.pack.policy_pack_id,
        version=resolved.pack.version,
        source=resolved.source,
        content_hash=resolved.content_hash,
        options=canonical_json(options),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PackChange:
    """One line of a catalog's history: a pack as it came to be, or None where it was removed.

    Revisions of a catalog start at 1 and have no gaps.
    """

    tenant_id: str
    revision: int
    policy_pack_id: str
    pack: PolicyPack | None
    changed_at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Amendments:
    """All that was changed in a catalog: the latest of each id, None for one that was removed.

    Revision 0 is a catalog without changes.
    """

    revision: int
    packs: Mapping[str, PolicyPack | None]


_PACK = msgspec.json.Decoder(PolicyPack, dec_hook=decode_hook, float_hook=Decimal)
_OPTIONS = msgspec.json.Decoder(EngineOptions, dec_hook=decode_hook)
