"""What setup.cfg cannot say: these folders lie beside the package, and are installed inside it."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

BESIDE = ("sql", "migrations", "deploy", "docs")
# Why the code is as it is does not concern an operator.
LEFT_OUT = Path("docs", "decisions")
FOLDERS = [Path(name) for name in BESIDE] + [
    folder
    for name in BESIDE
    for folder in sorted(Path(name).iterdir())
    if folder.is_dir() and folder != LEFT_OUT
]

setup(
    packages=[
        *find_packages(include=["service", "service.*"]),
        *(".".join(("service", *folder.parts)) for folder in FOLDERS),
    ],
    package_dir={f"service.{name}": name for name in BESIDE},
)
