"""Ids and instants."""

import re
from datetime import timedelta

from service.runtime.clock import SystemClock, TimeOrderedIds


def test_ids_are_drawn_in_text_order_and_never_twice():
    draw = TimeOrderedIds()

    drawn = [draw("rr") for _ in range(20_000)]

    assert drawn == sorted(set(drawn))
    assert all(re.fullmatch(r"rr_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}", name) for name in drawn)


def test_ids_stay_in_order_when_the_clock_steps_back(monkeypatch):
    draw = TimeOrderedIds()
    before = draw("rr")

    monkeypatch.setattr("time.time_ns", lambda: 1_000_000)
    after = draw("rr")

    assert before < after


def test_instants_are_utc():
    assert SystemClock().now().utcoffset() == timedelta(0)
