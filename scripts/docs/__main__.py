"""Writes every generated part of docs/ and names the pages that changed."""

from __future__ import annotations

from scripts.docs.pages import ROOT, filled, pages


def main() -> None:
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
