"""Errors of runs, their artifacts, replays and support bundles."""

from __future__ import annotations

from service.errors.families import Conflict, NotFound


class SupportApisDisabled(NotFound):
    """Looking up what was recorded is switched off."""

    code = message = "DPM_SUPPORT_APIS_DISABLED"


class SummaryApisDisabled(NotFound):
    """The summary of what is stored is switched off."""

    code = message = "DPM_SUPPORTABILITY_SUMMARY_APIS_DISABLED"


class BundleApisDisabled(NotFound):
    """Support bundles are switched off."""

    code = message = "DPM_SUPPORT_BUNDLE_APIS_DISABLED"


class ArtifactsDisabled(NotFound):
    """Artifacts of runs are switched off."""

    code = message = "DPM_ARTIFACTS_DISABLED"


class RunNotFound(NotFound):
    """No run is stored under this id, key or hash."""

    code = message = "DPM_RUN_NOT_FOUND"


class RunExists(Conflict):
    """A drawn run id is taken; never reaches a caller, the flow draws another."""

    code = message = "DPM_RUN_EXISTS"


class ReplayEngineUnknown(Conflict):
    """The run was made by an engine version that this build does not carry."""

    code = "DPM_REPLAY_ENGINE_UNKNOWN"
    message = "DPM_REPLAY_ENGINE_UNKNOWN: this build has no engine version {engine_version}"
