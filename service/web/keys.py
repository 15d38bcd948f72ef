"""What handlers find on the application and on a request."""

from typing import Any

from aiohttp import web

from service.domains.values.bounds import Bounds
from service.web.feature_flags import FeatureFlags, Flag
from service.web.flows import Flows

FLOWS = web.AppKey("FLOWS", Flows)
GATES = web.AppKey("GATES", FeatureFlags)
BOUNDS = web.AppKey("BOUNDS", Bounds)

# The id sent by the caller, or none; and the one this request goes by in logs and in the answer.
CORRELATION_SENT = web.RequestKey("CORRELATION_SENT", str)
CORRELATION_ID = web.RequestKey("CORRELATION_ID", str)
# The run that a request made or was given again, for its log line.
RUN_ID = web.RequestKey("RUN_ID", str)
# What a query asks for, by the attributes of its schema.
QUERY = web.RequestKey("QUERY", dict[str, Any])
# The feature flags of the operation.
FLAGS = web.RequestKey("FLAGS", tuple[Flag, ...])
