"""Every published or recorded sample of Kraken's is read as what it is, or said to be read by nobody and why."""

import pytest
from kraken_parts import result_of, vector
from sample_rows import (
    INDEXES,
    NOT_READ,
    PRIVATE,
    PUBLIC,
    READERS,
    endpoint_of,
    frames,
    private_line,
    public_line,
    samples,
)

from execsvc.domain.errors import Reason
from execsvc.domain.market import Beat
from execsvc.kraken import faults, indexes, wire
from execsvc.kraken.endpoints import ALL, Effect

ERRORS = {
    "rest_error_clordid_not_unique": Reason.VENUE_REFUSED_ARGUMENTS,
    "rest_error_invalid_arguments": Reason.VENUE_REFUSED_ARGUMENTS,
    "rest_error_invalid_key": Reason.VENUE_CREDENTIALS_REJECTED,
    "rest_error_throttled": Reason.VENUE_RATE_LIMITED,
    "rest_error_unknown_pair": Reason.UNKNOWN_SYMBOL,
}
ANSWERS = [name for name in samples() if name.startswith("rest_") and name not in NOT_READ and name not in ERRORS]


def test_every_sample_has_a_row():
    """Each is read by exactly one, or is in the list of those that are not read."""
    rows = [*ANSWERS, *ERRORS, *PUBLIC, *INDEXES, *PRIVATE, *NOT_READ]
    assert (samples(), len(set(rows))) == (sorted(rows), len(rows))


def test_every_endpoint_in_use_has_a_reader_and_a_sample():
    """And no reader is of an endpoint that is not called."""
    used = {endpoint.name for endpoint in ALL}
    assert (used, set()) == (set(READERS), used - {endpoint_of(name) for name in ANSWERS})


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read(name):
    """Without an error beside it, into values; what has rows there has rows here."""
    envelope = vector(name)
    assert [] == [text for text in envelope["error"] if text.startswith("E")]
    found = READERS[endpoint_of(name)](result_of(name))
    assert found is not None
    if name not in {"rest_OpenPositions_empty", "rest_CancelAllOrdersAfter_disarmed"} and hasattr(found, "__len__"):
        assert len(found) > 0


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_a_verdict_with_its_reason(name):
    """As a read sees it."""
    envelope = vector(name)
    verdict = faults.of_texts(envelope["error"], Effect.READ, 1_700_000_000 * 10**9)
    assert (ERRORS[name], envelope["error"][0]) == (verdict.fault.reason, verdict.fault.metadata["venue_error"])


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_frame_is_told(name):
    """Each frame gives the events of its row; where the row has none, a sign of life."""
    topic, before, expected = PUBLIC[name]
    link = public_line(topic)
    for each in before:
        link.sees(frames(each)[0])
    told = [link.gets(text) for text in frames(name)]
    kinds = [[type(event).__name__ for event in events if not isinstance(event, Beat)] for events in told]
    assert [expected] * len(told) == kinds


@pytest.mark.parametrize("name", INDEXES)
def test_a_frame_of_the_instruments_tells_who_has_an_index(name):
    """The picture does; what comes before and after it is another frame."""
    assert [INDEXES[name]] == [indexes.indexed(text) for text in frames(name)]


@pytest.mark.parametrize("name", PRIVATE)
def test_a_private_frame_is_told(name):
    """Each kind of frame gives the events of its row, and does not end the line."""
    line = private_line()
    told = [event for text in frames(name) for event in line.receive(text, 100.1, 100)]
    kinds = [type(event).__name__ for event in told if len(PRIVATE[name]) == 1 or not isinstance(event, Beat)]
    assert (PRIVATE[name], "") == (kinds, line.ended)


def test_a_warning_beside_a_result_is_no_error():
    """W… in `error` is for a person: the result counts."""
    assert faults.of_texts(["WGeneral:Something"], Effect.READ, 1) is None
    assert ["WGeneral:Something"] == wire.decoder(wire.Envelope)(b'{"error":["WGeneral:Something"],"result":{}}').error
