"""What a caller names in a path and asks for in a query: what is read, and what is refused."""

import asyncio
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from service.domains.values.bounds import Bounds, TextBound
from service.domains.workflow_decisions import WorkflowAction
from service.errors.dpm_runs import RunNotFound
from service.errors.requests import RequestInvalid
from service.web import keys
from service.web.middleware.problem_details import refusals
from service.web.requests import parameters
from service.web.schemas.fields import Choice, Flag
from service.web.schemas.parameters import AskedText, Count, Instant, InstantRefused, QuerySchema, instant_of

AT = datetime(2026, 2, 20, 10, 5, 7, tzinfo=UTC)
YEAR_OUTSIDE = "year value is outside expected range of 1-9999"
EXTRA = "unexpected extra characters at the end of the input"
SEPARATOR = "invalid datetime separator, expected `T` or a space"


class EveryKind(QuerySchema):
    """One parameter of each kind."""

    word = AskedText(TextBound(20, is_id=True), load_default=None)
    count = Count("count", least=1, most=200, default=50)
    flag = Flag(load_default=True)
    at = Instant(data_key="from", load_default=None)
    action = Choice("enum", {action.value: action for action in WorkflowAction}, load_default=None)


NOT_SAID = {"word": None, "count": 50, "flag": True, "at": None, "action": None}
HEADER_FAULT = {"type": "missing", "loc": ["header", "X-One"], "msg": "Field required", "input": None}


