"""What the demo prints can be believed."""

import pytest

from scripts.demo import limits_of


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            {"rule_id": "SINGLE_POSITION_MAX", "reason_code": "OK", "threshold": {"max": "0.35"}},
            "max 0.35, tolerance 0.001",
        ),
        (
            {"rule_id": "SINGLE_POSITION_MAX", "reason_code": "NO_LIMIT_SET", "threshold": {"max": "-1"}},
            "max -1",
        ),
        (
            {"rule_id": "CASH_BAND", "reason_code": "OK", "threshold": {"min": "0", "max": "1"}},
            "min 0, max 1",
        ),
    ],
)
def test_a_rule_that_passes_beyond_its_limit_says_by_how_much_it_may(rule, said):
    assert limits_of(rule) == said
