"""Schemas derived from types: what they take, what they refuse and how they describe it."""

import warnings
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest
from marshmallow import ValidationError
from marshmallow.exceptions import SCHEMA
from msgspec import Meta

from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.requests import BatchRebalanceRequest, RebalanceRequest
from service.domains.values.bounds import FreeBound, ListBound, MapBound, TextBound
from service.domains.values.fields import Bound, Check, Checked, FieldRule, WholeRule
from service.domains.values.money import Exact
from service.web.schemas import dpm_runs, proposals
from service.web.schemas.derive import loader_of, schema_of
from service.web.schemas.entries import CONTAINER_CHARACTERS_MAX, ENTRIES_MAX, WHOLE, entries_of, shown
from service.web.schemas.faults import Unreadable

NAME = TextBound(20)


class Side(Enum):
    BUY = "BUY"
    SELL = "SELL"


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One leg."""

    weight: Exact


class Order(Checked, frozen=True, kw_only=True):
    """One order."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        Bound("days", ge=0, le=10),
        FieldRule("weights", "first rule", lambda weights: "first" not in weights),
        FieldRule("weights", "second rule", lambda weights: "second" not in weights),
        WholeRule("name and note must differ", lambda order: order.name != order.note),
    )

    name: Annotated[str, NAME, Meta(examples=["one"])]
    side: Side = Side.BUY
    tier: Literal["LOW", "MID", "HIGH"] | None = None
    days: int = 2
    urgent: bool = False
    amount: Exact | None = None
    legs: Annotated[tuple[Leg, ...], ListBound(500)] = ()
    weights: Annotated[dict[str, Exact], MapBound(500, NAME)] = {}  # noqa: RUF012
    by_leg: Annotated[dict[str, Leg], MapBound(500, NAME)] = {}  # noqa: RUF012
    free: Annotated[dict[str, Any], FreeBound(20, 100)] = {}  # noqa: RUF012
    note: Annotated[str, NAME] = ""


def read(value, **options):
    return schema_of(Order, **options)().load(value)


def entries(value, **options):
    with pytest.raises(ValidationError) as refused:
        read(value, **options)
    return entries_of(refused.value.messages, value)


def brief(value, **options):
    return [(found["type"], found["loc"][1:], found["input"]) for found in entries(value, **options)]


def test_what_is_left_out_has_the_default_of_the_type():
    assert read({"name": "a"}) == Order(name="a")


def test_a_full_value_is_read_as_the_typed_decoder_reads_it():
    legs = [{"weight": "0.10"}]
    value = {
        "name": "a",
        "side": "SELL",
        "tier": "MID",
        "days": 0,
        "urgent": True,
        "amount": "1.0",
        "legs": legs,
    }
    value |= {"weights": {"x": 1}, "by_leg": {"y": legs[0]}, "free": {"z": [None, {"k": 1}]}, "note": ""}

    order = read(value)

    assert order == msgspec.convert(value, Order, dec_hook=lambda _, number: Decimal(number))
    assert isinstance(order.legs, tuple)


@pytest.mark.parametrize(
    "value", [True, 1, Decimal("1.0"), Decimal("1e0"), "1", "t", "T", "y", "oN", "true", "Yes"]
)
def test_spellings_of_true(value):
    assert read({"name": "a", "urgent": value}).urgent is True


@pytest.mark.parametrize(
    "value", [False, 0, Decimal("0.0"), Decimal("-0"), "0", "f", "F", "n", "off", "false", "No"]
)
def test_spellings_of_false(value):
    assert read({"name": "a", "urgent": value}).urgent is False


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        *((text, "bool_parsing") for text in ("", " yes", "yes ", "2", "ja", 2, -1, Decimal("2.0"))),
        *(
            (other, "bool_type")
            for other in (None, [], {}, Decimal("0.5"), Unreadable("NaN", "finite_number"))
        ),
    ],
)
def test_no_spelling_of_a_boolean(value, fault):
    assert [found["type"] for found in entries({"name": "a", "urgent": value})] == [fault]