@pytest.fixture
async def asked(aiohttp_client):
    """Sends one query and gives back what was read, or the entries of its refusal."""
    seen = []

    async def show(request):
        seen.append(parameters.read(request, EveryKind()))
        return web.Response()

    app = web.Application(middlewares=[refusals])
    app[keys.BOUNDS] = Bounds()
    app.add_routes([web.get("/", show)])
    client = await aiohttp_client(app)

    async def ask(query):
        # No client library sends a query that is no text, or leaves one as it is written.
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(b"GET /?" + query + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        if answer.startswith(b"HTTP/1.1 200 "):
            return seen.pop()
        assert answer.startswith(b"HTTP/1.1 422 ")
        problem = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert problem["code"] == "REQUEST_VALIDATION_FAILED"
        return problem["detail"]

    return ask


async def test_what_is_not_said_has_its_default(asked):
    assert await asked(b"") == NOT_SAID


async def test_unknown_parameters_are_ignored(asked):
    assert await asked(b"Count=7&created_at=x&at=x&limit=0&=&&%00=%FF") == NOT_SAID


async def test_of_a_repeated_parameter_the_last_counts(asked):
    assert (await asked(b"word=a&count=x&word=b&count=7"))["count"] == 7
    assert (await asked(b"word=a&word=b"))["word"] == "b"
    assert (await asked(b"word=a&word="))["word"] == ""
    assert (await asked(b"count=7&count=x"))[0]["input"] == "x"


async def test_text_is_taken_as_it_was_meant(asked):
    for sent, meant in (
        (b"a%2Fb%26c+d%2B", "a/b&c d+"),
        (b"%E2%82%AC%F0%9F%8F%A6", "€\N{BANK}"),
        (b"", ""),
        (b"null", "null"),
        (b"a=b;c", "a=b;c"),
        (b"100%", "100%"),
    ):
        assert (await asked(b"word=" + sent))["word"] == meant


@pytest.mark.parametrize(
    ("sent", "kind", "shown"),
    [
        (b"a%FF", "string_unicode", "a?"),
        (b"%ED%A0%80", "string_unicode", "???"),
        (b"a%00b", "value_error", "a\0b"),
    ],
)
async def test_what_no_store_can_hold_is_refused(asked, sent, kind, shown):
    [entry] = await asked(b"word=" + sent)

    assert (entry["type"], entry["loc"], entry["input"]) == (kind, ["query", "word"], shown)


async def test_counts_are_read_leniently(asked):
    for sent, meant in ((b"1", 1), (b"200", 200), (b"+7+", None), (b"%2B7", 7), (b"007", 7), (b"5.0", 5)):
        assert meant is None or (await asked(b"count=" + sent))["count"] == meant
    assert (await asked(b"count=+7+"))["count"] == 7


async def test_counts_outside_their_bounds_are_refused(asked):
    low, high = await asked(b"count=0"), await asked(b"count=201")

    assert low == [
        {
            "type": "greater_than_equal",
            "loc": ["query", "count"],
            "msg": "Input should be greater than or equal to 1",
            "input": "0",
            "ctx": {"ge": 1},
        }
    ]
    assert high == [
        {
            "type": "less_than_equal",
            "loc": ["query", "count"],
            "msg": "Input should be less than or equal to 200",
            "input": "201",
            "ctx": {"le": 200},
        }
    ]
    assert (await asked(b"count=-1"))[0]["type"] == "greater_than_equal"
    assert (await asked(b"count=" + b"9" * 4000))[0]["type"] == "less_than_equal"


@pytest.mark.parametrize(
    "sent", [b"", b"x", b"1.5", b"1e2", b"0x1", b"true", b"%D9%A5", b"1_0", b"+", b"9" * 5000]
)
async def test_what_is_no_integer_is_refused(asked, sent):
    [entry] = await asked(b"count=" + sent)

    assert entry["type"] == "int_parsing"
    assert entry["loc"] == ["query", "count"]
    assert entry["msg"] == "Input should be a valid integer, unable to parse string as an integer"
    assert "ctx" not in entry


async def test_flags_are_read_leniently(asked):
    for sent in (b"true", b"True", b"t", b"yes", b"Y", b"on", b"1"):
        assert (await asked(b"flag=" + sent))["flag"] is True
    for sent in (b"false", b"FALSE", b"f", b"no", b"n", b"oFF", b"0"):
        assert (await asked(b"flag=" + sent))["flag"] is False


@pytest.mark.parametrize("sent", ["", "2", "1.0", "null", " true", "ja"])
async def test_other_flags_are_refused(asked, sent):
    assert await asked(b"flag=" + sent.replace(" ", "+").encode()) == [
        {
            "type": "bool_parsing",
            "loc": ["query", "flag"],
            "msg": "Input should be a valid boolean, unable to interpret input",
            "input": sent,
        }
    ]


async def test_a_closed_vocabulary_names_its_words_in_their_order(asked):
    assert (await asked(b"action=REJECT"))["action"] is WorkflowAction.REJECT
    for sent in ("", "approve", "APPROVE ", "DELETE"):
        expected = "'APPROVE', 'REJECT' or 'REQUEST_CHANGES'"
        assert await asked(b"action=" + sent.replace(" ", "+").encode()) == [
            {
                "type": "enum",
                "loc": ["query", "action"],
                "msg": f"Input should be {expected}",
                "input": sent,
                "ctx": {"expected": expected},
            }
        ]


async def test_an_instant_is_read_and_a_refused_one_says_why(asked):
    assert (await asked(b"from=2026-02-20T18:05:07%2B08:00"))["at"] == AT
    # The plus of an offset is a blank unless it is encoded, and is taken as well.
    assert (await asked(b"from=2026-02-20T18:05:07+08:00"))["at"] == AT
    assert await asked(b"from=2026-02-20T18:05:07Z08:00") == [
        {
            "type": "datetime_from_date_parsing",
            "loc": ["query", "from"],
            "msg": f"Input should be a valid datetime or date, {EXTRA}",
            "input": "2026-02-20T18:05:07Z08:00",
            "ctx": {"error": EXTRA},
        }
    ]
    assert (await asked(b"from=%FF"))[0]["ctx"] == {"error": "invalid character in year"}


async def test_every_fault_is_listed_in_the_order_of_declaration(asked):
    entries = await asked(b"action=x&from=x&flag=x&count=x&word=%00")

    assert [entry["loc"][1] for entry in entries] == ["word", "count", "flag", "from", "action"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-02-20T10:05:07Z", AT),
        ("2026-02-20t10:05:07z", AT),
        ("2026-02-20 10:05:07", AT),
        ("2026-02-20T10:05:07", AT),
        ("2026-02-20T10:05:07+00:00", AT),
        ("2026-02-20T10:05:07-00:00", AT),
        ("2026-02-20T18:05:07+08:00", AT),
        ("2026-02-20T18:05:07+0800", AT),
        ("2026-02-20T18:05:07+08", AT),
        ("2026-02-20T06:35:07-03:30", AT),
        ("2026-02-20T10:05", AT.replace(second=0)),
        ("2026-02-20T10:05Z", AT.replace(second=0)),
        ("2026-02-20T10:05:07.5", AT.replace(microsecond=500_000)),
        ("2026-02-20T10:05:07,25Z", AT.replace(microsecond=250_000)),
        ("2026-02-20T10:05:07.123456789+00:00", AT.replace(microsecond=123_456)),
        ("2026-02-20", AT.replace(hour=0, minute=0, second=0)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("0001-01-01", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime.max.replace(tzinfo=UTC)),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        ("-1", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("1771581907", AT),
        ("+1771581907", AT),
        ("1771581907.25", AT.replace(microsecond=250_000)),
        ("1771581907000", AT),
        ("1771581907250.5", AT.replace(microsecond=250_500)),
        ("20000000000", datetime(2603, 10, 11, 11, 33, 20, tzinfo=UTC)),
        ("20000000001", datetime(1970, 8, 20, 11, 33, 20, 1000, tzinfo=UTC)),
        ("-20000000000", datetime(1336, 3, 23, 12, 26, 40, tzinfo=UTC)),
        ("-20000000001", datetime(1969, 5, 14, 12, 26, 39, 999_000, tzinfo=UTC)),
        ("253402300799999", datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        ("-62135596800000", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_these_texts_name_instants(text, meant):
    found = instant_of(text)

    assert found == meant
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "input is too short"),
        ("2026-", "input is too short"),
        ("2026-02", "input is too short"),
        ("2026-02-2", "input is too short"),
        ("2026-02-20T", "input is too short"),
        ("2026-02-20T10", "input is too short"),
        ("2026-02-20T10:05:", "input is too short"),
        ("2026-02-20T10:05:07+", "input is too short"),
        ("2026-02-20T10:05:07+08:", "input is too short"),
        ("yesterday", "invalid character in year"),
        (" 2026-02-20", "invalid character in year"),
        ("٢٠٢٦-02-20", "invalid character in year"),
        ("-026-02-20", "invalid character in year"),
        ("\0", "invalid character in year"),
        ("2026/02/20", "invalid date separator, expected `-`"),
        ("2026-2-20", "invalid character in month"),
        ("2026-02-x0", "invalid character in day"),
        ("2026-13-01", "month value is outside expected range of 1-12"),
        ("2026-00-01", "month value is outside expected range of 1-12"),
        ("2026-02-32", "day value is outside expected range of 1-31"),
        ("2026-02-29", "day value is outside expected range"),
        ("0000-01-01", YEAR_OUTSIDE),
        ("2026-02-20x", SEPARATOR),
        ("2026-02-20Z", SEPARATOR),
        ("2026-02-20T1x:05", "invalid character in hour"),
        ("2026-02-20T24:00", "hour value is outside expected range of 0-23"),
        ("2026-02-20T10.05", "invalid time separator, expected `:`"),
        ("2026-02-20T10:60", "minute value is outside expected range of 0-59"),
        ("2026-02-20T10:05:60", "second value is outside expected range of 0-59"),
        ("2026-02-20T10:05:07.", "second fraction is missing"),
        ("2026-02-20T10:05:07.Z", "second fraction is missing"),
        ("2026-02-20T10:05:07ZZ", EXTRA),
        ("2026-02-20T10:05:07 ", "input is too short"),
        ("2026-02-20T10:05:07  08:00", "invalid character in timezone hour"),
        ("2026-02-20T10:05:07 -08:00", "invalid character in timezone hour"),
        ("2026-02-20T10:05:07+24:00", "timezone hour value is outside expected range of 0-23"),
        ("2026-02-20T10:05:07+08:60", "timezone minute value is outside expected range of 0-59"),
        ("2026-02-20T10:05:07+08x", "invalid character in timezone minute"),
        ("0001-01-01T00:00:00+08:00", YEAR_OUTSIDE),
        ("9999-12-31T23:00:00-08:00", YEAR_OUTSIDE),
        ("253402300800000", YEAR_OUTSIDE),
        ("-62135596800001", YEAR_OUTSIDE),
        ("9" * 8000, YEAR_OUTSIDE),
        ("1e9", "invalid character in year"),
        ("1.", "invalid character in year"),
        ("NaN", "invalid character in year"),
    ],
)
def test_these_texts_name_none(text, reason):
    with pytest.raises(InstantRefused) as refused:
        instant_of(text)

    assert str(refused.value) == reason


OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS), st.sampled_from(["T", " "])
)
def test_every_instant_is_read_back_from_its_text(instant, separator):
    assert instant_of(instant.isoformat(separator)) == instant


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS), st.sampled_from(["T", " "])
)
def test_an_instant_whose_plus_became_a_blank_in_a_query_is_the_same(instant, separator):
    """As answers have it, put into a query as it is (contract 1.2)."""
    assert instant_of(instant.isoformat(separator).replace("+", " ")) == instant


