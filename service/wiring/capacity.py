"""How much one process takes on: requests by the settings, connections by the files it may have open."""

from __future__ import annotations

from service.runtime import open_files
from service.settings.environment import StoreBackend
from service.settings.process import Settings
from service.web.http.admission import Capacity
from service.web.http.connections import Connections

# Files that are open beside the connections of callers: runs, proposals, policy packs, retention, and a
# shadow may each have a store of their own; pipes to engine processes; logs, sockets and the event loop.
STORES_MAX = 5
FILES_OF_STORE = 8
FILES_OF_ENGINE_PROCESS = 8
FILES_OF_PROCESS = 32
# While one request has the connection, another is computed.
AT_WORK_OF_CONNECTION = 2


def capacity_of(settings: Settings) -> Capacity:
    """What one process takes on at a time."""
    requests_max = settings.serving.requests_max
    if settings.store_backend is StoreBackend.POSTGRES:
        # More would only wait for a connection, for less time than they may wait for their turn.
        requests_max = min(requests_max, AT_WORK_OF_CONNECTION * settings.postgres_connections_max)
    return Capacity(
        requests_max=requests_max,
        request_seconds_max=settings.serving.request_seconds_max,
        receive_seconds_max=settings.serving.receive_timeout_seconds,
        queue_seconds_max=settings.serving.queue_seconds_max,
    )


def connections_of(settings: Settings) -> Connections:
    """How many callers may be connected to one process."""
    kept = (
        STORES_MAX * (settings.postgres_connections_max + FILES_OF_STORE)
        + settings.engine_processes * FILES_OF_ENGINE_PROCESS
        + FILES_OF_PROCESS
    )
    return Connections(
        settings.serving.connections_max or open_files.most_connections(kept),
        receive_seconds_max=settings.serving.receive_timeout_seconds,
    )
