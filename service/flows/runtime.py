"""What every flow works with: time, ids, where work is done, retention, and the bound of results."""

from __future__ import annotations

from dataclasses import dataclass

from service.domains.retention.cutoffs import Retention
from service.flows.limits.result_sizes import RESULT_BYTES_MAX
from service.runtime.clock import Clock, NewId
from service.runtime.process_pool import Executor


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """`result_bytes_max` bounds one result, in bytes."""

    clock: Clock
    new_id: NewId
    offload: Executor
    retention: Retention
    result_bytes_max: int = RESULT_BYTES_MAX
