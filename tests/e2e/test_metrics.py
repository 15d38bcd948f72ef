"""The figures of a real server, read as Prometheus reads them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scripts.harness.servers import ROOT
from tests.e2e.conftest import DEMO
from tests.waiting import HANG_SECONDS, wait_for

pytestmark = pytest.mark.slow

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SERVE = ["-m", "service", "serve", "--port", "0"]


def line_of(server, event):
    lines = [json.loads(line) for line in list(server.lines) if line.startswith(b"{")]
    return next(line for line in lines if line["event"] == event)


def figures(server, port=None):
    port = port or line_of(server, "listening")["metrics_port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=HANG_SECONDS) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figure(told, name, *labels):
    return told[name, frozenset(labels)]


def status_of(request):
    try:
        with urllib.request.urlopen(request, timeout=HANG_SECONDS) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


def simulation(server, key, body, **headers):
    given = {"Content-Type": "application/json", "Idempotency-Key": key, **headers}
    return urllib.request.Request(f"{server.base}/rebalance/simulate", data=body, headers=given)


def test_what_callers_did_is_read_from_a_port_of_its_own(serve, variables):
    server = serve(variables, command=[*SERVE, "--metrics-port", "0"])
    demo = DEMO.read_bytes()
    other = json.loads(demo)
    other["portfolio_snapshot"]["portfolio_id"] = "another"
    assert [status_of(simulation(server, "k-1", demo)) for _ in range(3)] == [200, 200, 200]
    assert status_of(simulation(server, "k-1", json.dumps(other).encode())) == 409
    assert status_of(f"{server.base}/rebalance/runs/rr_none") == 404
    assert status_of(f"{server.base}/metrics") == 404

    told = figures(server)

    assert figure(told, "lotus_requests_total", "POST", "/rebalance/simulate", "200") == 3.0
    assert figure(told, "lotus_requests_total", "GET", "/rebalance/runs/{rebalance_run_id}", "404") == 1.0
    assert figure(told, "lotus_requests_total", "GET", "none", "404") == 1.0
    assert figure(told, "lotus_idempotent_replays_total", "/rebalance/simulate") == 2.0
    assert figure(told, "lotus_http_errors_total", "409", "IDEMPOTENCY_KEY_CONFLICT") == 1.0
    assert figure(told, "lotus_engine_duration_seconds_count", "simulate_request", "loop") >= 3.0
    assert figure(told, "lotus_store_call_duration_seconds_count", "dpm_runs", "admit") == 4.0
    assert figure(told, "lotus_store_up", "runs") == 1.0
    if variables["DPM_SUPPORTABILITY_STORE_BACKEND"] == "POSTGRES":
        assert figure(told, "lotus_pool_connections_max", "runs") == 8.0
        assert figure(told, "lotus_pool_connections", "runs", "idle") >= 1.0
        assert figure(told, "lotus_pool_waiting", "runs") == 0.0


@pytest.mark.parametrize("variables", ["POSTGRES"], indirect=True)
def test_a_worker_tells_of_its_store_its_engines_and_its_loop(serve, hire, variables):
    fleet = variables | {"DPM_ASYNC_EXECUTION_MODE": "WORKER", "DPM_ENGINE_PROCESSES": "1"}
    server, worker = serve(fleet), hire(fleet)
    batch = json.loads(DEMO.read_bytes())
    batch.pop("options", None)
    batch["scenarios"] = {"one": {}, "two": {}}
    accepted = urllib.request.Request(
        f"{server.base}/rebalance/analyze/async",
        data=json.dumps(batch).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert status_of(accepted) == 202

    def ended():
        told = figures(worker, worker.port)
        return told if figure(told, "lotus_operations_ended_total", "SUCCEEDED") else None

    wait_for(ended, "the end of the operation")
    # Families are told one after the other; what came before the end is in the next telling.
    told = figures(worker, worker.port)

    assert figure(told, "lotus_engine_duration_seconds_count", "run_scenario", "process") == 2.0
    for act in ("claim", "stage", "finish"):
        assert figure(told, "lotus_store_call_duration_seconds_count", "operations", act) >= 1.0
    assert figure(told, "lotus_pool_connections_max", "runs") == 8.0
    assert figure(told, "lotus_event_loop_lag_seconds_count") >= 1.0


@pytest.mark.parametrize("variables", ["IN_MEMORY"], indirect=True)
def test_no_port_is_opened_where_none_is_named(serve, variables):
    assert line_of(serve(variables), "listening")["metrics_port"] is None


@pytest.mark.parametrize("variables", ["IN_MEMORY"], indirect=True)
def test_a_port_that_is_taken_is_refused_in_one_line(serve, variables):
    taken = line_of(serve(variables, command=[*SERVE, "--metrics-port", "0"]), "listening")["metrics_port"]

    with pytest.raises(RuntimeError, match=f"port {taken}"):
        serve(variables | {"DPM_METRICS_PORT": str(taken)})


class Collector(BaseHTTPRequestHandler):
    """Takes what is exported, and keeps the size of it."""

    def do_POST(self):
        self.server.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    server = HTTPServer(("127.0.0.1", 0), Collector)
    server.taken = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("variables", ["IN_MEMORY"], indirect=True)
def test_spans_reach_the_collector_by_the_time_the_server_has_stopped(
    serve, variables, collector, monkeypatch
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    # Longer than the test: only the stop hands them over.
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
    server = serve(variables | {"DPM_OTEL_ENABLED": "1"})
    sent = simulation(server, "k-1", DEMO.read_bytes(), traceparent=f"00-{TRACE}-{SPAN}-01")
    assert status_of(sent) == 200

    assert server.stop() == 0

    assert [path for path, _ in collector.taken] == ["/v1/traces"]
    exported = collector.taken[0][1]
    assert bytes.fromhex(TRACE) in exported and bytes.fromhex(SPAN) in exported
    for told in (
        b"POST /rebalance/simulate",
        b"store dpm_runs.admit",
        b"engine simulate_request",
        b"lotus-manage",
    ):
        assert told in exported
    assert line_of(server, "request")["trace_id"] == TRACE


def test_a_server_that_is_to_make_spans_and_cannot_does_not_start(tmp_path):
    """A package of that name that cannot be imported stands in for one that is not installed."""
    (tmp_path / "opentelemetry.py").write_text("raise ImportError\n", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "service", "serve", "--port", "0"],
        cwd=ROOT,
        env={"PYTHONPATH": str(tmp_path), "DPM_OTEL_ENABLED": "1", "PATH": ""},
        capture_output=True,
        timeout=HANG_SECONDS,
        check=False,
    )

    assert ended.returncode != 0
    assert b"lotus-manage[otel]" in ended.stderr and len(ended.stderr.strip().splitlines()) == 1
