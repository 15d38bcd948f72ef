"""Errors of the lineage of runs."""

from __future__ import annotations

from service.errors.families import NotFound


class LineageApisDisabled(NotFound):
    code = message = "DPM_LINEAGE_APIS_DISABLED"
