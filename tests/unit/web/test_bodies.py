"""Bodies become values or lists of entries, whatever bytes arrive and whichever path reads them."""

import json
import pickle
import random
import subprocess
import sys
import types
from copy import deepcopy
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from scripts.harness import sample_requests
from service.domains.proposals.requests import (
    ProposalApprovalRequest,
    ProposalCreateRequest,
    ProposalSimulateRequest,
    ProposalStateTransitionRequest,
    ProposalVersionRequest,
    ProposedTrade,
)
from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.requests import BatchRebalanceRequest, RebalanceRequest
from service.domains.values.money import Exact, ExactText
from service.errors.requests import JsonTooDeep, RequestInvalid
from service.web.requests import bodies, json_texts
from service.web.schemas.faults import MESSAGES
from tests.conftest import ROOT

READERS = {
    RebalanceRequest: bodies.decode_rebalance,
    BatchRebalanceRequest: bodies.decode_batch,
    ProposalSimulateRequest: bodies.decode_proposal,
    ProposalCreateRequest: bodies.decode_creation,
    ProposalVersionRequest: bodies.decode_version,
    ProposalStateTransitionRequest: bodies.decode_transition,
    ProposalApprovalRequest: bodies.decode_approval,
}
STRICT = {
    RebalanceRequest: bodies.decode_rebalance.strict,
    BatchRebalanceRequest: bodies.decode_batch.strict,
    ProposalSimulateRequest: bodies.decode_proposal.strict,
    ProposalCreateRequest: bodies.decode_creation.strict,
    ProposalVersionRequest: bodies.decode_version.strict,
    ProposalStateTransitionRequest: bodies.decode_transition.strict,
    ProposalApprovalRequest: bodies.decode_approval.strict,
}

BOUNDS = {"greater_than_equal", "less_than_equal", "greater_than"}
SIZES = {"string_too_long", "string_too_short", "too_long"}
TYPES = {*MESSAGES, *BOUNDS, *SIZES, "value_error", "enum", "literal_error"}
WITH_CTX = {"json_invalid", *BOUNDS, *SIZES, "value_error", "enum", "literal_error"}


class Wire(str):
    """JSON text that is written as it stands."""


