"""What the head of a request decides, on the connections that a server has."""

import gzip
import json

import pytest

from service.settings.server import HEAD_BYTES_MAX_DEFAULT
from service.web.operations.table import ROUTES
from tests.unit.web.raw import a_request, listening

SIMULATE = "/rebalance/simulate"
JSON = "Content-Type: application/json"
KEY = "Idempotency-Key: k"
HELD = "Expect: 100-continue"
RUNS = "/rebalance/runs"


@pytest.fixture
async def connect(start):
    client = await start(
        body_bytes_max=100_000, lineage_apis_enabled=True, history_apis_enabled=True, workflow_enabled=True
    )
    async with listening(client) as connected:
        yield connected


@pytest.fixture
def body(demo):
    return json.dumps(demo).encode()


@pytest.mark.parametrize(
    "path", sorted(route.path for route in ROUTES if route.method == "GET"), ids=lambda path: path
)
async def test_head_is_answered_like_get_without_the_body(connect, path):
    caller = await connect()
    target = (
        path.replace("{version_no}", "1").replace("{asset}", "start.js").replace("{", "").replace("}", "")
    )

    whole = await caller.ask(a_request("GET", target))
    head = await caller.ask(a_request("HEAD", target), has_body=False)
    after = await caller.ask(a_request("GET", "/health/live"))

    changing = ("date", "x-correlation-id", "retry-after")
    assert head.status == whole.status != 405
    # A length of nothing may be left out.
    assert set(whole.headers) - set(head.headers) <= ({"content-length"} if not whole.body else set())
    for name in set(head.headers) - set(changing):
        assert head.headers[name] == whole.headers[name], name
    assert int(head.headers.get("content-length", 0)) == len(whole.body)
    assert after.body == b'{"status":"UP"}', "a body was sent after all"


async def test_head_is_not_served_where_get_is_not(connect):
    caller = await connect()

    refused = await caller.ask(a_request("HEAD", SIMULATE), has_body=False)

    assert (refused.status, refused.headers["allow"]) == (405, "POST")


async def test_a_body_that_is_held_back_is_asked_for_and_read(connect, body):
    caller = await connect()

    word = await caller.ask(a_request("POST", SIMULATE, JSON, KEY, HELD, length=len(body)))
    answer = await caller.ask(body)
    again = await caller.ask(a_request("POST", SIMULATE, JSON, KEY, body=body))

    assert (word.status, answer.status, again.status) == (100, 200, 200)
    assert again.body == answer.body


@pytest.mark.parametrize(
    ("target", "fields", "length", "status"),
    [
        (SIMULATE, (JSON, KEY), 100_001, 413),
        (SIMULATE, ("Content-Type: text/plain", KEY), 10, 415),
        (SIMULATE, (JSON, KEY, "Content-Encoding: br"), 10, 415),
        ("/nowhere", (JSON, KEY), 10, 404),
        (RUNS, (JSON, KEY), 10, 405),
        (SIMULATE, (JSON,), 10, 422),
        (SIMULATE, (JSON, "Idempotency-Key: a b"), 10, 422),
        (SIMULATE, (JSON, KEY, KEY), 10, 422),
        ("/rebalance/analyze", (JSON, "X-Correlation-Id: \xff"), 10, 422),
        ("/rebalance/analyze/async", (JSON, "X-Tenant-Id: \xff"), 10, 422),
        ("/rebalance/proposals", (JSON,), 10, 422),
        ("/rebalance/proposals/simulate", (JSON,), 10, 422),
        ("/rebalance/proposals/async", (JSON,), 10, 422),
        ("/rebalance/runs/rr_1/workflow/actions", (JSON, "X-Correlation-Id: \xff"), 10, 422),
    ],
)
async def test_what_the_head_decides_is_answered_without_asking_for_the_body(
    connect, target, fields, length, status
):
    caller = await connect()

    answer = await caller.ask(a_request("POST", target, *fields, HELD, length=length))

    assert answer.status == status and answer.code
    assert answer.headers["connection"] == "close", "the body may follow or not"


async def test_a_body_that_is_here_needs_no_word(connect, body):
    caller = await connect()

    answer = await caller.ask(a_request("POST", SIMULATE, JSON, KEY, HELD, body=body))

    assert answer.status == 200


