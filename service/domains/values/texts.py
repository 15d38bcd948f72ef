"""What fields, values and codes mean, in the words that stand below them in the source.

A docstring below a field, an enum member or a named type costs nothing at run time and shows in editors; the
published document and the manuals are made of the same words. A field of a named type (`PairText = str`)
without words of its own has those of the type. Codes are listed in a docstring as `- CODE: sentence.`, or
where they are listed already, as `Values as of `module.Type`.`
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from types import ModuleType

_CODE = re.compile(r"- (\S+): (.+)")
_SAME_AS = re.compile(r"Values as of `([\w.]+)\.(\w+)`\.")


@dataclass(frozen=True, slots=True)
class Text:
    """Paragraphs, and a sentence for each code that can stand there."""

    words: str
    codes: Mapping[str, str] = field(default_factory=dict)

    @property
    def markdown(self) -> str:
        """Words and codes as one text."""
        listed = "\n".join(f"- `{code}`: {words}" for code, words in self.codes.items())
        return "\n\n".join(filter(None, [self.words, listed]))


def text_of_field(struct: type, name: str) -> Text:
    """Of a field, by its name in Python; without words (and codes) where none are written."""
    for cls in struct.__mro__:
        node = _fields_of(cls).get(name)
        if node is not None:
            module = inspect.getmodule(cls)
            assert module is not None
            own = _parsed(node.docstring)
            named = [text_of_name(module, each) for each in _names_in(node.annotation)]
            words = own.words or next((each.words for each in named if each.words), "")
            codes = own.codes or {code: said for each in named for code, said in each.codes.items()}
            return Text(words, codes)
    return Text("")


def text_of_class(kind: type) -> str:
    """The first paragraph of what a class says of itself; that of a refusal is the text of its code."""
    return _parsed(kind.__dict__.get("__doc__")).words.partition("\n\n")[0]


def text_of_enum(kind: type[Enum]) -> Text:
    """Of a vocabulary and its values."""
    nodes = _fields_of(kind)
    return Text(
        _parsed(kind.__dict__.get("__doc__")).words,
        {str(each.value): _parsed(nodes[each.name].docstring).words for each in kind},
    )


def text_of_name(module: ModuleType, name: str) -> Text:
    """Of a type or constant that is declared in the module, or imported into it from our own."""
    place = _places_in(module).get(name)
    if place is None:
        return Text("")
    home, called = place
    if home is not module:
        return text_of_name(home, called)
    declared = _declared_in(module.__name__).get(name)
    if declared is not None:
        return _parsed(declared.docstring)
    # What a field of a struct means is not what the struct is; values of an enum mean the same everywhere.
    kind = getattr(module, name)
    return Text("", text_of_enum(kind).codes) if issubclass(kind, Enum) else Text("")


@dataclass(frozen=True, slots=True)
class _Declared:
    annotation: ast.expr | None
    docstring: str | None


@cache
def _fields_of(cls: type) -> Mapping[str, _Declared]:
    try:
        body: list[ast.stmt] = _tree_of(cls.__module__).body
    except (OSError, TypeError):
        # What is built in has no source.
        return {}
    for part in cls.__qualname__.split("."):
        found = next((each for each in body if isinstance(each, ast.ClassDef) and each.name == part), None)
        if found is None:
            return {}
        body = found.body
    return dict(_declarations(body))


@cache
def _declared_in(module: str) -> Mapping[str, _Declared]:
    return dict(_declarations(_tree_of(module).body))


@cache
def _tree_of(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(importlib.import_module(module)))


def _declarations(body: list[ast.stmt]) -> Iterator[tuple[str, _Declared]]:
    for node, after in zip(body, [*body[1:], None], strict=True):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                yield name, _Declared(annotation, _string(after))
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name, _Declared(None, _string(after))


def _string(node: ast.stmt | None) -> str | None:
    match node:
        case ast.Expr(value=ast.Constant(value=str(words))):
            return words
    return None


def _names_in(annotation: ast.expr | None) -> list[str]:
    if annotation is None:
        return []
    return [node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)]


@cache
def _places_in(module: ModuleType) -> Mapping[str, tuple[ModuleType, str]]:
    """Where the names of a module are declared, as far as that is in this service."""
    tree = _tree_of(module.__name__)
    places: dict[str, tuple[ModuleType, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _is_own(node.module or "", module):
            home = importlib.import_module(str(node.module))
            for each in node.names:
                if not isinstance(getattr(home, each.name, None), ModuleType):
                    places[each.asname or each.name] = (home, each.name)
    places |= {name: (module, name) for name in _declared_in(module.__name__)}
    places |= {node.name: (module, node.name) for node in tree.body if isinstance(node, ast.ClassDef)}
    return places


def _is_own(name: str, module: ModuleType) -> bool:
    return name.partition(".")[0] in ("service", module.__name__.partition(".")[0])


def _parsed(docstring: str | None) -> Text:
    paragraphs: list[str] = []
    codes: dict[str, str] = {}
    latest = ""
    joined = False
    for line in inspect.cleandoc(docstring or "").splitlines():
        if found := _SAME_AS.fullmatch(line):
            codes |= text_of_name(importlib.import_module(found[1]), found[2]).codes
        elif found := _CODE.fullmatch(line):
            latest = found[1]
            codes[latest] = found[2]
        elif not line:
            joined = False
        elif latest:
            codes[latest] += f" {line.strip()}"
        elif joined:
            paragraphs[-1] += f" {line.strip()}"
        else:
            paragraphs.append(line.strip())
            joined = True
    return Text("\n\n".join(paragraphs), codes)
