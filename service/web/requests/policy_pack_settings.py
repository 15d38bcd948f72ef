"""Reads the policy packs and the tenants that settings bring as JSON; what cannot be used is left out.

Source: HTTP contract 7.7: no text at all is an empty catalog, a bad entry is skipped. Each is logged (D35).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from service.domains.policy_packs import PolicyPack, pack_of
from service.errors.requests import JsonTooDeep, RequestInvalid
from service.web.requests import bodies

SECTIONS = (
    "turnover_policy",
    "tax_policy",
    "settlement_policy",
    "constraint_policy",
    "workflow_policy",
    "idempotency_policy",
)
VERSION_DEFAULT = "1"
NULL = b"null"

logger = structlog.get_logger()


def catalog_of(text: str) -> Mapping[str, PolicyPack]:
    """The packs of a JSON object by their ids."""
    packs: dict[str, PolicyPack] = {}
    for named, entry in _members_of(text, "DPM_POLICY_PACK_CATALOG_JSON").items():
        policy_pack_id = named.strip()
        pack = _pack_of(policy_pack_id, entry) if policy_pack_id else None
        if pack is None:
            logger.warning("policy_pack_skipped", policy_pack_id=named)
        else:
            packs[policy_pack_id] = pack
    return packs


def tenant_packs_of(text: str) -> Mapping[str, str]:
    """The pack of each tenant in a JSON object."""
    packs: dict[str, str] = {}
    for tenant, raw in _members_of(text, "DPM_TENANT_POLICY_PACK_MAP_JSON").items():
        pack = _value_of(raw)
        if isinstance(pack, str) and pack.strip():
            packs[tenant.strip()] = pack.strip()
        else:
            logger.warning("tenant_policy_pack_skipped", tenant_id=tenant)
    return packs


def _members_of(text: str, variable: str) -> Mapping[str, msgspec.Raw]:
    if not text:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        logger.warning("invalid_setting", variable=variable)
        return {}


def _pack_of(policy_pack_id: str, entry: msgspec.Raw) -> PolicyPack | None:
    try:
        members = msgspec.json.decode(entry, type=dict[str, msgspec.Raw])
        sections = {
            name: members[name] for name in SECTIONS if bytes(members.get(name, NULL)).strip() != NULL
        }
        body = msgspec.json.encode({"version": _version_of(members), **sections})
        return pack_of(policy_pack_id, bodies.decode_policy_pack(body, bounds=None))
    except (msgspec.MsgspecError, ValueError, RecursionError, RequestInvalid, JsonTooDeep):
        return None


def _version_of(members: Mapping[str, msgspec.Raw]) -> str:
    raw = bytes(members.get("version", NULL)).strip()
    if raw == NULL:
        return VERSION_DEFAULT
    version = _value_of(raw)
    return version if isinstance(version, str) else raw.decode()


def _value_of(raw: bytes | msgspec.Raw) -> Any:
    return msgspec.json.decode(raw)
