"""The operations that answer everything known about a run."""

from __future__ import annotations

from functools import partial

from aiohttp.typedefs import Handler

from service.errors.dpm_runs import (
    BundleApisDisabled,
    RunNotFound,
)
from service.errors.engines import ResultTooLarge
from service.errors.idempotency import IdempotencyKeyNotFound
from service.errors.operations import OperationNotFound
from service.errors.policy_packs import PolicyDsnRequired, PolicyPackUnknown, PolicyStoreUnavailable
from service.web.answers.support_bundles import SupportBundleAnswer
from service.web.feature_flags import Flag
from service.web.handlers.dpm_runs import support_bundles as support_bundles_handlers
from service.web.operations.row import SUPPORT, Operation, Refusals, Tag
from service.web.schemas.support_bundles import SupportBundleQuery

PACK: Refusals = (PolicyPackUnknown, PolicyDsnRequired, PolicyStoreUnavailable)
BY_RUN = "/rebalance/runs/{rebalance_run_id}"
BY_CORRELATION = "/rebalance/runs/by-correlation/{correlation_id}"
BY_KEY = "/rebalance/runs/idempotency/{idempotency_key}"
BY_OPERATION = "/rebalance/runs/by-operation/{operation_id}"


found = partial(Operation, method="GET", tag=Tag.SUPPORT)


def _bundle(path: str, name: str, handler: Handler, *, of_what: str, missing: Refusals) -> Operation:
    return found(
        path=f"{path}/support-bundle",
        name=name,
        handler=handler,
        flags=(Flag.SUPPORT_APIS, Flag.BUNDLE_APIS),
        summary=f"Everything known about {of_what}",
        description="The run with its artifact, operation, reviews, lineage, uses of its key, and the runs "
        "of the same analysis. Each part that costs something can be left out.",
        answer=SupportBundleAnswer,
        query=SupportBundleQuery,
        refusals=(*SUPPORT, BundleApisDisabled, ResultTooLarge, *missing),
        example="support_bundle",
    )


OPERATIONS: tuple[Operation, ...] = (
    _bundle(
        BY_CORRELATION,
        "get_dpm_run_support_bundle_by_correlation",
        support_bundles_handlers.get_bundle_by_correlation,
        of_what="a correlation id",
        missing=(RunNotFound,),
    ),
    _bundle(
        BY_KEY,
        "get_dpm_run_support_bundle_by_idempotency",
        support_bundles_handlers.get_bundle_by_key,
        of_what="the run of a key",
        missing=(IdempotencyKeyNotFound, RunNotFound),
    ),
    _bundle(
        BY_OPERATION,
        "get_dpm_run_support_bundle_by_operation",
        support_bundles_handlers.get_bundle_by_operation,
        of_what="the run of an operation",
        missing=(OperationNotFound, RunNotFound),
    ),
    _bundle(
        BY_RUN,
        "get_dpm_run_support_bundle",
        support_bundles_handlers.get_bundle,
        of_what="a run",
        missing=(RunNotFound,),
    ),
)
