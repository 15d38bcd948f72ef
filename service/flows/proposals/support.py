"""How proposals are set up, and whether their store answers (HTTP contract 6.5)."""

from __future__ import annotations

from dataclasses import dataclass

from service.domains.callers import Caller
from service.domains.proposals.rules import ProposalRules
from service.errors.proposals import proposal_refusal
from service.errors.storage import StoreUnavailable
from service.storage.ports.store import Store


@dataclass(frozen=True, slots=True)
class ProposalSupport:
    """The settings that are shown; `store_error` is the code a caller would be refused with, if any."""

    store_backend: str
    store_error: str | None
    rules: ProposalRules


class ProposalSupportFlow:
    def __init__(self, *, store: Store, store_backend: str, rules: ProposalRules) -> None:
        self._store = store
        self._store_backend = store_backend
        self._rules = rules

    async def describe(self, caller: Caller) -> ProposalSupport:
        """Asks the store whether it answers; one that does not is told of and raises nothing."""
        try:
            await self._store.check()
        except StoreUnavailable as error:
            return ProposalSupport(self._store_backend, proposal_refusal(error).code, self._rules)
        return ProposalSupport(self._store_backend, None, self._rules)