@given(st.text(alphabet="0123456789-+:.,TZ x\0", max_size=30) | st.text(max_size=12))
def test_any_text_names_an_instant_or_is_refused(text):
    try:
        assert instant_of(text).utcoffset() == timedelta(0)
    except InstantRefused as refused:
        assert str(refused)


async def test_faults_of_the_query_come_before_those_of_the_headers(aiohttp_client):
    async def show(request):
        parameters.read(request, EveryKind(), [HEADER_FAULT])
        return web.Response()

    app = web.Application(middlewares=[refusals])
    app[keys.BOUNDS] = Bounds()
    app.add_routes([web.get("/", show)])
    client = await aiohttp_client(app)

    both = await (await client.get("/", params={"count": "x"})).json()
    one = await (await client.get("/")).json()

    assert [entry["type"] for entry in both["detail"]] == ["int_parsing", "missing"]
    assert one["detail"] == [HEADER_FAULT]


def test_faults_of_the_body_come_last_and_broken_json_comes_alone():
    def read_with(entry):
        with parameters.together_with([HEADER_FAULT]):
            if entry is not None:
                raise RequestInvalid([entry])

    def refused(entry):
        with pytest.raises(RequestInvalid) as found:
            read_with(entry)
        return [entry["type"] for entry in found.value.entries]

    assert refused({"type": "int_type", "loc": ["body", "a"]}) == ["missing", "int_type"]
    assert refused({"type": "json_invalid", "loc": ["body", 0]}) == ["json_invalid"]
    assert refused(None) == ["missing"]
    with parameters.together_with([]):
        pass


async def test_ids_that_cannot_be_stored_are_not_found(aiohttp_client):
    async def show(request):
        return web.Response(text=parameters.path_id(request, "run_id", RunNotFound))

    app = web.Application(middlewares=[refusals])
    app[keys.BOUNDS] = Bounds()
    app.add_routes([web.get("/{run_id}", show)])
    client = await aiohttp_client(app)

    async def status_of(path):
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return int(answer.split()[1])

    assert await (await client.get("/a%2Fb%20%C3%BC")).text() == "a/b ü"
    for path in (b"/a%00", b"/a%FF", b"/%ED%A0%80", b"/%C3%28"):
        assert await status_of(path) == 404
    # An id may well have a percent sign.
    for path in (b"/a%25FF", b"/100%25"):
        assert await status_of(path) == 200
