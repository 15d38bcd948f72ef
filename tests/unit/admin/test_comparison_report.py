"""What counts as a difference, and where it is said to be."""

import json

import pytest

from service.admin.comparison.recorded_requests import RecordedAnswer, RecordedRequest
from service.admin.comparison.report import Report

ASKED = RecordedRequest("GET", "/rebalance/runs")


def an_answer(document=None, status=200, **headers):
    return RecordedAnswer(
        status, {"content-type": "application/json"} | headers, json.dumps(document or {}).encode()
    )


@pytest.mark.parametrize(
    ("left", "right", "place", "values"),
    [
        (an_answer({"a": [1, {"b": "x"}]}), an_answer({"a": [1, {"b": "y"}]}), "body $.a[1].b", ("x", "y")),
        (an_answer({"a": 1}), an_answer({"a": 1, "b": 2}), "body $.b", ("(nothing)", "2")),
        (an_answer({"a": "1.0"}), an_answer({"a": 1.0}), "body $.a", ("1.0", "1.0")),
        (an_answer(), an_answer(status=404), "status", ("200 {}", "404 {}")),
        (an_answer(), an_answer(etag="x"), "header etag", ("(nothing)", "x")),
        (an_answer(status=503), an_answer(status=503), "both failed", ("503 {}", "{}")),
    ],
)
def test_the_first_place_that_differs_is_named_with_both_values(left, right, place, values):
    report = Report(10)
    report.compare_answers("request", ASKED, an_answer(), an_answer())

    report.compare_answers("request", ASKED, left, right)

    (found,) = report.first
    assert found.place == f"request 2, GET /rebalance/runs: {place}"
    assert (found.left, found.right) == values


def test_bytes_that_say_the_same_otherwise_are_a_difference():
    report = Report(10)

    report.compare_answers(
        "request", ASKED, RecordedAnswer(200, {}, b'{"a":1}'), RecordedAnswer(200, {}, b'{"a": 1}')
    )

    assert [(one.left, one.right) for one in report.first] == [('{"a":1}', '{"a": 1}')]


def test_all_differences_are_counted_and_only_the_first_are_kept():
    report = Report(2)
    for number in range(5):
        report.compare_fields(f"row {number}:", {"a": 1, "b": 2}, {"a": 1, "b": 3})

    assert report.differences == 5
    assert [one.place for one in report.first] == ["row 0: b", "row 1: b"]


def test_a_field_that_only_one_side_has_is_a_difference_also_when_it_says_nothing():
    report = Report(2)

    report.compare_fields("row:", {"a": None}, {})

    assert [one.place for one in report.first] == ["row: a"]
