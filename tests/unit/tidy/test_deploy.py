"""What is delivered for those who watch speaks of what is really told, and of all of it."""

import json
import re

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.observability.server_metrics import ServerMetrics
from service.observability.supervisor_metrics import SupervisorMetrics
from service.observability.worker_metrics import WorkerMetrics
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
DASHBOARD = DEPLOY / "grafana" / "lotus-manage.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
SCRAPING = DEPLOY / "prometheus" / "prometheus.yml"

# What stands before a label list, a range or an operator, and is a name of ours or of the process.
NAME = re.compile(r"\b(?:lotus|process)_[a-z_]+\b")
PARTS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}


def families():
    """Every family that a server, a supervisor or a worker tells, with its kind, with figures or without."""
    told = {}
    for metrics in (ServerMetrics(), SupervisorMetrics((), lambda: 0), WorkerMetrics()):
        for family in text_string_to_metric_families(metrics.render().decode()):
            told[family.name] = family.type
    return told


def names():
    return {name + part for name, kind in families().items() for part in PARTS[kind]}


def panels():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def shown():
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def rules():
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def named_in(texts):
    return {name for text in texts for name in NAME.findall(text)}


def test_servers_are_scraped_at_the_port_that_the_text_and_the_compose_file_name():
    text = SCRAPING.read_text(encoding="utf-8")
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"] for job in yaml.safe_load(text)["scrape_configs"]
    }
    (port,) = re.findall(r"DPM_METRICS_PORT \(here (\d+)\)", text)

    assert jobs["lotus-manage"] == [f"lotus-manage:{port}"]
    assert f":{port}:{port}" in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def test_there_are_figures_of_every_part_of_the_service():
    assert {
        "lotus_requests",
        "lotus_http_request_duration_seconds",
        "lotus_engine_duration_seconds",
        "lotus_store_call_duration_seconds",
        "lotus_pool_connections",
        "lotus_idempotent_replays",
        "lotus_http_errors",
        "lotus_operations",
        "lotus_operation_oldest_seconds",
        "lotus_retention_deleted_rows",
        "lotus_shadow_differences",
        "lotus_event_loop_lag_seconds",
        "lotus_job_queue_depth",
    } <= set(families())


def test_the_dashboard_asks_only_for_what_is_told():
    assert named_in(shown()) - names() == set()


def test_the_dashboard_shows_every_family():
    seen = named_in(shown())

    assert {
        name for name, kind in families().items() if not {name + part for part in PARTS[kind]} & seen
    } == set()


def test_every_panel_takes_the_chosen_source_and_has_a_place_of_its_own():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    placed = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = [
        (place["x"] + dx, place["y"] + dy)
        for place in placed
        for dx in range(place["w"])
        for dy in range(place["h"])
    ]

    assert [one["name"] for one in dashboard["templating"]["list"]] == ["datasource", "job", "instance"]
    assert {panel["datasource"]["uid"] for panel in panels()} == {"${datasource}"}
    assert len(cells) == len(set(cells)) and all(x < 24 for x, _ in cells)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


def test_the_alerts_ask_only_for_what_is_told():
    asked = named_in(rule["expr"] for rule in rules())

    assert asked and asked - names() == set()


def test_every_alert_has_a_name_of_its_own_a_severity_and_says_what_to_do():
    found = rules()

    assert len({rule["alert"] for rule in found}) == len(found) >= 12
    for rule in found:
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"]["summary"] and rule["annotations"]["action"], rule["alert"]


@pytest.mark.parametrize(
    "told",
    [
        "lotus_requests_total",
        "lotus_http_request_duration_seconds_bucket",
        "lotus_event_loop_lag_seconds_bucket",
        "lotus_pool_waiting",
        "lotus_operation_oldest_seconds",
        "lotus_purge_last_success_timestamp_seconds",
        "lotus_shadow_differences_total",
        "lotus_operations_recovered_total",
        "lotus_store_up",
        "process_open_fds",
        "lotus_http_connections",
        "lotus_http_answers_cut_total",
        "lotus_server_process_restarts_total",
    ],
)
def test_somebody_is_told_when_it_goes_wrong(told):
    assert any(told in rule["expr"] for rule in rules())


def test_brackets_of_every_expression_are_closed():
    for text in (*shown(), *(rule["expr"] for rule in rules())):
        assert all(text.count(left) == text.count(right) for left, right in ("()", "{}", "[]")), text


def test_the_sample_scrapes_the_jobs_the_alerts_speak_of_and_loads_the_rules():
    scraping = yaml.safe_load(SCRAPING.read_text(encoding="utf-8"))
    jobs = {job["job_name"] for job in scraping["scrape_configs"]}
    spoken_of = {job for rule in rules() for job in re.findall(r'job="([^"]+)"', rule["expr"])}

    assert jobs == {"lotus-manage", "lotus-manage-worker"}
    assert spoken_of <= jobs
    assert scraping["rule_files"] == [ALERTS.name]
