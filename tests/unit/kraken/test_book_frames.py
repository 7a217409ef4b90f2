"""Book frames as Kraken prints them are read at once, others in two steps: both must be the same to whoever listens."""

import json

import pytest
from feed_parts import Link
from kraken_parts import vector

from execsvc.domain.errors import ProtocolBroken
from execsvc.domain.market import BookSeen, BookTopic, Desynced
from execsvc.kraken.feed import BOOK_UPDATE

TOPIC = BookTopic("BTC/USD", 10)
MESSAGES = vector("ws_book_sequence_recorded")["messages"]


def printed(message, *, spaced):
    """As Kraken prints it, or as others would."""
    return json.dumps(message, separators=None if spaced else (",", ":")).encode()


def listening():
    """A link whose subscription of the recorded book is answered."""
    link = Link(TOPIC)
    (request,) = link.requests()
    result = {"channel": "book", "depth": 10, "snapshot": True, "symbol": "BTC/USD"}
    link.gets({"method": "subscribe", "req_id": request["req_id"], "result": result, "success": True})
    return link


def seen(messages, *, spaced):
    """What a listener makes of these messages."""
    link = listening()
    events = [event for message in messages for event in link.sees(printed(message, spaced=spaced))]
    return [
        (event.snapshot, event.bids, event.asks, event.checksum, event.times, event.view())
        for event in events
        if isinstance(event, BookSeen)
    ]


def test_updates_of_the_recording_begin_as_the_short_way_expects():
    """Else the hottest frame would silently take the long one."""
    short = [printed(message, spaced=False).startswith(BOOK_UPDATE) for message in MESSAGES]
    assert [False] + [True] * 200 == short


def test_both_ways_see_the_same_session():
    """Every event of the recorded session, to the last digit and nanosecond."""
    long_way = seen(MESSAGES, spaced=True)
    assert 201 == len(long_way)
    assert long_way == seen(MESSAGES, spaced=False)


@pytest.mark.parametrize("spaced", [False, True])
def test_a_wrong_checksum_shows_either_way(spaced):
    """The book is void, and that is the only event."""
    link = listening()
    link.gets(printed(MESSAGES[0], spaced=spaced))
    wrong = {**MESSAGES[1], "data": [{**MESSAGES[1]["data"][0], "checksum": 1}]}
    assert [Desynced] == [type(event) for event in link.sees(printed(wrong, spaced=spaced))]


@pytest.mark.parametrize("rest", [b'"data":[{"symbol":1}]}', b'"data":[', b"}"])
def test_what_begins_like_an_update_and_is_none_is_broken(rest):
    """A frame cut short or of another shape ends the connection, as any such frame does."""
    with pytest.raises(ProtocolBroken):
        listening().gets(BOOK_UPDATE + rest)


def test_an_update_counts_as_a_sign_of_life():
    """Updates alone keep the line from counting as silent."""
    link = listening()
    link.gets(printed(MESSAGES[0], spaced=False), after=4.0)
    link.gets(printed(MESSAGES[1], spaced=False), after=4.0)
    link.now += 4.0
    link.says()
    assert "" == link.session.ended
