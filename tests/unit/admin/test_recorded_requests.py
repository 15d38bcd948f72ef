"""Recorded requests as they are asked again, and generated ones as they are drawn."""

import gzip
import json

import pytest

from service.admin.comparison.recorded_requests import Recorded, RecordedAnswer, RequestsRefused
from service.admin.comparison.workload import Generated

RECORDED_RUN = {"rebalance_run_id": "rr_then", "correlation_id": "corr_then", "status": "READY"}
LINES = (
    {
        "method": "POST",
        "path": "/rebalance/simulate",
        "headers": {"Idempotency-Key": "k"},
        "body": {"n": 1.10},
    }
    | {"answer": RECORDED_RUN},
    {"method": "GET", "path": "/rebalance/runs/rr_then"},
    {"method": "POST", "path": "/rebalance/other", "body": {"about": "rr_then", "status": "READY"}},
)


@pytest.fixture
def write(tmp_path):
    def written(*lines, zipped=False):
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
        path = tmp_path / "requests.jsonl"
        path.write_bytes(gzip.compress(text) if zipped else text)
        return path

    return written


def asked_with(source, answer):
    """All that is asked of somebody who gives that answer each time."""
    asked = []
    for one in source:
        asked.append(one)
        source.learn(one, RecordedAnswer(200, {}, json.dumps(answer).encode()))
    return asked


@pytest.mark.parametrize("zipped", [False, True])
def test_ids_that_were_answered_then_are_asked_about_as_they_are_answered_now(write, zipped):
    now = {"rebalance_run_id": "rr_now", "correlation_id": "corr_now", "status": "BLOCKED"}

    first, second, third = asked_with(Recorded(write(*LINES, zipped=zipped)), now)

    assert (first.method, first.path, first.body) == ("POST", "/rebalance/simulate", b'{"n": 1.1}')
    assert first.headers == {"Idempotency-Key": "k", "Content-Type": "application/json"}
    assert str(second) == "GET /rebalance/runs/rr_now"
    assert json.loads(third.body) == {"about": "rr_now", "status": "READY"}


def test_a_body_is_asked_byte_for_byte(write):
    line = '{"method": "POST", "path": "/a", "body": {"weight": 0.10, "name": "Z\\u00fcrich"}}'

    (asked,) = asked_with(Recorded(write(line)), {})

    assert asked.body == b'{"weight": 0.10, "name": "Z\\u00fcrich"}'


def test_a_recorded_case_is_posted_under_its_id(write):
    case = {"id": "case-1", "endpoint": "/rebalance/simulate", "status": 200, "request": {"a": 1}}

    first, again = asked_with(Recorded(write(case, case)), {})

    assert (first.method, first.path, first.body) == ("POST", "/rebalance/simulate", b'{"a": 1}')
    assert first.headers["Idempotency-Key"] == "case-1"
    assert again.headers["Idempotency-Key"] == "case-1-2"


@pytest.mark.parametrize("line", ["{", "[]", '{"method": "GET"}', '{"method": "GET", "path": "runs"}'])
def test_a_line_of_neither_form_is_named_by_its_number(write, line):
    with pytest.raises(RequestsRefused, match=r"requests\.jsonl:3: "):
        Recorded(write(LINES[1], "", line))


def test_equal_seeds_ask_alike_and_others_do_not():
    asked = [list(Generated(80, seed)) for seed in (5, 5, 6)]

    assert asked[0] == asked[1] != asked[2]
    assert len(asked[0]) == 80
