"""Errors of the lineage of runs."""

from __future__ import annotations

from service.errors.families import NotFound


class LineageApisDisabled(NotFound):
    """Lineage is switched off."""

    code = message = "DPM_LINEAGE_APIS_DISABLED"
