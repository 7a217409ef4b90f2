"""HTTP/1.1 framing: where messages end, whatever pieces they come in; and not one byte more, less or other."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import faultproxy_http
from tests.support.faultproxy_http import HEAD_MAX, Message, requests, responses

GET = b"GET /private/Time?x=1 HTTP/1.1\r\nHost: here\r\n\r\n"
CHUNKS = b"4;note=1\r\nWiki\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: yes\r\n\r\n"


def post(body):
    return b"POST /private/AddOrder HTTP/1.1\r\ncontent-length: %d\r\nHost: here\r\n\r\n%b" % (len(body), body)


def ok(body, *, status=b"200 OK", more=b""):
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), more, body)


CHUNKED_REQUEST = b"POST /up HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS
CHUNKED_ANSWER = b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: gzip, chunked\r\n\r\n" + CHUNKS
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

SOME_REQUESTS = st.lists(st.just(GET) | st.just(CHUNKED_REQUEST) | st.binary(max_size=60).map(post), max_size=6)
SOME_ANSWERS = st.lists(
    st.sampled_from([CHUNKED_ANSWER, NO_CONTENT, NOT_MODIFIED, CONTINUE]) | st.binary(max_size=60).map(ok), max_size=6
)


async def fed(data, cuts, read):
    """All that `read` makes of these bytes when they come in pieces."""
    reader = asyncio.StreamReader(limit=HEAD_MAX)
    whole = asyncio.create_task(collected(read(reader)))
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        if data[start:end]:
            reader.feed_data(data[start:end])
            await asyncio.sleep(0)
    reader.feed_eof()
    return await whole


async def collected(messages):
    return [message async for message in messages]


def taken(data, read, cuts=()):
    return asyncio.run(fed(data, sorted(min(cut, len(data)) for cut in cuts), read))


def answers(reader):
    return responses(reader, lambda: "POST")


CUTS = st.lists(st.integers(0, 400), max_size=12)


@given(SOME_REQUESTS, CUTS)
def test_requests_are_found_in_whatever_pieces_they_come(sent, cuts):
    """Each request is one message, its bytes unchanged."""
    found = taken(b"".join(sent), requests, cuts)
    assert [message.raw for message in found] == sent
    assert all(message.whole for message in found)


@given(SOME_ANSWERS, CUTS)
def test_answers_are_found_in_whatever_pieces_they_come(sent, cuts):
    """Each answer is one message, its bytes unchanged, bodies or none."""
    found = taken(b"".join(sent), answers, cuts)
    assert [message.raw for message in found] == sent
    assert all(message.whole for message in found)


def test_one_byte_at_a_time_is_enough():
    """Even a head that comes byte by byte is a head."""
    data = post(b"nonce=1") + CHUNKED_REQUEST
    assert [message.raw for message in taken(data, requests, range(len(data)))] == [post(b"nonce=1"), CHUNKED_REQUEST]


@given(
    st.lists(
        st.binary(max_size=40)
        | st.sampled_from(
            [GET, CHUNKS, CHUNKED_REQUEST, CHUNKED_ANSWER, ok(b"hi"), post(b"x"), b"\r\n\r\n", b"HTTP/1.1 "]
        ),
        max_size=6,
    ),
    CUTS,
    st.sampled_from([requests, answers]),
)
def test_what_is_no_http_passes_byte_for_byte(parts, cuts, read):
    """Nonsense, torn messages and half of each: all bytes, in order."""
    data = b"".join(parts)
    assert b"".join(message.raw for message in taken(data, read, cuts)) == data


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (post(b"0123456789")[:-1], requests),
        (GET[:-3], requests),
        (CHUNKED_REQUEST[:-1], requests),
        (CHUNKED_REQUEST[:-30], requests),
        (ok(b"0123456789")[:-1], answers),
        (CHUNKED_ANSWER[:-2], answers),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", requests),
        (b"POST /x HTTP/1.1\r\nContent-Length: many\r\n\r\nabc", requests),
        (b"POST /x HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc", requests),
        (b"GET /x SPDY/3\r\n\r\n", requests),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", requests),
    ],
)
def test_a_torn_or_foreign_message_is_a_fragment(data, read):
    """No toxic of requests may take half a message for one."""
    found = taken(data, read)
    assert [message.whole for message in found] == [False] * len(found)
    assert b"".join(message.raw for message in found) == data


def test_after_a_fragment_nothing_is_a_message():
    """Where one message ends is not known any more, so the next one's start is not either."""
    assert [message.whole for message in taken(b"noise\r\n\r\n" + GET, requests)] == [False, False]


def test_a_head_too_long_is_not_held():
    """More than the bound without an end goes on as it comes."""
    data = b"GET / HTTP/1.1\r\nx: " + b"y" * (2 * HEAD_MAX)
    found = taken(data, requests)
    assert not any(message.whole for message in found)
    assert b"".join(message.raw for message in found) == data


@pytest.mark.parametrize("data", [ok(b"x" * 200), CHUNKED_ANSWER, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200])
def test_a_body_too_long_is_not_held(monkeypatch, data):
    """A body above the bound goes on as fragments, with every way of telling its length."""
    monkeypatch.setattr(faultproxy_http, "BODY_MAX", 10)
    found = taken(data, answers)
    assert not any(message.whole for message in found)
    assert b"".join(message.raw for message in found) == data


@pytest.mark.parametrize(
    "told", [b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", b"Content-Length: 99999999\r\n\r\n"]
)
async def test_a_body_too_long_is_not_waited_for(told):
    """That it will be too long is known from its length: what came goes on at once."""
    reader = asyncio.StreamReader(limit=HEAD_MAX)
    data = b"POST /x HTTP/1.1\r\n" + told
    reader.feed_data(data)
    async with asyncio.timeout(2.0):
        assert await anext(requests(reader)) == Message(b"", data, whole=False)


def test_an_answer_without_a_length_ends_with_the_connection():
    """All that comes is its body."""
    data = b"HTTP/1.0 200 OK\r\n\r\nas long as it lasts"
    assert [(message.raw, message.whole) for message in taken(data.replace(b"1.0", b"1.1"), answers)] == [
        (data.replace(b"1.0", b"1.1"), True)
    ]


def test_the_answer_to_head_has_no_body_whatever_it_says():
    """A Content-Length there tells of the body that GET would have had."""
    methods = iter(["HEAD", "GET"])
    head_only = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    found = taken(head_only + ok(b"hello"), lambda reader: responses(reader, lambda: next(methods)))
    assert [message.raw for message in found] == [head_only, ok(b"hello")]


def test_an_upgrade_ends_http():
    """After 101, and after the request for it, bytes are bytes."""
    asking = b"GET /v2 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    frames = b"\x81\x05hello\r\n\r\n"
    for start, read in ((asking, requests), (switching, answers)):
        found = taken(start + frames, read)
        assert [(message.raw, message.whole) for message in found] == [(start, True), (frames, False)]


def test_a_message_tells_what_it_is():
    """Method, path without query, status, and headers by any spelling."""
    request = Message(b"POST /0/private/AddOrder?a=b HTTP/1.1\r\nX-One: 1\r\nx-one:2 \r\n\r\n", b"body")
    assert (request.method, request.path, request.header("x-one")) == ("POST", "/0/private/AddOrder", "1,2")
    assert (request.header("absent"), request.raw) == ("", request.head + b"body")
    assert Message(ok(b"")).status == 200
    assert [Message(each).preliminary for each in (CONTINUE, NO_CONTENT)] == [True, False]
