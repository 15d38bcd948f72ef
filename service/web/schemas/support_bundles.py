"""Schema of what a support bundle can be asked to leave out."""

from __future__ import annotations

from service.web.schemas.fields import Flag
from service.web.schemas.parameters import QuerySchema


class SupportBundleQuery(QuerySchema):
    """Everything is included unless it is said otherwise."""

    include_artifact = Flag(load_default=True)
    include_async_operation = Flag(load_default=True)
    include_idempotency_history = Flag(load_default=True)