@pytest.mark.parametrize("expectation", ["200-ok", "100-continue, x", "x=y", "100-continue\r\nExpect: x"])
@pytest.mark.parametrize(("method", "target"), [("POST", SIMULATE), ("GET", RUNS), ("GET", "/nowhere")])
async def test_another_expectation_is_refused(connect, expectation, method, target):
    caller = await connect()

    answer = await caller.ask(a_request(method, target, JSON, KEY, f"Expect: {expectation}", body=b"{}"))

    assert (answer.status, answer.code) == (417, "EXPECTATION_UNSUPPORTED")
    assert answer.headers["x-correlation-id"]


async def test_an_older_client_expects_nothing(connect):
    caller = await connect()

    answer = await caller.ask(b"GET /health/live HTTP/1.0\r\nExpect: x\r\n\r\n")

    assert answer.status == 200


@pytest.mark.parametrize("length", [8_300, HEAD_BYTES_MAX_DEFAULT - 500])
async def test_the_cookies_of_a_portal_are_let_through(connect, length):
    caller = await connect()

    answer = await caller.ask(a_request("GET", RUNS, f"Cookie: s={'a' * length}"))

    assert answer.status == 200


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        (RUNS, [f"Cookie: s={'a' * HEAD_BYTES_MAX_DEFAULT}"]),
        (RUNS, [f"{'a' * HEAD_BYTES_MAX_DEFAULT}: s"]),
        (RUNS, [f"X-{number}: {'a' * 1000}" for number in range(40)]),
        (RUNS, [f"X-{number}: a" for number in range(200)]),
        (f"{RUNS}?status={'a' * 9000}", []),
        ("/health/live", [f"X-{number}: {'a' * 1000}" for number in range(40)]),
    ],
    ids=["one field", "one name", "together", "too many", "the line", "a probe"],
)
async def test_a_head_that_is_too_large_is_told_so(connect, target, fields):
    caller = await connect()

    answer = await caller.ask(a_request("GET", target, *fields))

    assert (answer.status, answer.code) == (431, "REQUEST_HEAD_TOO_LARGE")


async def test_a_head_is_not_held_for_ever_while_it_grows(connect):
    caller = await connect()
    caller.send(f"GET {RUNS} HTTP/1.1\r\nHost: x\r\n".encode())

    for number in range(100):
        caller.send(f"X-{number}: {'a' * 1000}\r\n".encode())
    answer = await caller.answer()

    assert (answer.status, answer.code) == (431, "REQUEST_HEAD_TOO_LARGE")


HOSTS = ["a:99999", "", "[::1", "a@b:c/d?e#f", "\xff\xfe", "evil.example", "a, b", "x y", "%"]