@pytest.mark.parametrize(
    "value", [5, "5", " 5 ", "+5", "05", "5.0", "\t5.00\n", Decimal("5.0"), Decimal("0.5e1")]
)
def test_spellings_of_an_integer(value):
    days = read({"name": "a", "days": value}).days

    assert days == 5
    assert type(days) is int


def test_true_counts_as_one():
    assert type(read({"name": "a", "days": True}).days) is int


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        *(
            (text, "int_parsing")
            for text in ("", "x", "5.5", "1e1", "1_0", "\u0665", "0x5", "5 5", "5.", "9" * 5000)
        ),
        *(
            (number, "int_parsing")
            for number in (Decimal("1e99999"), Unreadable("9" * 5000, "decimal_parsing"))
        ),
        *((number, "int_from_float") for number in (Decimal("5.5"), Decimal("5." + "0" * 40 + "1"))),
        *((other, "int_type") for other in (None, [], {}, Unreadable("NaN", "finite_number"))),
        (Decimal("1e4000"), "less_than_equal"),
        (11, "less_than_equal"),
        ("-1", "greater_than_equal"),
    ],
)
def test_no_spelling_of_an_integer(value, fault):
    assert [found["type"] for found in entries({"name": "a", "days": value})] == [fault]


def test_every_fault_is_told_depth_first_in_the_order_of_the_fields():
    value = {
        "note": 5,
        "weights": {"x": True, "y": "1", "z": "NaN"},
        "legs": [{"weight": 1}, {}, 7, {"weight": None}],
        "by_leg": {"k": {"weight": "x"}},
        "side": "HOLD",
        "tier": [],
        "amount": [],
    }

    assert brief(value) == [
        ("missing", ["name"], value),
        ("enum", ["side"], "HOLD"),
        ("literal_error", ["tier"], []),
        ("decimal_type", ["amount"], []),
        ("missing", ["legs", 1, "weight"], {}),
        ("model_attributes_type", ["legs", 2], 7),
        ("decimal_type", ["legs", 3, "weight"], None),
        ("decimal_type", ["weights", "x"], True),
        ("finite_number", ["weights", "z"], "NaN"),
        ("decimal_parsing", ["by_leg", "k", "weight"], "x"),
        ("string_type", ["note"], 5),
    ]


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        ("name", "string_type"),
        ("side", "enum"),
        ("days", "int_type"),
        ("urgent", "bool_type"),
        ("legs", "list_type"),
        ("weights", "dict_type"),
        ("by_leg", "dict_type"),
        ("free", "dict_type"),
    ],
)
def test_null_is_no_value_of_a_field_that_is_not_nullable(field, fault):
    assert brief({"name": "a", field: None}) == [(fault, [field], None)]


def test_entries_have_the_words_of_the_contract():
    value = {"name": "a", "side": "x", "tier": "x", "days": 11, "weights": {"first": 1, "second": 2}}

    assert entries(value) == [
        {
            "type": "enum",
            "loc": ["body", "side"],
            "msg": "Input should be 'BUY' or 'SELL'",
            "input": "x",
            "ctx": {"expected": "'BUY' or 'SELL'"},
        },
        {
            "type": "literal_error",
            "loc": ["body", "tier"],
            "msg": "Input should be 'LOW', 'MID' or 'HIGH'",
            "input": "x",
            "ctx": {"expected": "'LOW', 'MID' or 'HIGH'"},
        },
        {
            "type": "less_than_equal",
            "loc": ["body", "days"],
            "msg": "Input should be less than or equal to 10",
            "input": 11,
            "ctx": {"le": 10},
        },
        {
            "type": "value_error",
            "loc": ["body", "weights"],
            "msg": "Value error, first rule",
            "input": {"first": 1, "second": 2},
            "ctx": {"error": {}},
        },
    ]


def test_a_rule_across_fields_is_asked_once_each_field_is_right():
    assert brief({"name": "a", "note": "a"}) == [("value_error", [], {"name": "a", "note": "a"})]
    assert brief({"name": "a", "note": "a", "days": "x"}) == [("int_parsing", ["days"], "x")]


