"""Texts that stand below fields, values and types are found, whichever way a field comes to them."""

from __future__ import annotations

import sys
from enum import Enum
from typing import Literal

import msgspec
import pytest

from service.domains.values.texts import Text, text_of_class, text_of_enum, text_of_field, text_of_name

HERE = sys.modules[__name__]


class Colour(Enum):
    """How it looks."""

    RED = "RED"
    """Like a rose."""
    BLUE = "BLUE"
    """Like the sea,
    on a fine day."""
    GREY = "GREY"


Shape = Literal["ROUND", "SQUARE"]
"""How it lies in the hand.

- ROUND: Without corners.
- SQUARE: With four corners
  of equal size.
"""

PaintId = str
"""Id of the paint."""

SIZES = 3
"""How many sizes there are."""


class Toy(msgspec.Struct):
    """A thing to play with.

    Children know more.
    """

    paint_id: PaintId
    colour: Colour
    """How the toy looks."""
    shape: Shape | None = None
    pieces: tuple[PaintId, ...] = ()
    """What it is
    made of.

    A second paragraph."""
    other: Literal["ROUND", "SQUARE"] = "ROUND"
    """As another has it.

    Values as of `tests.unit.domains.test_texts.Shape`.
    """
    bare: int = 0


class Ball(Toy):
    bare: int = 1
    """How often it bounced."""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("paint_id", Text("Id of the paint.")),
        (
            "colour",
            Text(
                "How the toy looks.",
                {"RED": "Like a rose.", "BLUE": "Like the sea, on a fine day.", "GREY": ""},
            ),
        ),
        (
            "shape",
            Text(
                "How it lies in the hand.",
                {"ROUND": "Without corners.", "SQUARE": "With four corners of equal size."},
            ),
        ),
        ("pieces", Text("What it is made of.\n\nA second paragraph.")),
        (
            "other",
            Text(
                "As another has it.",
                {"ROUND": "Without corners.", "SQUARE": "With four corners of equal size."},
            ),
        ),
        ("bare", Text("")),
    ],
)
def test_a_field_has_its_own_words_or_those_of_its_type(name: str, text: Text) -> None:
    assert text_of_field(Toy, name) == text


def test_a_subclass_says_more_or_the_same() -> None:
    assert text_of_field(Ball, "bare").words == "How often it bounced."
    assert text_of_field(Ball, "paint_id").words == "Id of the paint."
    assert text_of_field(Ball, "unknown") == Text("")


def test_names_and_classes_have_texts() -> None:
    assert text_of_name(HERE, "SIZES") == Text("How many sizes there are.")
    assert text_of_name(HERE, "nowhere") == Text("")
    assert text_of_enum(Colour).words == "How it looks."
    assert text_of_class(Toy) == "A thing to play with."
    assert text_of_class(Ball) == ""


def test_codes_are_listed_below_the_words() -> None:
    assert (
        Text("Words.", {"A": "First.", "B": "Second."}).markdown == "Words.\n\n- `A`: First.\n- `B`: Second."
    )
    assert Text("Words.").markdown == "Words."
    assert Text("", {"A": "First."}).markdown == "- `A`: First."
