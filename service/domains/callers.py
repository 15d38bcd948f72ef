"""Who a request is from: the tenant it is about, and the subject that was verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_TENANT: Final = "default"
LOCAL_SUBJECT: Final = "local:anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The one tenant that a request is about, and its subject, such as `local:anonymous`."""

    tenant_id: str
    subject: str

    @classmethod
    def local(cls) -> Caller:
        """The caller of a process without identity."""
        return _LOCAL

    @classmethod
    def of_tenant(cls, tenant_id: str) -> Caller:
        """The caller of an operation that is stored for a tenant."""
        return _LOCAL if tenant_id == DEFAULT_TENANT else cls(tenant_id=tenant_id, subject=LOCAL_SUBJECT)


_LOCAL = Caller(tenant_id=DEFAULT_TENANT, subject=LOCAL_SUBJECT)
