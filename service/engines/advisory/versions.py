"""Every engine version that can still be run; a stored proposal is replayed on the version that made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.proposals.results import ProposalResult
from service.engines.advisory import v1


class Simulate(Protocol):
    """An engine; see pipeline.simulate."""

    def __call__(
        self,
        request: ProposalSimulateRequest,
        identity: v1.ProposalIdentity,
        bytes_max: int | None = None,
        /,
    ) -> ProposalResult: ...


CURRENT_VERSION = v1.ENGINE_VERSION

ENGINES: Mapping[str, Simulate] = {v1.ENGINE_VERSION: v1.simulate}


def engine_of(version: str = CURRENT_VERSION) -> Simulate:
    """The engine of that version; a KeyError means a version this release does not carry."""
    return ENGINES[version]
