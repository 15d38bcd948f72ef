"""Bodies that come compressed are decoded whole or refused."""

import gzip
import json
import zlib

import pytest

from service.errors.requests import BodyTooLarge, BodyUnreadable
from service.web.requests import content_coding
from service.web.requests.content_coding import (
    DEFLATE,
    GZIP,
    INLINE_BYTES_MAX,
    MEMBERS_MAX,
    PIECE_BYTES,
    decode,
    decoded,
)

SIMULATE = "/rebalance/simulate"
JSON = {"Content-Type": "application/json"}
# No two pieces of it are alike, so that it is long also when it is compressed.
LONG = b"".join(zlib.crc32(str(number).encode()).to_bytes(4, "big") for number in range(PIECE_BYTES))


def raw_deflate(body):
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(body) + encoder.flush()


ENCODERS = {"gzip": (GZIP, gzip.compress), "zlib": (DEFLATE, zlib.compress), "raw": (DEFLATE, raw_deflate)}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"x" * INLINE_BYTES_MAX, LONG], ids=["none", "two", "some", "long"]
)
def test_what_was_encoded_is_decoded_up_to_the_bound(encoder, body):
    coding, encode = ENCODERS[encoder]

    assert decode(encode(body), coding, len(body)) == body
    if body:
        with pytest.raises(BodyTooLarge):
            decode(encode(body), coding, len(body) - 1)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_ends_early_is_refused_wherever_it_ends(encoder):
    coding, encode = ENCODERS[encoder]
    whole = encode(b'{"portfolio_snapshot": {}}')

    for length in range(len(whole)):
        with pytest.raises(BodyUnreadable):
            decode(whole[:length], coding, 1000)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_follows_the_end_is_refused(encoder):
    coding, encode = ENCODERS[encoder]

    for after in (b"\0", b"x", b"\0" * 8, gzip.compress(b"x")[:5], zlib.compress(b"x")):
        with pytest.raises(BodyUnreadable):
            decode(encode(b"{}") + after, coding, 1000)


@pytest.mark.parametrize("at", [-8, -5, -4, -1])
def test_a_checksum_or_a_length_that_is_wrong_is_refused(at):
    broken = bytearray(gzip.compress(b"{}"))
    broken[at] ^= 1

    with pytest.raises(BodyUnreadable):
        decode(bytes(broken), GZIP, 1000)


def test_a_gzip_body_may_have_several_members_and_no_end_of_them():
    """RFC 1952, section 2.2."""
    members = [gzip.compress(bytes([number])) for number in range(10)]

    assert decode(b"".join(members), GZIP, 10) == bytes(range(10))
    assert decode(gzip.compress(LONG) * 2, GZIP, 2 * len(LONG)) == LONG * 2
    with pytest.raises(BodyTooLarge):
        decode(b"".join(members), GZIP, 9)
    assert decode(members[0] * MEMBERS_MAX, GZIP, MEMBERS_MAX) == b"\0" * MEMBERS_MAX
    with pytest.raises(BodyUnreadable):
        decode(members[0] * (MEMBERS_MAX + 1), GZIP, 2 * MEMBERS_MAX)


def test_no_more_is_decoded_than_may_be_held(monkeypatch):
    held = []
    real = zlib.decompressobj

    class Watched:
        def __init__(self, **options):
            self._decoder = real(**options)

        def decompress(self, data, most):
            held.append(most)
            return self._decoder.decompress(data, most)

        def __getattr__(self, name):
            return getattr(self._decoder, name)

    monkeypatch.setattr(zlib, "decompressobj", Watched)
    with pytest.raises(BodyTooLarge):
        decode(gzip.compress(b" " * 10_000_000), GZIP, 1000)

    assert held and max(held) <= 1001


async def test_what_takes_long_is_decoded_in_a_thread(monkeypatch):
    handed_over = []

    async def to_thread(work, *args):
        handed_over.append(args[0])
        return work(*args)

    monkeypatch.setattr(content_coding.asyncio, "to_thread", to_thread)
    short, bomb, long = (gzip.compress(plain) for plain in (b"{}", b" " * 1_000_000, LONG))

    assert await decoded(short, GZIP, 1000) == b"{}"
    assert handed_over == []
    assert await decoded(bomb, GZIP, 1_000_000) == b" " * 1_000_000
    assert await decoded(long, GZIP, len(LONG)) == LONG
    assert handed_over == [bomb, long] and len(bomb) <= INLINE_BYTES_MAX < len(long)
    with pytest.raises(BodyTooLarge):
        await decoded(short, GZIP, 1)


async def answered(client, body, coding, key="k"):
    headers = JSON | {"Idempotency-Key": key, "Content-Encoding": coding}
    answer = await client.post(SIMULATE, data=body, headers=headers, compress=None)
    return answer, await answer.json()


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("GZip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("identity", bytes),
        ("identity, gzip", gzip.compress),
        (" ", bytes),
    ],
)
async def test_every_coding_that_is_known_is_taken(start, demo, coding, encode):
    client = await start()

    answer, _ = await answered(client, encode(json.dumps(demo).encode()), coding)

    assert answer.status == 200


@pytest.mark.parametrize(
    "coding", ["foo", "br", "zstd", "compress", "gzip, gzip", "deflate, gzip", "gzip;q=1"]
)
async def test_a_coding_that_is_unknown_or_doubled_is_refused(start, demo, coding):
    client = await start()

    answer, problem = await answered(client, json.dumps(demo).encode(), coding)

    assert (answer.status, problem["code"]) == (415, "UNSUPPORTED_CONTENT_ENCODING")
    assert answer.headers["Accept-Encoding"] == "gzip, deflate, identity"
    assert (await client.get("/rebalance/runs/idempotency/k")).status == 404


@pytest.mark.parametrize(
    "spoil", [lambda body: body[:-20], lambda body: body[:-8], lambda body: body + b"{}"]
)
async def test_a_body_that_is_not_encoded_as_it_says_is_refused(start, demo, spoil):
    client = await start()

    answer, problem = await answered(client, spoil(gzip.compress(json.dumps(demo).encode())), "gzip")

    assert (answer.status, problem["code"]) == (400, "REQUEST_BODY_UNREADABLE")


async def test_every_route_with_a_body_decodes_it(start):
    client = await start(workflow_enabled=True)
    routes = [
        ("POST", "/rebalance/simulate"),
        ("POST", "/rebalance/analyze"),
        ("POST", "/rebalance/analyze/async"),
        ("POST", "/rebalance/runs/rr_1/workflow/actions"),
        ("POST", "/rebalance/proposals"),
        ("POST", "/rebalance/proposals/simulate"),
        ("POST", "/rebalance/proposals/artifact"),
        ("POST", "/rebalance/proposals/async"),
        ("POST", "/rebalance/proposals/pp_1/versions"),
        ("POST", "/rebalance/proposals/pp_1/transitions"),
        ("POST", "/rebalance/proposals/pp_1/approvals"),
        ("PUT", "/rebalance/policies/catalog/p"),
    ]
    for method, path in routes:
        for body, coding, status in (
            (gzip.compress(b"[]")[:-1], "gzip", 400),
            (b"[]", "foo", 415),
            (gzip.compress(b"[]"), "gzip", 422),
        ):
            headers = JSON | {"Idempotency-Key": "k", "Content-Encoding": coding}
            answer = await client.request(method, path, data=body, headers=headers, compress=None)
            assert answer.status == status, (method, path, coding)