def test_unknown_keys_are_ignored_unless_they_are_to_be_refused():
    value = {
        "b": 1,
        "name": "a",
        "a": {"x": 1},
        SCHEMA: 2,
        "legs": [{"weight": 1, "c": None}],
        "free": {"any": 1},
    }

    assert read(value).name == "a"
    assert brief(value, refuse_unknown=True) == [
        ("extra_forbidden", ["legs", 0, "c"], None),
        ("extra_forbidden", ["b"], 1),
        ("extra_forbidden", ["a"], {"x": 1}),
        ("extra_forbidden", [SCHEMA], 2),
    ]


def test_a_map_may_have_any_key_even_one_that_is_a_marker_elsewhere():
    for key in (SCHEMA, "[key]", "", "weight"):
        assert brief({"name": "a", "weights": {key: "x"}}) == [("decimal_parsing", ["weights", key], "x")]
        assert brief({"name": "a", "by_leg": {key: {}}}) == [("missing", ["by_leg", key, "weight"], {})]
        assert read({"name": "a", "by_leg": {key: {"weight": 1}}}).by_leg[key].weight == 1


@pytest.mark.parametrize(
    ("text", "fault"), [("a\0b", "value_error"), ("\ud800", "string_unicode"), ("\udfff\0", "string_unicode")]
)
def test_text_that_no_store_holds_is_refused_wherever_it_stands(text, fault):
    clean = text.replace("\ud800", "?").replace("\udfff", "?")

    assert brief({"name": text}) == [(fault, ["name"], clean)]
    assert brief({"name": "a", "weights": {text: 1}}) == [(fault, ["weights", clean, "[key]"], clean)]
    assert brief({"name": "a", "free": {"k": [1, {"l": text}]}}) == [(fault, ["free", "k", 1, "l"], clean)]
    assert brief({"name": "a", "free": {"k": [{text: 1}]}}) == [
        (fault, ["free", "k", 0, clean, "[key]"], clean)
    ]
    assert read({"name": "a", "unknown": text, text: 1}).name == "a"


def test_numbers_without_a_value_are_refused_in_free_values_too():
    for number in (Unreadable("NaN", "finite_number"), Unreadable("9" * 5000, "decimal_parsing")):
        assert brief({"name": "a", "free": {"k": number}}) == [
            (number.fault, ["free", "k"], number.text[:200])
        ]
        assert brief({"name": "a", "amount": number}) == [(number.fault, ["amount"], number.text[:200])]
        assert brief({"name": number}) == [("string_type", ["name"], number.text[:200])]


@pytest.mark.parametrize(
    ("value", "repeated"),
    [
        (Decimal("1.50"), "1.50"),
        ("\ud800x", "?x"),
        ({"\ud800": [Decimal("1e400"), None, True]}, {"?": ["1E+400", None, True]}),
        ("x" * 5000, "x" * 200),
        ("\U0001f600" * 201, "\U0001f600" * 200),
        ({"k" * 300: "x" * 300}, {"k" * 200: "x" * 200}),
        (10**199, 10**199),
        (10**200, "1" + "0" * 199),
        (-(10**300), "-1" + "0" * 198),
        (Decimal("1." + "5" * 500), "1." + "5" * 198),
        (Unreadable("9" * 5000, "decimal_parsing"), "9" * 200),
        (["x" * (CONTAINER_CHARACTERS_MAX + 1)], []),
        ({"a": {"b": list(range(1000))}}, {}),
        ({str(n): n for n in range(500)}, {}),
    ],
)
def test_an_entry_repeats_its_input_unless_that_is_long(value, repeated):
    assert shown(value) == repeated


def test_the_list_of_entries_ends_somewhere():
    for value in (
        {"name": "a", "legs": [0] * (ENTRIES_MAX + 50), "note": 1},
        {"name": "a", "legs": [0] * ENTRIES_MAX, "note": 1},
        {"name": "a", "by_leg": {str(n): 0 for n in range(ENTRIES_MAX + 50)}},
    ):
        found = entries(value)
        assert len(found) == ENTRIES_MAX
        assert {entry["type"] for entry in found[:-1]} == {"model_attributes_type"}
        assert found[-1] == {
            "type": "too_many_errors",
            "loc": ["body"],
            "msg": "More is wrong than is listed here",
            "input": None,
        }
    just = entries({"name": "a", "legs": [0] * ENTRIES_MAX})
    assert len(just) == ENTRIES_MAX
    assert just[-1]["loc"] == ["body", "legs", ENTRIES_MAX - 1]