def written(value):
    match value:
        case Wire():
            return str(value)
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{written(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(written, value)) + "]"
        case _:
            return json.dumps(value)


def body_of(value):
    return written(value).encode()


def refusal(read, body):
    with pytest.raises(RequestInvalid) as refused:
        read(body)
    return list(refused.value.entries)


def outcome(read, body):
    """The value, or the entries without the inputs: an enclosing object differs with its unknown keys."""
    try:
        return read(body)
    except RequestInvalid as refused:
        check_entries(refused.entries)
        return [(found["type"], found["loc"], found["msg"], found.get("ctx")) for found in refused.entries]


def check_entries(entries):
    assert entries
    assert (
        msgspec.json.decode(msgspec.json.encode(entries)) == json.loads(json.dumps(entries)) == list(entries)
    )
    for found in entries:
        assert found["type"] in TYPES
        assert found["loc"][0] == "body"
        assert set(found) == {"type", "loc", "msg", "input"} | (
            {"ctx"} if found["type"] in WITH_CTX else set()
        )
        if isinstance(found["input"], dict | list):
            assert len(json.dumps(found["input"])) < 8 * 1024


# Any member the shape does not know is ignored; this one the typed decoder is not given to read.
SLOWLY = {"\0": 1}


def with_top(value, more):
    return {**value, **more} if isinstance(value, dict) else value


LONG_TEXTS = st.sampled_from(
    ["x" * 12, "x" * 13, "é" * 26, "x" * 200, "😀" * 200, "x" * 201, "x" * 402, "x" * 501, "x" * 4001]
)
TEXTS = (
    st.sampled_from(["", "EQ_1", "SGD", "é", "😀", '"\\/', "\x7f", "[{"])
    | LONG_TEXTS
    | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=5)
)
NUMBERS = st.sampled_from(
    ["0", "1", "0.5", "0.10", "100.00", "-0", "1e2", ".5", "5.", "+1"]
    + [
        Wire(text)
        for text in ("0", "1", "-0", "0.1", "1.50", "1E-5", "0.300000000000000001", "12345678901234567890")
    ]
)
ODD = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        2,
        -1,
        11,
        2**64,
        "",
        "yes",
        "OFF",
        "x",
        "5",
        " 5 ",
        "5.0",
        "1_000",
        " 1 ",
        "\u0663",
        "1e19",
    ]
    + [
        "NaN",
        "-Infinity",
        "9" * 39,
        "0e99",
        "a\0b",
        "\ud800",
        "L1",
        "BANNED",
        "SOLVER",
        [],
        {},
        [1],
        {"a": 1},
    ]
    + [{"a:b": {"max_weight": "2"}}, {"\ud800": "1"}, {"": "1"}, {"_schema": {}}, {"L9": "0.1"}, {"B b": {}}]
    + [
        Wire(text)
        for text in (
            "1.0",
            "0.0",
            "5.0",
            "5.5",
            "1e400",
            "1e-400",
            "NaN",
            "-Infinity",
            "1e99999999999999999999",
        )
    ]
    + [
        Wire("9" * 5000),
        Wire("-" + "9" * 4300),
        Wire('{"a":1,"a":"2"}'),
        Wire('"\\u0041"'),
        Wire('{"\\u0041":"1"}'),
    ]
)
FREE = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def values_of(wanted):
    if get_origin(wanted) is Annotated:
        wanted = get_args(wanted)[0]
    plain = {str: TEXTS, int: st.integers(1, 10), bool: st.booleans(), Any: FREE}
    plain |= {Exact: NUMBERS, ExactText: NUMBERS}
    if wanted in plain:
        return plain[wanted]
    parts = get_args(wanted)
    origin = get_origin(wanted)
    if origin in (types.UnionType, Union):
        return st.none() | values_of(parts[0])
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is tuple:
        return st.lists(values_of(parts[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(
            st.sampled_from(["sector:TECH", "a", "SGD"]) | TEXTS, values_of(parts[1]), max_size=2
        )
    if issubclass(wanted, Enum):
        return st.sampled_from([member.value for member in wanted])
    return objects_of(wanted)


def objects_of(kind):
    required = {info.name: values_of(info.type) for info in msgspec.structs.fields(kind) if info.required}
    rest = {info.name: values_of(info.type) for info in msgspec.structs.fields(kind) if not info.required}
    more = st.just({})
    if rest:
        names = st.lists(st.sampled_from(sorted(rest)), max_size=3, unique=True)
        more = names.flatmap(lambda chosen: st.fixed_dictionaries({name: rest[name] for name in chosen}))
    if kind is ProposedTrade:
        # Otherwise nearly every one would be refused for its size.
        more = st.sampled_from(["quantity", "notional"]).flatmap(
            lambda size: st.fixed_dictionaries({size: rest[size]})
        )
    return st.builds(lambda one, two: {**one, **two}, st.fixed_dictionaries(required), more)


def places(value, path=()):
    if path:
        yield path
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in list(members):
        yield from places(item, (*path, key))


@st.composite
def spoilt(draw, kind):
    document = deepcopy(draw(objects_of(kind)))
    for _ in range(draw(st.integers(0, 2))):
        found = list(places(document))
        if not found:
            break
        *way, last = draw(st.sampled_from(found))
        target = document
        for key in way:
            target = target[key]
        if isinstance(last, str) and draw(st.booleans()):
            target.pop(last)
        else:
            target[last] = deepcopy(draw(ODD))
    return document


KINDS = st.sampled_from(list(READERS))


@pytest.mark.slow
@given(KINDS.flatmap(lambda kind: st.tuples(st.just(kind), spoilt(kind))))
def test_both_paths_read_a_body_alike(drawn):
    kind, document = drawn
    body = body_of(document)

    quick = outcome(READERS[kind], body)
    slow = outcome(READERS[kind], body_of(with_top(document, SLOWLY)))
    strict = outcome(STRICT[kind], body)

    event("accepted" if isinstance(quick, kind) else "refused")
    assert quick == slow
    if isinstance(quick, kind):
        assert msgspec.json.encode(quick) == msgspec.json.encode(slow)
        assert strict == quick or {found[0] for found in strict} == {"extra_forbidden"}
        assert msgspec.json.decode(msgspec.json.encode(quick))


@pytest.mark.slow
@given(spoilt(EngineOptions))
def test_options_are_read_alike_alone_and_inside_a_request(document):
    rest = {**sample_requests.a_document(positions=1), "options": document}
    try:
        whole = bodies.decode_rebalance(body_of(rest)).options
    except RequestInvalid as refused:
        whole = [(found["type"], found["loc"][2:]) for found in refused.entries]
    document = json.loads(
        written(document),
        parse_float=json_texts.fraction_of,
        parse_int=json_texts.integer_of,
        parse_constant=json_texts.constant_of,
    )

    try:
        alone = bodies.decode_options(document)
    except RequestInvalid as refused:
        check_entries(refused.entries)
        alone = [(found["type"], found["loc"][1:]) for found in refused.entries]

    assert alone == whole


JSON_PIECES = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", '"', ",", ":", "\\", "\\u0000", "\\ud800", "NaN", "-", "1e9", "null", " "]
    )
    | st.sampled_from(['"options"', '"scenarios"', '"portfolio_snapshot"', "\x00", "\ufeff", "é"]),
    max_size=30,
).map("".join)


@given(st.binary(max_size=60) | JSON_PIECES.map(str.encode) | FREE.map(body_of) | ODD.map(body_of))
@example(b"\xef\xbb\xbf{}")
@example(b"\xed\xa0\x80")
def test_no_bytes_make_a_reader_fail(body):
    for read in (*READERS.values(), *STRICT.values()):
        try:
            value = read(body)
        except RequestInvalid as refused:
            check_entries(refused.entries)
        except JsonTooDeep:
            pass
        else:
            assert type(value) in READERS


@pytest.mark.parametrize("read", [*READERS.values(), *STRICT.values()])
@pytest.mark.parametrize("body", [b"", b"null", b" null\n"])
def test_an_absent_body_is_one_missing_entry(read, body):
    assert refusal(read, body) == [
        {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
    ]


@pytest.mark.parametrize(
    ("body", "at", "text"),
    [
        (b"{", 1, "Expecting property name enclosed in double quotes"),
        (b"   ", 3, "Expecting value"),
        ('{"é": tru}'.encode(), 6, "Expecting value"),
        (b'{"a": "\x01"}', 7, "Invalid control character at"),
        (b"\xef\xbb\xbf" * 2 + b"{}", 0, "Unexpected UTF-8 BOM (decode using utf-8-sig)"),
        (b"\xef\xbb\xbf{", 1, "Expecting property name enclosed in double quotes"),
        ('{"é": "'.encode() + b'\xff"}', 7, "Invalid UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', 7, "Invalid UTF-8"),
        ("{}".encode("utf-16"), 0, "Invalid UTF-8"),
        (b"{} x", 3, "Extra data"),
        (b"[" * 64, 64, "Expecting value"),
    ],
)
def test_a_body_that_is_no_json_says_where(body, at, text):
    for read in (bodies.decode_rebalance, bodies.decode_batch.strict):
        assert refusal(read, body) == [
            {
                "type": "json_invalid",
                "loc": ["body", at],
                "msg": "JSON decode error",
                "input": {},
                "ctx": {"error": text},
            }
        ]


def test_raw_bytes_that_are_no_text_are_refused_in_ignored_members_too():
    body = sample_requests.a_body(positions=1)

    assert refusal(bodies.decode_rebalance, body[:-1] + b',"zz":"\xff"}')[0]["type"] == "json_invalid"


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"1.5", b"true", b"NaN", b"[{}]"])
def test_a_body_that_is_no_object_is_one_entry(body):
    (found,) = refusal(bodies.decode_rebalance, body)

    assert (found["type"], found["loc"]) == ("model_attributes_type", ["body"])


def test_everything_missing_is_told_in_order():
    found = refusal(bodies.decode_rebalance, b"{}")

    assert [entry["loc"] for entry in found] == [
        ["body", info.name] for info in msgspec.structs.fields(RebalanceRequest)
    ]
    assert {entry["type"] for entry in found} == {"missing"}


def test_a_long_object_is_not_sent_back():
    document = sample_requests.a_document(positions=50)
    del document["options"]

    assert refusal(bodies.decode_rebalance, body_of(document)) == [
        {"type": "missing", "loc": ["body", "options"], "msg": "Field required", "input": {}}
    ]


def with_price(price):
    document = sample_requests.a_document(positions=1)
    document["market_data_snapshot"]["prices"][0]["price"] = price
    return body_of(document)


PRICE = ["body", "market_data_snapshot", "prices", 0, "price"]


@pytest.mark.parametrize(
    ("price", "fault", "repeated"),
    [
        (Wire("NaN"), "finite_number", "NaN"),
        (Wire("-Infinity"), "finite_number", "-Infinity"),
        ("Infinity", "finite_number", "Infinity"),
        (Wire("1e400"), "decimal_parsing", "1E+400"),
        (Wire("1e99999999999999999999"), "decimal_parsing", "1e99999999999999999999"),
        (Wire("9" * 5000), "decimal_parsing", "9" * 200),
        (Wire("9" * 4300), "decimal_parsing", "9" * 200),
        (" 1 ", "decimal_parsing", " 1 "),
        (True, "decimal_type", True),
        (None, "decimal_type", None),
        ({"a": Wire("1.50")}, "decimal_type", {"a": "1.50"}),
    ],
)
def test_numbers_that_are_none(price, fault, repeated):
    (found,) = refusal(bodies.decode_rebalance, with_price(price))

    assert (found["type"], found["loc"], found["input"]) == (fault, PRICE, repeated)


@pytest.mark.parametrize("more", [{}, SLOWLY])
def test_fractions_keep_their_literal_text(more):
    document = json.loads(with_price("@"))
    document["market_data_snapshot"]["prices"][0]["price"] = Wire("0.100000000000000006")

    price = bodies.decode_rebalance(body_of({**document, **more})).market_data_snapshot.prices[0].price

    assert price == Decimal("0.100000000000000006")


@pytest.mark.parametrize("more", [{}, SLOWLY])
def test_the_last_of_equal_keys_counts(more):
    body = body_of({**sample_requests.a_document(positions=1, fx_settlement_days=3), **more})

    twice = body.replace(b'"fx_settlement_days":3', b'"fx_settlement_days":3,"fx_settlement_d\\u0061ys":4')
    assert bodies.decode_rebalance(twice).options.fx_settlement_days == 4
    mended = body.replace(b'"fx_settlement_days":3', b'"fx_settlement_days":"x","fx_settlement_days":5')
    assert bodies.decode_rebalance(mended).options.fx_settlement_days == 5


def test_unknown_keys_are_ignored_or_refused_at_every_level():
    document = sample_requests.a_document(positions=1, unheard_of=1)
    document["portfolio_snapshot"]["positions"][0]["odd"] = {"deep": Wire("NaN")}
    body = body_of(document)

    assert bodies.decode_rebalance(body).portfolio_snapshot.positions
    assert [(found["type"], found["loc"]) for found in refusal(bodies.decode_rebalance.strict, body)] == [
        ("extra_forbidden", ["body", "portfolio_snapshot", "positions", 0, "odd"]),
        ("extra_forbidden", ["body", "options", "unheard_of"]),
    ]


def a_batch(options):
    return json.loads(sample_requests.a_batch_body({"base": {}}, positions=1)) | {
        "scenarios": {"base": {"options": options}}
    }


def test_the_options_of_a_scenario_are_passed_on_as_sent():
    sent = {"max_turnover_pct": Wire("1.50"), "any": [None, {"n": Wire("1E5"), "i": 2**70}], "text": "é"}

    options = bodies.decode_batch(body_of(a_batch(sent))).scenarios["base"].options

    assert options == {
        "max_turnover_pct": Decimal("1.50"),
        "any": [None, {"n": Decimal("1E5"), "i": 2**70}],
        "text": "é",
    }


@pytest.mark.parametrize(
    ("options", "fault", "way"),
    [
        ({"a": ["\0"]}, "value_error", ["a", 0]),
        ({"a": "\ud800"}, "string_unicode", ["a"]),
        ({"\ud800": 1}, "string_unicode", ["?", "[key]"]),
        ({"a": {"b": Wire("NaN")}}, "finite_number", ["a", "b"]),
        ({"a": Wire("1e99999999999999999999")}, "decimal_parsing", ["a"]),
        ({"a": Wire("9" * 4301)}, "decimal_parsing", ["a"]),
        ([], "dict_type", []),
        (None, "dict_type", []),
    ],
)
def test_what_no_store_holds_is_refused_in_the_options_of_a_scenario(options, fault, way):
    (found,) = refusal(bodies.decode_batch, body_of(a_batch(options)))

    assert (found["type"], found["loc"]) == (fault, ["body", "scenarios", "base", "options", *way])


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], "at least one scenario is required"),
        ([f"s{n}" for n in range(21)], "scenario count exceeds maximum of 20"),
        (["Upper"], r"scenario names must match regex [a-z0-9_\-]{1,64}"),
        (["line\n"], r"scenario names must match regex [a-z0-9_\-]{1,64}"),
        (["x" * 65], r"scenario names must match regex [a-z0-9_\-]{1,64}"),
    ],
)
def test_scenarios_are_few_and_well_named(names, text):
    (found,) = refusal(
        bodies.decode_batch, body_of(a_batch({}) | {"scenarios": {name: {} for name in names}})
    )

    assert (found["type"], found["loc"]) == ("value_error", ["body", "scenarios"])
    assert found["msg"] == f"Value error, {text}"


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({"target_method": "BEST"}, "Input should be 'HEURISTIC' or 'SOLVER'"),
        ({"settlement_horizon_days": 11}, "Input should be less than or equal to 10"),
        (
            {"max_turnover_pct": Decimal("1.1")},
            "Value error, max_turnover_pct must be between 0 and 1 inclusive",
        ),
        ({"max_overdraft_by_ccy": {"SGD\0": "1"}}, "Value error, strings must not contain NUL"),
        ({"group_constraints": {"a:b": 5, "c": 1}}, MESSAGES["model_attributes_type"]),
    ],
)
def test_options_that_are_wrong_say_so(options, first):
    assert refusal(bodies.decode_options, options)[0]["msg"] == first


