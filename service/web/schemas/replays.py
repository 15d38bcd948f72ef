"""Schema of what a replay can be asked for."""

from __future__ import annotations

from service.web.schemas.fields import Flag
from service.web.schemas.parameters import QuerySchema


class ReplayQuery(QuerySchema):
    """A replay leaves nothing behind unless it is told to."""

    record = Flag(load_default=False)