@pytest.mark.parametrize(
    ("spoilt", "fault", "place"),
    [
        ({"note": "x" * 21}, "string_too_long", ["note"]),
        ({"note": "x" * 100_000}, "string_too_long", ["note"]),
        ({"legs": [0] * 501}, "too_long", ["legs"]),
        ({"weights": {str(n): "x" for n in range(501)}}, "too_long", ["weights"]),
        ({"weights": {"x" * 21: 1}}, "string_too_long", ["weights", "x" * 21, "[key]"]),
        ({"by_leg": {"x" * 300: 1}}, "string_too_long", ["by_leg", "x" * 200, "[key]"]),
        ({"free": {"k": [0] * 20}}, "value_error", ["free"]),
        ({"free": {"k": {str(n): None for n in range(20)}}}, "value_error", ["free"]),
        ({"free": {"k" * 50: "x" * 51}}, "value_error", ["free"]),
        ({"free": {"k": 10**100}}, "value_error", ["free"]),
    ],
)
def test_what_is_over_its_bound_is_one_entry_and_nothing_in_it_is_looked_at(spoilt, fault, place):
    assert [(found["type"], found["loc"][1:]) for found in entries({"name": "a", **spoilt})] == [
        (fault, place)
    ]
    assert isinstance(loader_of(Order, False, None).load({"name": "a", **valid_beyond(spoilt)}), Order)


def valid_beyond(spoilt):
    """The same with items that are right by themselves."""
    right = {
        "legs": lambda items: [{"weight": 1} for _ in items],
        "weights": lambda named: {name: 1 for name in named},
        "by_leg": lambda named: {name: {"weight": 1} for name in named},
    }
    return {name: right.get(name, lambda same: same)(value) for name, value in spoilt.items()}


def test_what_is_at_its_bound_is_taken():
    value = {
        "name": "\U0001f600" * 20,
        "legs": [{"weight": 1}] * 500,
        "weights": {str(n): 1 for n in range(500)},
        "by_leg": {"x" * 20: {"weight": 1}},
        "free": {"k" * 41: [*["xyz"] * 18, True], **{}},
    }

    assert len(read(value).legs) == 500


def test_fields_carry_what_a_published_description_needs():
    declared = schema_of(Order)._declared_fields

    assert declared["name"].metadata == {"example": "one"}
    assert declared["days"].metadata == {"minimum": 0, "maximum": 10, "default": 2}
    assert declared["side"].metadata["default"] == "BUY"
    assert declared["amount"].allow_none and not declared["name"].allow_none
    assert declared["name"].required and not declared["side"].required
    options = schema_of(EngineOptions)._declared_fields
    assert options["fx_buffer_pct"].metadata["default"] == "0.01"
    assert options["suitability_thresholds"].metadata["default"]["max_weight_by_liquidity_tier"] == {
        "L4": "0.10",
        "L5": "0.05",
    }


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (dpm_runs.rebalance_request, RebalanceRequest),
        (dpm_runs.batch_rebalance_request, BatchRebalanceRequest),
        (dpm_runs.engine_options, EngineOptions),
        (proposals.proposal_simulate_request, ProposalSimulateRequest),
    ],
)
def test_the_published_schemas_have_the_fields_of_their_types_in_order(schema, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(schema().fields) == [info.name for info in msgspec.structs.fields(kind)]
    assert schema() is schema(refuse_unknown=False) is not schema(refuse_unknown=True)
    assert type(schema()) is schema_of(kind)


def test_a_type_that_no_field_reads_is_found_at_once():
    class Odd(msgspec.Struct):
        moment: complex

    class Endless(msgspec.Struct):
        words: str

    with pytest.raises(TypeError, match="no schema field reads"):
        schema_of(Odd)
    with pytest.raises(TypeError, match="with None beside it"):
        schema_of(Endless)


def test_the_marker_of_whole_objects_is_that_of_the_schema_library():
    assert WHOLE == SCHEMA
