"""Keeps what is stored out of the garbage collector's sight.

The collector looks for cycles, and walks everything that is tracked to find them: seconds for a hundred
thousand runs, in which no caller is answered. Rows are trees, so there is nothing to be found among them;
they go by their reference counts as before.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterable

# What rows are made of, besides texts, bytes and instants, which the collector never sees.
CONTAINERS = (tuple, list, dict, set, frozenset)

_untrack = ctypes.pythonapi.PyObject_GC_UnTrack
_untrack.argtypes = (ctypes.py_object,)
_untrack.restype = None


def hide(*rows: object) -> None:
    """Has the collector pass by these rows and all that they are made of.

    What is put into a list that is hidden already is to be hidden beside it.
    """
    left = list(rows)
    while left:
        row = left.pop()
        if gc.is_tracked(row):
            _untrack(row)
            left += [part for part in gc.get_referents(row) if is_part(part)]


def is_part(value: object) -> bool:
    # A class or a member of an enumeration is shared with the rest of the process.
    return isinstance(value, CONTAINERS) or hasattr(type(value), "__dataclass_fields__")


class CollectorShield:
    """Hides tables before each collection, because a table comes into sight again with every row put in."""

    def __init__(self, tables: Iterable[object]) -> None:
        self._tables = tuple(tables)

    def draw(self) -> None:
        """From now on, until it is opened."""
        gc.callbacks.append(self._before)

    def open(self) -> None:
        if self._before in gc.callbacks:
            gc.callbacks.remove(self._before)

    def _before(self, phase: str, _: object) -> None:
        if phase == "start":
            for table in self._tables:
                _untrack(table)
