"""The table of contents of the API; where two routes fit, the earlier one answers."""

from __future__ import annotations

from aiohttp import web

from service.web.handlers import dpm_runs, health, idempotency

ROUTES: tuple[web.RouteDef, ...] = (
    web.get("/health/live", health.live, allow_head=False),
    web.get("/health/ready", health.ready, allow_head=False),
    web.post("/rebalance/simulate", dpm_runs.simulate),
    web.post("/rebalance/analyze", dpm_runs.analyze),
    web.get(
        "/rebalance/runs/by-correlation/{correlation_id}", dpm_runs.get_run_by_correlation, allow_head=False
    ),
    web.get(
        "/rebalance/runs/idempotency/{idempotency_key}", idempotency.get_simulation_key, allow_head=False
    ),
    web.get("/rebalance/runs/{rebalance_run_id}", dpm_runs.get_run, allow_head=False),
)
