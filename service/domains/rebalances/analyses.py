"""What an analysis is to do, resolved once; it does not depend on when, or by whom, it is done (D34)."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from service.domains.operations import StagedScenario
from service.domains.policy_packs import AppliedPolicy, PackSource
from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.requests import BatchRebalanceRequest
from service.domains.values.canonical import canonical_json
from service.domains.values.money import decode_hook

_OPTIONS = msgspec.json.Decoder(EngineOptions, dec_hook=decode_hook)
_REQUEST = msgspec.json.Decoder(BatchRebalanceRequest, dec_hook=decode_hook, float_hook=Decimal)


_NO_OPTIONS = msgspec.Raw(b"null")


class PlannedScenario(msgspec.Struct, frozen=True, kw_only=True):
    """One what-if: its options with every default filled in, as JSON, or why they were refused."""

    name: str
    run_id: str
    options: msgspec.Raw = _NO_OPTIONS
    refusal: str | None = None

    def read_options(self) -> EngineOptions:
        """Only of a scenario whose options were not refused."""
        assert self.refusal is None, self.refusal
        return _OPTIONS.decode(self.options)


class PlannedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The pack that the options of every scenario were overlaid with."""

    policy_pack_id: str
    version: str
    source: PackSource
    content_hash: str

    def applied_to(self, scenario: PlannedScenario) -> AppliedPolicy:
        return AppliedPolicy(
            policy_pack_id=self.policy_pack_id,
            version=self.version,
            source=self.source,
            content_hash=self.content_hash,
            options=bytes(scenario.options),
        )


class AnalysisPlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`request` is the batch as it was asked, in canonical JSON; its scenarios are in the order of names."""

    batch_id: str
    correlation_id: str | None
    engine_version: str
    request_hash: str
    portfolio_id: str
    base_snapshot_ids: dict[str, str]
    scenarios: tuple[PlannedScenario, ...]
    request: msgspec.Raw
    policy: PlannedPolicy | None = None

    def written(self) -> bytes:
        """The plan as JSON, to be kept; equal plans give equal bytes."""
        return msgspec.json.encode(self)

    def read_request(self) -> BatchRebalanceRequest:
        return _REQUEST.decode(self.request)


class Analyzed(msgspec.Struct, frozen=True):
    """A plan and what came of each of its scenarios, in its order."""

    plan: AnalysisPlan
    outcomes: tuple[StagedScenario, ...]

    @property
    def bytes_count(self) -> int:
        """What the results have together."""
        return sum([len(one.result or b"") for one in self.outcomes])


def read_plan(text: bytes) -> AnalysisPlan:
    """What `written` wrote."""
    return _PLAN.decode(text)


def raw_options(options: EngineOptions) -> msgspec.Raw:
    return msgspec.Raw(canonical_json(options))


_PLAN = msgspec.json.Decoder(AnalysisPlan)