def test_lenient_options_are_read():
    options = bodies.decode_options(
        {"enable_tax_awareness": "on", "fx_settlement_days": Decimal("3.0"), "zz": 1}
    )

    assert options == EngineOptions(enable_tax_awareness=True, fx_settlement_days=3)
    assert refusal(bodies.decode_options.strict, {"zz": 1})[0]["type"] == "extra_forbidden"


@pytest.mark.parametrize("levels", [64, 65, 100_000])
@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":', "}"), ('{"[{":[', '],"}":1}')])
def test_bodies_nest_to_a_limit(levels, pair):
    opening, closing = pair
    times = levels // sum(opening.replace('"[{"', "").count(bracket) for bracket in "[{")
    body = (opening * times + "1" + closing * times).encode() if levels != 65 else b"[" * 65 + b"]" * 65

    if levels == 64:
        json_texts.refuse_depth(body)
    else:
        with pytest.raises(JsonTooDeep) as refused:
            bodies.decode_rebalance(body)
        assert refused.value.facts == {"levels_max": 64}


def deepest(text):
    """The depth by the book, one character after the other."""
    depth = most = at = 0
    quoted = False
    while at < len(text):
        letter = text[at]
        if letter == "\\" and text[at + 1 : at + 2] in ("\\", '"'):
            at += 2
            continue
        if letter == '"':
            quoted = not quoted
        elif not quoted and letter in "[{":
            depth += 1
            most = max(most, depth)
        elif not quoted and letter in "]}":
            depth = max(0, depth - 1)
        at += 1
    return most


@given(st.text(st.sampled_from('[]{}"\\ a'), max_size=60), st.integers(1, 5))
@example('{"a\\\\":[["]"]]}', 2)
@settings(max_examples=500)
def test_depth_is_counted_by_the_book(text, levels_max):
    limit = json_texts.LEVELS_MAX
    json_texts.LEVELS_MAX = levels_max
    try:
        json_texts.refuse_depth(text.encode())
        refused = False
    except JsonTooDeep:
        refused = True
    finally:
        json_texts.LEVELS_MAX = limit

    assert refused == (deepest(text) > levels_max)


def test_readers_and_refusals_cross_process_borders():
    for read in (*READERS.values(), *STRICT.values(), bodies.decode_options, bodies.decode_options.strict):
        assert pickle.loads(pickle.dumps(read)) == read

    with pytest.raises(RequestInvalid) as refused:
        bodies.decode_rebalance(with_price(Wire("NaN")))
    assert pickle.loads(pickle.dumps(refused.value)).entries == refused.value.entries


def test_a_body_to_the_letter_never_loads_the_schema_library():
    code = (
        "import sys; from service.web.requests import bodies; from scripts.harness import sample_requests;"
        "bodies.decode_rebalance(sample_requests.a_body(positions=1)); print('marshmallow' in sys.modules)"
    )

    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert answer.stdout == "False\n"


@pytest.mark.parametrize("seed", range(5))
def test_realistic_bodies_are_read_alike_on_both_paths(seed):
    document = sample_requests.a_document(positions=random.Random(seed).randint(1, 60), seed=seed)

    quick = bodies.decode_rebalance(body_of(document))

    assert quick == bodies.decode_rebalance(body_of({**document, **SLOWLY}))
    assert quick == bodies.decode_rebalance.strict(body_of(document))
