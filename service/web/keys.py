"""What handlers find on the application and on a request."""

from aiohttp import web

from service.flows.dpm_runs import DpmRunFlow
from service.flows.health import HealthFlow
from service.flows.idempotency import IdempotencyFlow
from service.web.gates import Gates

DPM_RUNS = web.AppKey("DPM_RUNS", DpmRunFlow)
IDEMPOTENCY = web.AppKey("IDEMPOTENCY", IdempotencyFlow)
HEALTH = web.AppKey("HEALTH", HealthFlow)
GATES = web.AppKey("GATES", Gates)

# The id sent by the caller, or none; and the one this request goes by in logs and in the answer.
CORRELATION_SENT = web.RequestKey("CORRELATION_SENT", str)
CORRELATION_ID = web.RequestKey("CORRELATION_ID", str)
