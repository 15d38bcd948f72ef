"""What the catalog of policy packs promises, whatever the backend."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import pytest_asyncio

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.policy_packs import Amendments
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.canonical import digest_of
from service.errors.policy_packs import PolicyCatalogConcurrentUpdate
from tests.integration.contract.builders import a_purge, after
from tests.integration.contract.policy_builders import a_change, a_pack, a_removal, a_whole_pack
from tests.integration.contract.raw_databases import REFUSED, opened_beside

EVERYTHING = RetentionCutoff(after(100), after(100))


async def catalog_of(store, tenant_id=DEFAULT_TENANT):
    """What is in the catalog, once both ways to ask for its revision agree."""
    amendments = await store.policy_packs.list_amendments(tenant_id)
    assert amendments.revision == await store.policy_packs.find_revision(tenant_id)
    return amendments


async def amend(store, *changes):
    for change in changes:
        await store.policy_packs.amend(change)


async def test_a_catalog_that_nobody_has_changed_has_revision_zero(store):
    assert await catalog_of(store) == Amendments(0, {})


@pytest.mark.parametrize("pack", [a_pack(), a_whole_pack(), a_pack("Größe'; -- 日本", version="")])
async def test_a_pack_is_given_back_as_it_was_written(store, pack):
    await amend(store, a_change(1, pack))

    catalog = await catalog_of(store)

    assert catalog == Amendments(1, {pack.policy_pack_id: pack})
    assert catalog.packs[pack.policy_pack_id].written() == pack.written()


async def test_of_several_changes_of_a_pack_the_last_counts(store):
    first, other, last = a_pack(), a_pack("pack-2"), a_whole_pack()

    await amend(store, a_change(1, first), a_change(2, other), a_change(3, last))

    assert await catalog_of(store) == Amendments(3, {"pack-1": last, "pack-2": other})


async def test_ids_that_differ_in_case_or_space_are_different_packs(store):
    packs = [a_pack(name) for name in ("Pack", "pack", "pack ", "pa\u0301ck", "p\u00e1ck")]

    await amend(store, *(a_change(number, pack) for number, pack in enumerate(packs, start=1)))

    assert await catalog_of(store) == Amendments(5, {pack.policy_pack_id: pack for pack in packs})


async def test_a_pack_that_was_removed_is_listed_as_removed_and_may_come_back(store):
    await amend(store, a_change(1), a_change(2, a_pack("pack-2")), a_removal(3))

    assert await catalog_of(store) == Amendments(3, {"pack-1": None, "pack-2": a_pack("pack-2")})

    await amend(store, a_change(4, a_whole_pack()))
    assert (await catalog_of(store)).packs["pack-1"] == a_whole_pack()


async def test_a_pack_that_was_never_there_may_be_removed(store):
    # It may come from the settings, of which the store knows nothing.
    await amend(store, a_removal(1, "pack-of-the-house"))

    assert await catalog_of(store) == Amendments(1, {"pack-of-the-house": None})


@pytest.mark.parametrize("revision", [-1, 0, 1, 2, 4, 5])
async def test_a_change_that_does_not_follow_the_last_is_refused_and_writes_nothing(store, revision):
    await amend(store, a_change(1), a_change(2, a_pack("pack-2")))
    before = await catalog_of(store)

    with pytest.raises(PolicyCatalogConcurrentUpdate):
        await amend(store, a_change(revision, a_whole_pack()))

    assert await catalog_of(store) == before
    await amend(store, a_change(3, a_whole_pack()))


@pytest.mark.parametrize("revision", [-1, 0, 2])
async def test_the_first_change_has_revision_one(store, revision):
    with pytest.raises(PolicyCatalogConcurrentUpdate):
        await amend(store, a_change(revision))

    assert await catalog_of(store) == Amendments(0, {})


async def test_tenants_have_catalogs_of_their_own(store):
    ours, theirs = a_pack(version="ours"), a_pack(version="theirs")

    await amend(store, a_change(1, ours, tenant_id="ours"), a_change(1, theirs, tenant_id="theirs"))
    await amend(store, a_removal(2, tenant_id="theirs"))
    with pytest.raises(PolicyCatalogConcurrentUpdate):
        await amend(store, a_change(3, ours, tenant_id="ours"))

    assert await catalog_of(store, "ours") == Amendments(1, {"pack-1": ours})
    assert await catalog_of(store, "theirs") == Amendments(2, {"pack-1": None})
    assert await catalog_of(store, "nobody's") == Amendments(0, {})


@pytest.mark.parametrize("last", [0, 2])
async def test_of_many_changes_that_follow_the_same_revision_one_is_kept(store, last):
    await amend(store, *(a_change(number + 1, a_pack(f"before-{number}")) for number in range(last)))
    rivals = [a_pack("pack-1", version=str(number)) for number in range(16)]

    answers = await asyncio.gather(
        *(store.policy_packs.amend(a_change(last + 1, pack)) for pack in rivals), return_exceptions=True
    )

    (kept,) = (pack for pack, answer in zip(rivals, answers, strict=True) if answer is None)
    assert sum(isinstance(answer, PolicyCatalogConcurrentUpdate) for answer in answers) == 15
    catalog = await catalog_of(store)
    assert (catalog.revision, catalog.packs["pack-1"]) == (last + 1, kept)


async def test_writers_who_begin_anew_when_they_were_too_late_all_get_on(store):
    async def retry_until_available(number):
        while True:
            revision = await store.policy_packs.find_revision(DEFAULT_TENANT) + 1
            try:
                await store.policy_packs.amend(a_change(revision, a_pack(f"pack-{number}")))
            except PolicyCatalogConcurrentUpdate:
                continue
            return revision

    revisions = await asyncio.gather(*map(retry_until_available, range(8)))

    assert sorted(revisions) == list(range(1, 9))
    assert await catalog_of(store) == Amendments(8, {f"pack-{n}": a_pack(f"pack-{n}") for n in range(8)})


async def test_what_is_listed_is_of_one_instant(store):
    changes, expected = [], [Amendments(0, {})]
    for revision in range(1, 41):
        pack = a_pack(f"pack-{revision % 3}", version=str(revision))
        change = a_change(revision, pack) if revision % 5 else a_removal(revision, pack.policy_pack_id)
        changes.append(change)
        packs = dict(expected[-1].packs) | {change.policy_pack_id: change.pack}
        expected.append(Amendments(revision, packs))
    seen, writing = [], asyncio.ensure_future(amend(store, *changes))

    while not writing.done():
        seen.append(await store.policy_packs.list_amendments(DEFAULT_TENANT))
        await asyncio.sleep(0)

    await writing
    assert await catalog_of(store) == expected[-1]
    assert seen and seen == [expected[amendments.revision] for amendments in seen]
    assert [one.revision for one in seen] == sorted(one.revision for one in seen)


async def test_a_purge_leaves_the_catalog_as_it_is(store):
    await amend(store, a_change(1), a_removal(2))

    await store.retention.remove(a_purge(EVERYTHING))

    assert await catalog_of(store) == Amendments(2, {"pack-1": None})


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def beside(request):
    opened = await opened_beside(request.param, request)
    try:
        yield opened
    finally:
        await opened.store.close()


async def test_a_change_says_what_was_changed_when_and_by_whose_request(beside):
    change = a_change(1, a_whole_pack(), correlation_id="corr · 日本")
    await amend(beside.store, change, a_removal(2, correlation_id="corr-2"))

    became, removed = beside.database.rows()["dpm_policy_pack_changes"]

    for row, at in ((became, 1), (removed, 2)):
        assert row[:3] == (DEFAULT_TENANT, at, "pack-1")
    written = change.pack.written()
    assert [became[3], *became[5:7], bytes(became[7])] == [
        change.pack.version,
        "corr · 日本",
        digest_of(written),
        written,
    ]
    assert [removed[3], *removed[5:]] == [None, "corr-2", None, None]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE dpm_policy_pack_changes SET version = '9'",
        "UPDATE dpm_policy_pack_changes SET revision = revision + 1",
        "DELETE FROM dpm_policy_pack_changes",
    ],
)
async def test_what_was_said_of_a_pack_can_be_neither_changed_nor_removed(beside, statement):
    await amend(beside.store, a_change(1), a_removal(2))
    before = beside.database.rows()

    with pytest.raises(REFUSED):
        beside.database.execute(statement)

    assert beside.database.rows() == before


DIGEST = "'sha256:" + "a" * 64 + "'"


@pytest.mark.parametrize(
    "values",
    [
        f"1, 'p', '1', {DIGEST}, NULL",
        f"1, 'p', NULL, {DIGEST}, '{{}}'",
        "1, 'p', '1', NULL, '{}'",
        "1, 'p', '1', 'sha256:a', '{}'",
        f"0, 'p', '1', {DIGEST}, '{{}}'",
    ],
    ids=["no definition", "no version", "no digest", "no such digest", "no such revision"],
)
async def test_a_change_that_is_half_a_change_is_refused(beside, values):
    *fields, definition = values.split(", ")
    blob = {"'{}'": "X'7B7D'"}.get(definition, definition)
    is_file = hasattr(beside.database, "path")
    spelled = blob if is_file or blob == "NULL" else "'{}'::bytea"
    row = (
        "INSERT INTO dpm_policy_pack_changes (tenant_id, changed_at, correlation_id, revision,"
        " policy_pack_id, version, definition_sha256, definition)"
        " VALUES ('default', '2026-03-02T09:30:00.000001+00:00', 'corr', {})"
    )

    with pytest.raises(REFUSED):
        beside.database.execute(row.format(", ".join([*fields, spelled])))

    whole = f"1, 'p', '1', {DIGEST}, " + ("X'7B7D'" if is_file else "'{}'::bytea")
    beside.database.execute(row.format(whole))


async def test_a_change_of_the_same_words_is_another_change(store):
    change = a_change(1)

    await amend(store, change, replace(change, revision=2))

    assert await catalog_of(store) == Amendments(2, {"pack-1": change.pack})
