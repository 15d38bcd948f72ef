"""What handlers find on the application and on a request."""

from aiohttp import web

from service.flows.artifacts import ArtifactFlow
from service.flows.dpm_runs import DpmRunFlow
from service.flows.health import HealthFlow
from service.flows.idempotency import IdempotencyFlow
from service.flows.lineage import LineageFlow
from service.flows.replays import ReplayFlow
from service.flows.support_bundles import SupportBundleFlow
from service.flows.supportability import SupportabilityFlow
from service.flows.workflow_decisions import WorkflowFlow
from service.web.gates import Gates

DPM_RUNS = web.AppKey("DPM_RUNS", DpmRunFlow)
IDEMPOTENCY = web.AppKey("IDEMPOTENCY", IdempotencyFlow)
LINEAGE = web.AppKey("LINEAGE", LineageFlow)
ARTIFACTS = web.AppKey("ARTIFACTS", ArtifactFlow)
SUPPORT_BUNDLES = web.AppKey("SUPPORT_BUNDLES", SupportBundleFlow)
SUPPORTABILITY = web.AppKey("SUPPORTABILITY", SupportabilityFlow)
WORKFLOW = web.AppKey("WORKFLOW", WorkflowFlow)
REPLAYS = web.AppKey("REPLAYS", ReplayFlow)
HEALTH = web.AppKey("HEALTH", HealthFlow)
GATES = web.AppKey("GATES", Gates)

# The id sent by the caller, or none; and the one this request goes by in logs and in the answer.
CORRELATION_SENT = web.RequestKey("CORRELATION_SENT", str)
CORRELATION_ID = web.RequestKey("CORRELATION_ID", str)
