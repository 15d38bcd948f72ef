"""Which numbers are taken, and as what."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domains.values.money import (
    Exact,
    ExactText,
    Money,
    NumberFault,
    NumberRefused,
    decode_hook,
    exact_of,
    stored_hook,
)

DECODER = msgspec.json.Decoder(Money, dec_hook=decode_hook, float_hook=Decimal)


def fault_of(value):
    with pytest.raises(NumberRefused) as refused:
        exact_of(value)
    return refused.value.fault


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("10.00", "10.00"),
        ("-0", "-0"),
        ("+1", "1"),
        (".5", "0.5"),
        ("5.", "5"),
        ("007", "7"),
        ("1e18", "1E+18"),
        ("1E-18", "1E-18"),
        ("1E-40", "1E-40"),
        ("0.0078000000000000005", "0.0078000000000000005"),
        ("6.65513110608279e-05", "0.0000665513110608279"),
        ("0.001988071570576540755467196819", "0.001988071570576540755467196819"),
        ("1.694915254237288135593220339E-27", "1.694915254237288135593220339E-27"),
        ("1.1E-39", "1.1E-39"),
        ("0." + "0" * 39 + "10", "1.0E-40"),
        ("0." + "1" * 38, "0." + "1" * 38),
        ("0.10e3", "1.0E+2"),
        ("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"),
        ("9" * 38, "9" * 38),
        ("1" + "0" * 18, "1" + "0" * 18),
        ("0." + "0" * 17 + "10", "1.0E-18"),
        ("0" * 100 + "1", "1"),
        ("0e18", "0E+18"),
    ],
)
def test_a_number_within_bounds_keeps_its_digits_and_its_scale(text, kept):
    assert str(exact_of(text)) == kept
    assert str(exact_of(Decimal(text))) == kept


@pytest.mark.parametrize("text", ["0e19", "0e-19", "0." + "0" * 30, "-0e99", "0e999999999"])
def test_a_zero_with_a_far_exponent_is_plain_zero(text):
    assert str(exact_of(text)) == "0"


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", " 1", "1 ", "1\n", "1_000", "1,5", "--1", "+-1", "-", ".", "e5", "1e", "1e+", "1e1.5"),
        *("0x10", "1f", "\u0663", "\uff11", "\u00bd", "1\x00", "\ud800", "nano", "infinite", "\u0131nf"),
        *("9" * 39, "1" + "0" * 19, "1e19", "10e18", "1000e18", "1e-41", "1.5e-40", "1e400"),
        *("1e0000000018", "1e99999999999999999999", "1.0101e-40", "1." + "1" * 28 + "e-20"),
    ],
)
def test_other_texts_are_no_number(text):
    assert fault_of(text) is NumberFault.PARSING


@pytest.mark.parametrize("text", ["NaN", "-nan", "sNaN", "Infinity", "+inf", "-Infinity", "nan123"])
def test_a_number_that_is_none_is_not_finite(text):
    assert fault_of(text) is NumberFault.NOT_FINITE
    assert fault_of(Decimal(text)) is NumberFault.NOT_FINITE


@pytest.mark.parametrize("value", [None, True, False, 1.0, [], {}, b"1"])
def test_other_types_are_no_number(value):
    assert fault_of(value) is NumberFault.TYPE


@pytest.mark.parametrize("value", [10**19, -(10**19), 10**4000 + 1, int("9" * 39)])
def test_an_integer_is_held_to_the_same_bounds(value):
    assert fault_of(value) is NumberFault.PARSING


def test_equal_numbers_are_taken_or_refused_alike_however_they_are_written():
    for digits, exponent in [("1000", 15), ("1", 18), ("100", 16)]:
        assert exact_of(f"{digits}e{exponent}") == exact_of(int(digits) * 10**exponent)
    for digits, exponent in [("1000", 16), ("1", 19), ("100", 17)]:
        assert fault_of(f"{digits}e{exponent}") is fault_of(int(digits) * 10**exponent) is NumberFault.PARSING


@given(st.integers(-(10**39), 10**39), st.integers(-60, 60), st.booleans())
def test_the_bounds_are_those_of_the_normalised_number(digits, exponent, as_text):
    text = f"{digits}e{exponent}"
    bare = str(digits).lstrip("-").rstrip("0")
    zeros = len(str(digits).lstrip("-")) - len(bare)
    last, first = exponent + zeros, exponent + zeros + len(bare) - 1
    within = digits == 0 or (
        (len(bare) <= 38 and -40 <= last <= 18) or (len(bare) <= 28 and first >= -39 and last < 0)
    )

    if within:
        number = exact_of(text if as_text else Decimal(text))

        assert number == Decimal(text)
        assert digits == 0 or str(number) == str(Decimal(text))
    else:
        assert fault_of(text if as_text else Decimal(text)) is NumberFault.PARSING


@given(st.decimals(-(10**18) + 1, 10**18 - 1, places=9))
def test_plain_numbers_are_kept_as_written(number):
    assert str(exact_of(format(number, "f"))) == str(Decimal(format(number, "f")))


def test_refusing_a_long_text_takes_time_in_proportion():
    # In proportion to its square this would not come to an end.
    assert fault_of("1" * 1_000_000 + "x") is NumberFault.PARSING
    assert fault_of("1." + "1" * 1_000_000 + "x") is NumberFault.PARSING


@pytest.mark.parametrize(
    ("wire", "kept"),
    [
        ("1.50", "1.50"),
        ("0.100000000000000006", "0.100000000000000006"),
        ("1E5", "1E+5"),
        ("12345678901234567890123", "12345678901234567890123"),
        ('"10.00"', "10.00"),
    ],
)
def test_a_decoder_never_makes_a_binary_fraction(wire, kept):
    money = DECODER.decode(f'{{"amount": {wire}, "currency": "SGD"}}')

    assert type(money.amount) is Decimal
    assert str(money.amount) == kept


def test_the_hook_knows_no_other_type():
    with pytest.raises(NotImplementedError):
        decode_hook(complex, "1")
    assert not isinstance(1.0, Exact)


def test_a_number_that_must_not_be_a_fraction_is_text_or_whole():
    class Sized(msgspec.Struct):
        size: ExactText

    decoder = msgspec.json.Decoder(Sized, dec_hook=decode_hook, float_hook=Decimal)

    assert [decoder.decode(f'{{"size":{wire}}}'.encode()).size for wire in ('"0.50"', "5")] == [
        Decimal("0.50"),
        Decimal(5),
    ]
    for wire in ("0.5", "5.0", "1e3", "true", "null", '" 5"'):
        with pytest.raises(msgspec.ValidationError):
            decoder.decode(f'{{"size":{wire}}}'.encode())


def test_what_arithmetic_made_is_read_back_as_it_was_written():
    stored = msgspec.json.Decoder(Money, dec_hook=stored_hook)

    for text in ("1.5E+300", "0E-24", "-0.00", "1" * 60):
        read = stored.decode(f'{{"amount":"{text}","currency":"SGD"}}'.encode())
        assert str(read.amount) == text
    with pytest.raises(NotImplementedError):
        stored_hook(complex, "1")
