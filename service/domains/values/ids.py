"""Ids, keys and cursors as answers write them; a field of such a type means what stands here."""

from __future__ import annotations

RunId = str
"""Id of a run: `rr_` and 32 hexadecimal digits, drawn when the run is recorded."""

OperationId = str
"""Id of an operation, drawn when it is accepted: `dop_` for analyses or `pop_` for proposals, and 32
hexadecimal digits."""

ProposalId = str
"""Id of a proposal: `pp_` and 32 hexadecimal digits, drawn when it is created."""

ProposalVersionId = str
"""Id of a version of a proposal: `ppv_` and 32 hexadecimal digits, drawn when it is created."""

PortfolioId = str
"""Portfolio, by the id that the request names it with."""

CorrelationId = str
"""Id that the request was filed under: the one that was sent, or the one that was drawn."""

IdempotencyKey = str
"""Idempotency key that the request was sent with; null without one."""

RequestHash = str
"""`sha256:` and the hash of the request with every default filled in; of a run of a batch its id, a colon and
the name of the scenario."""

ActorId = str
"""Who acted, as the caller named them."""

NextCursor = str
"""What to send as `cursor` for the next page; null on the last one."""
