"""The names of the import contracts, from setup.cfg."""

from __future__ import annotations

from configparser import ConfigParser

from scripts.docs.sources import ROOT

SECTION = "importlinter:contract:"


def table(_: str) -> str:
    """One line for each contract, in the order of setup.cfg."""
    parsed = ConfigParser()
    parsed.read(ROOT / "setup.cfg", encoding="utf-8")
    return "".join(f"- {parsed[name]['name']}\n" for name in parsed.sections() if name.startswith(SECTION))
