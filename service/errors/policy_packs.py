"""Errors of policy packs and their catalog."""

from __future__ import annotations

from service.errors.families import Conflict, NotFound, Unprocessable
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.storage import PostgresDsnRequired, StoreUnavailable


class PolicyCatalogConcurrentUpdate(Conflict):
    """The catalog changed since it was read; never reaches a caller, the flow decides again."""

    code = message = "DPM_POLICY_PACK_CATALOG_MOVED"


class PolicyAdminDisabled(NotFound):
    """Reading and changing the catalog of policy packs is switched off."""

    code = message = "DPM_POLICY_PACK_ADMIN_APIS_DISABLED"


class PolicyPackNotFound(NotFound):
    """The catalog has no policy pack of this id."""

    code = message = "DPM_POLICY_PACK_NOT_FOUND"


class PolicyPackUnknown(Unprocessable):
    """The policy pack that was selected is not in the catalog, which the service is set to refuse."""

    code = "DPM_POLICY_PACK_UNKNOWN"
    message = "DPM_POLICY_PACK_UNKNOWN: there is no policy pack {policy_pack_id}"


class PolicyPackDiffers(IdempotencyKeyConflict):
    """The key stands for the same request under another policy pack, or none (ruling 6)."""

    message = "IDEMPOTENCY_KEY_CONFLICT: effective policy pack differs"


class PolicyCatalogFull(Conflict):
    """The catalog holds as many policy packs as it may; one has to be removed first."""

    code = "DPM_POLICY_PACK_CATALOG_FULL"
    message = "DPM_POLICY_PACK_CATALOG_FULL: a catalog holds {packs_max} packs at most"


class PolicyDsnRequired(StoreUnavailable):
    """Policy packs are to be stored in PostgreSQL, and the service was given no address of it."""

    code = message = "DPM_POLICY_PACK_POSTGRES_DSN_REQUIRED"


class PolicyStoreUnavailable(StoreUnavailable):
    """The PostgreSQL database of policy packs cannot be reached."""

    code = message = "DPM_POLICY_PACK_POSTGRES_CONNECTION_FAILED"


def policy_refusal(refusal: StoreUnavailable) -> StoreUnavailable:
    """The refusal of a store in the words of the policy packs; what it was stays its cause."""
    kind = PolicyDsnRequired if isinstance(refusal, PostgresDsnRequired) else PolicyStoreUnavailable
    said = kind(cause=refusal.cause)
    said.__cause__ = refusal.__cause__ or refusal
    return said
