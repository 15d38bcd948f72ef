"""What the list of differences can be asked for."""

from __future__ import annotations

from service.domains.shadow_differences import DifferenceKind
from service.domains.values.bounds import CURSOR
from service.web.schemas.fields import Choice
from service.web.schemas.parameters import LIMIT_DEFAULT, LIMIT_MAX, AskedText, Count, Instant, QuerySchema


class ParityQuery(QuerySchema):
    """What the list of differences can be asked for."""

    kind = Choice("literal_error", {kind.value: kind for kind in DifferenceKind}, load_default=None)
    found_from = Instant(data_key="from", load_default=None)
    found_to = Instant(data_key="to", load_default=None)
    limit = Count("limit", least=1, most=LIMIT_MAX, default=LIMIT_DEFAULT)
    cursor = AskedText(CURSOR, load_default=None)