@pytest.mark.parametrize("host", HOSTS)
async def test_any_host_is_harmless_and_none_is_repeated(connect, host, body):
    caller = await connect()
    forwarded = ("X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "Forwarded: host=evil.example")

    for method, target, status in (
        ("GET", "/health/ready", 200),
        ("GET", "/docs", 200),
        ("GET", "/redoc", 307),
        ("GET", f"{RUNS}/", 307),
        ("POST", f"{SIMULATE}/?a=b", 307),
        ("GET", RUNS, 200),
        ("GET", "/nowhere", 404),
        ("POST", SIMULATE, 200),
    ):
        answer = await caller.ask(a_request(method, target, JSON, KEY, *forwarded, host=host, body=body))
        assert answer.status == status, target
        assert "evil" not in str(answer.headers) + answer.body.decode()
        location = answer.headers.get("location", "")
        assert "://" not in location and not location.startswith("/"), location


@pytest.mark.parametrize(
    ("target", "location"),
    [
        (f"{RUNS}/", "../runs"),
        (f"{RUNS}///", "../../../runs"),
        (f"{RUNS}/?limit=1&status=a%20b", "../runs?limit=1&status=a%20b"),
        (f"{RUNS}/?x=//evil.example", "../runs?x=//evil.example"),
        (f"{RUNS}/by-request-hash/sha256:a/", "../sha256:a"),
        (f"{RUNS}/a%2Fb/", "../a%2Fb"),
        (f"{RUNS}/a%0d%0ab/", "../a%0d%0ab"),
        (f'{RUNS}/"<>/', "../%22%3C%3E"),
        ("http://evil.example/rebalance/runs/", "../runs"),
        ("/docs/", "../docs"),
    ],
)
async def test_a_trailing_slash_leads_to_a_place_beside_it(connect, target, location):
    """So that what a proxy puts in front of the path stays there (ruling 20)."""
    caller = await connect()

    answer = await caller.ask(a_request("GET", target))

    assert (answer.status, answer.headers["location"], answer.body) == (307, location, b"")


@pytest.mark.parametrize(
    "target", ["//evil.example/", "//evil.example//", "//evil.example/rebalance/runs/", "/", "///", "/..//"]
)
async def test_a_path_that_leads_nowhere_leads_nowhere_with_slashes_too(connect, target):
    caller = await connect()

    answer = await caller.ask(a_request("GET", target))

    assert (answer.status, answer.code) == (404, "NOT_FOUND")
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "data",
    [
        a_request(
            "POST", SIMULATE, JSON, KEY, "Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"
        ),
        a_request("POST", SIMULATE, JSON, KEY, "Content-Length: 5", "Content-Length: 6", body=b"{}"),
        a_request("POST", SIMULATE, JSON, KEY, "Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
        a_request("POST", SIMULATE, JSON, KEY, "Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
        a_request("POST", SIMULATE, JSON, KEY, "Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
        a_request("POST", SIMULATE, JSON, KEY, "X: a\r\n Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        a_request("POST", SIMULATE, JSON, KEY, length=-1),
        a_request("GET", f"{RUNS}/a\0b"),
        a_request("GET", f"{RUNS}/a\rb"),
        a_request("GET", RUNS, "X-Tenant-Id: a\0b"),
        a_request("GET", "http://a:99999/"),
        a_request("GET", "*"),
        b"GET /rebalance/runs HTTP/1.1\r\n\r\n",
        a_request("FOO", RUNS),
    ],
)
async def test_what_two_readers_could_read_differently_is_refused_and_closed(connect, data):
    caller = await connect()

    answer = await caller.ask(data)

    assert (answer.status, answer.code) == (400, "HTTP_UNREADABLE")
    assert await caller.rest() == b"", "what followed was read as a request"


async def test_a_transfer_coding_that_is_not_taken_off_is_refused(connect):
    caller = await connect()
    packed = gzip.compress(b"{}")
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)

    answer = await caller.ask(
        a_request("POST", SIMULATE, JSON, KEY, "Transfer-Encoding: gzip, chunked", body=chunks)
    )

    assert (answer.status, answer.code) == (400, "REQUEST_BODY_UNREADABLE")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (a_request("TRACE", RUNS), 405),
        (a_request("CONNECT", "a:80"), 404),
        (a_request("OPTIONS", "*"), 404),
        (a_request("OPTIONS", SIMULATE), 405),
        (a_request("GET", "//rebalance/runs"), 404),
        (a_request("GET", "/rebalance//runs"), 404),
        (a_request("GET", f"{RUNS}/a%00b"), 404),
        (a_request("GET", f"{RUNS}/%ff"), 404),
        (a_request("GET", f"{RUNS}?cursor=%00"), 422),
        (a_request("GET", f"{RUNS}?%ff=%ff;&&=&a"), 200),
    ],
)
async def test_odd_requests_have_answers_of_their_own(connect, data, status):
    caller = await connect()

    answer = await caller.ask(data)

    assert answer.status == status
    assert status < 400 or answer.code


@pytest.mark.parametrize("header", ["Idempotency-Key", "X-Correlation-Id"])
@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", SIMULATE),
        ("POST", "/rebalance/analyze/async"),
        ("POST", "/rebalance/proposals"),
        ("POST", f"{RUNS}/rr_1/workflow/actions"),
        ("GET", RUNS),
        ("DELETE", "/rebalance/policies/catalog/a"),
    ],
)
async def test_a_header_that_names_one_thing_is_sent_once(connect, body, header, method, target):
    caller = await connect()

    answer = await caller.ask(
        a_request(
            method, target, JSON, f"{header}: a", f"{header.lower()}: a", "Idempotency-Key: b", body=body
        )
    )

    (entry,) = json.loads(answer.body)["detail"]
    assert answer.status == 422
    assert (entry["type"], entry["loc"]) == ("value_error", ["header", header])


async def test_chunks_that_break_off_are_no_request_and_do_not_keep_it_waiting(connect):
    caller = await connect()
    caller.send(a_request("POST", SIMULATE, JSON, KEY, HELD, "Transfer-Encoding: chunked"))
    word = await caller.answer()

    answer = await caller.ask(b"5\r\n{    \r\nzz\r\n")

    assert word.status == 100
    assert (answer.status, answer.code) == (400, "REQUEST_BODY_UNREADABLE")
    assert await caller.rest() == b"", "one request has one answer"
