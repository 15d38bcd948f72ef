"""The page that shows the API asks nobody but the service it comes from."""

import re

import pytest

from service.web.handlers.docs import ASSETS, FOLDER, PAGE

REFERENCES = re.compile(r'(?:src|href)="([^"]*)"')


async def test_the_page_and_all_its_parts_are_served_from_here(start):
    client = await start()

    page = await client.get("/docs")
    text = await page.text()

    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    named = set(REFERENCES.findall(text))
    assert named == {f"docs/{asset}" for asset in ASSETS}
    for path in named:
        part = await client.get(f"/{path}")
        assert part.status == 200
        assert part.content_type == ASSETS[path.removeprefix("docs/")]
        assert await part.read() == (FOLDER / path.removeprefix("docs/")).read_bytes()


async def test_a_page_that_is_known_is_not_sent_again_and_no_range_is_refused(start):
    client = await start()

    first = await client.get("/docs")
    again = await client.get("/docs", headers={"If-None-Match": first.headers["ETag"]})
    changed = await client.get("/docs", headers={"If-None-Match": '"another"', "If-Match": '"another"'})
    part = await client.get("/docs", headers={"Range": "bytes=99999999-"})

    assert (again.status, await again.read()) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert changed.status == part.status == 200
    assert await changed.read() == await part.read() == await first.read()


@pytest.mark.parametrize("path", ["/docs", "/docs/swagger-ui-bundle.js"])
async def test_the_policy_of_the_page_lets_nothing_in_from_elsewhere(start, path):
    client = await start()

    policy = (await client.get(path)).headers["Content-Security-Policy"]

    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in policy and "http" not in policy


def test_the_page_has_no_script_of_its_own_that_the_policy_would_stop():
    text = (FOLDER / PAGE).read_text(encoding="utf-8")

    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", text)


@pytest.mark.parametrize("asset", ["README.md", "index.html", "..%2Fapp.py", "%2e%2e"])
async def test_nothing_else_of_the_folder_is_served(start, asset):
    client = await start()

    answer = await client.get(f"/docs/{asset}")

    assert answer.status == 404


async def test_the_page_of_the_existing_service_leads_here(start):
    client = await start()

    moved = await client.get("/redoc", allow_redirects=False)

    assert (moved.status, moved.headers["Location"]) == (307, "docs")
