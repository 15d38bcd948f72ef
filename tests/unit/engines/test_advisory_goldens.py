"""Proposals of engine version 1, to the byte, each with the reasons for its figures.

A stored proposal is proved by computing it again. Whoever has to change one of these files has made another
engine version, and must leave this one as it is.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from service.domains.values.canonical import canonical_json
from service.engines.advisory import versions
from service.engines.advisory.v1 import ProposalIdentity
from service.flows.proposals.computing import RESULT, artifact_of_result
from service.web.requests import bodies
from tests.conftest import ROOT
from tests.unit.engines.advisory_cases import read

GOLDENS = ROOT / "tests" / "goldens"
IDENTITY = ProposalIdentity("pr_golden", "corr_golden", "sha256:golden", "key_golden")
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)

# 5,000 CHF are paid in. Selling 20 NESN brings 1,900 CHF. 40 AAPL cost 7,200 USD, of which 1,200 are there:
# 6,000 USD are bought at 0.88 for 5,280.00 CHF, and the purchase waits for them. Every class ends nearer to
# the model. AAPL then weighs 0.2468 and is the only position that grew: a HIGH breach of 0.10 that is new.
SWITCH = """
    base CHF
    cash CHF 2000.00
    cash USD 1200
    hold NESN 100
    hold BOND 80
    price NESN 95.00 CHF
    price AAPL 180 USD
    price BOND 101.5 CHF
    rate USD/CHF 0.88
    shelf NESN APPROVED class=EQUITY issuer=ISS_NESN tier=L1 region=CH
    shelf AAPL APPROVED class=EQUITY issuer=ISS_AAPL tier=L1 region=US
    shelf BOND APPROVED class=FIXED_INCOME issuer=ISS_GOV tier=L2
    flow CHF 5000
    sell NESN 20
    buy AAPL 40
    model CHF
    wanted EQUITY 0.55
    wanted FIXED_INCOME 0.35
    wanted CASH 0.10
    limit issuer_max_weight "0.50"
    option link_buy_to_same_currency_sell_dependency true
"""

# Everything that can be refused, in one proposal: a withdrawal of more than is there, a BANNED purchase, an
# instrument without a shelf row, one without a price, an amount in another currency, a sale of what is not
# held, and no rate for the only purchase left. Nothing is lost: each leaves a warning, an entry or a row.
REFUSED = """
    cash SGD 100
    hold A 10
    price A 10 SGD
    price E 3 NOK
    price F 2 SGD
    shelf A APPROVED issuer=I tier=L1
    shelf B BANNED
    shelf D APPROVED
    shelf E APPROVED
    shelf F SUSPENDED
    flow SGD -150
    buy B 1
    buy C 1
    buy D 1
    buy E 2
    sell F 5
    sell A = 30 USD
    limit cash_band_max_weight "1"
"""

# Rates may be missing, so the run is only held for review: the purchase in EUR has no pair to be funded by,
# and the warning, the soft row and the skipped purchase say so. Yen are sold whole for the dollars, by the
# inverse rate of JPY/USD: 1.0 / 0.0066 is 151.51..., 200 USD cost 30,303 JPY.
REVIEW = """
    base JPY
    cash JPY 100000
    price X 20.00 USD
    price Y 5 EUR
    rate JPY/USD 0.0066
    shelf X APPROVED class=FUND
    shelf Y APPROVED class=FUND
    buy X = 200.00 USD
    buy Y 3
    option block_on_missing_fx false
    option client_consent_already_obtained true
"""

MIGRATION_HISTORY = {"advisory_switch": SWITCH, "advisory_refused": REFUSED, "advisory_review": REVIEW}


@pytest.mark.parametrize("name", MIGRATION_HISTORY)
def test_version_1_answers_as_it_always_did(name: str) -> None:
    request = bodies.decode_proposal(json.dumps(read(MIGRATION_HISTORY[name])).encode())

    result = json.loads(RESULT.encode(versions.engine_of("1")(request, IDENTITY)))

    assert written(result) == (GOLDENS / f"{name}.json").read_text(encoding="utf-8")


def test_version_1_is_packed_as_it_always_was() -> None:
    # The artifact of the switch; its changes of weight are rounded after they are taken, not before.
    request = bodies.decode_proposal(json.dumps(read(SWITCH)).encode())
    result = RESULT.encode(versions.engine_of("1")(request, IDENTITY))

    artifact = artifact_of_result(bodies.decode_proposal, canonical_json(request), result, AT)

    expected = (GOLDENS / "advisory_switch_artifact.json").read_text(encoding="utf-8")
    assert written(json.loads(artifact.body)) == expected


def written(value: object) -> str:
    """One field a line, so that a difference reads like one."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
