"""Builds the wheel, from nothing but what belongs in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.harness.servers import ROOT

# The image is built from the same.
SOURCES = (
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "README.md",
    "sql",
    "migrations",
    "deploy",
    "docs",
    "service",
)
BUILD_SECONDS_MAX = 120.0


def main() -> None:
    print(build_wheel(Path(sys.argv[1] if len(sys.argv) > 1 else "dist")))


def build_wheel(folder: Path) -> Path:
    """The wheel, put into a folder; by the setuptools of this environment, and with no other package."""
    # A copy, because setuptools packs what an earlier build left behind, too, and leaves something itself.
    with TemporaryDirectory(prefix="lotus-manage-") as made:
        copy, built = Path(made) / "sources", Path(made) / "built"
        copy.mkdir()
        for name in SOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(ROOT / name, copy / name)
        offline = ["--no-deps", "--no-index", "--no-build-isolation"]
        command = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            *offline,
            "--wheel-dir",
            str(built),
            str(copy),
        ]
        subprocess.run(command, check=True, timeout=BUILD_SECONDS_MAX)
        (wheel,) = built.glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(wheel, folder))


if __name__ == "__main__":
    main()
