"""The table of errors, from the classes that have a code and their docstrings."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.docs.sources import SERVICE, module_at
from scripts.docs.tables import codes_of, sentence_of, table_of
from service.errors.families import ServiceError, Unavailable
from service.web.middleware.problem_details import status_of


def table(_: str) -> str:
    """Every code once, by status and name. Raises Undocumented for a class without a sentence."""
    rows = []
    for kind in sorted(coded(), key=lambda kind: (status_of(kind), kind.code)):
        again = "yes" if issubclass(kind, Unavailable) else ""
        rows.append(
            (str(int(status_of(kind))), f"`{kind.code}`", sentence(kind), codes_of(kind.shown), again)
        )
    return table_of(("status", "code", "when", "facts", "`Retry-After`"), rows)


class Undocumented(Exception):
    """Something has no sentence; the message names it."""


def coded() -> list[type[ServiceError]]:
    """The classes with a code of their own, in every module of service/errors."""
    for path in sorted((SERVICE / "errors").glob("*.py")):
        module_at(path)
    return list(below(ServiceError))


def below(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    if "code" in vars(kind):
        yield kind
    for child in kind.__subclasses__():
        yield from below(child)


def sentence(kind: type[ServiceError]) -> str:
    """What the docstring of the class itself says. Raises Undocumented."""
    text = vars(kind).get("__doc__")
    if not text:
        raise Undocumented(f"{kind.__name__} ({kind.code}) has no docstring")
    return sentence_of(text)
