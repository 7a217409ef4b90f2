"""Log lines: one JSON object each, listed fields only, no secret by accident."""

import asyncio
import io
import json
import logging
import sqlite3

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from execsvc.domain.errors import Declined, Fault, Reason
from execsvc.runtime import logs


@pytest.fixture
def written():
    """Logs into a text; the process's own logging is put back afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, structlog.get_config())
    stream = io.StringIO()

    def configured(form="json", level="INFO"):
        logs.configure(form=form, level=level, stream=stream, mode="paper")
        return stream

    yield configured
    root.handlers[:], root.level = before[0], before[1]
    structlog.configure(**before[2])


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_has_time_level_and_event_first(written):
    """ts, level, event, then the fields, and the mode."""
    stream = written()
    structlog.get_logger().info("order.ack", client_order_id="a-1", dur_ms=1.5)
    (line,) = lines(stream)
    assert ["ts", "level", "event"] == list(line)[:3]
    assert {"level": "info", "event": "order.ack", "client_order_id": "a-1", "dur_ms": 1.5, "mode": "paper"} == {
        name: value for name, value in line.items() if name != "ts"
    }
    assert line["ts"].endswith("Z")


@pytest.mark.parametrize("form", ["json", "text"])
def test_unlisted_field_keeps_its_name_and_loses_its_value(written, form):
    """A secret under any name that is not listed does not come out, from structlog or from the standard library."""
    stream = written(form)
    structlog.get_logger().info("order.ack", api_secret="hunter2", token="hunter2")
    structlog.get_logger().bind(authorization="hunter2").warning("x")
    logging.getLogger("aiohttp").warning("hello", extra={"password": "hunter2"})
    assert "hunter2" not in stream.getvalue()
    assert logs.HIDDEN in stream.getvalue()


def test_standard_library_is_bridged(written):
    """Its text becomes a field of the event `log`; levels are kept."""
    stream = written()
    logging.getLogger("grpc").warning("channel %d", 7)
    logging.getLogger("grpc").debug("not shown")
    (line,) = lines(stream)
    assert ("log", "grpc", "channel 7", "warning") == (line["event"], line["logger"], line["message"], line["level"])


@pytest.mark.parametrize(
    ("logger", "message"),
    [
        ("grpc._cython.cygrpc", "said hunter2"),
        ("opentelemetry.exporter.otlp", "said hunter2"),
        ("opentelemetry.util.re", logs.HIDDEN),
        ("grpcish", logs.HIDDEN),
        ("root", logs.HIDDEN),
    ],
)
def test_a_library_that_is_not_listed_is_heard_without_its_words(written, logger, message):
    """One of them logs the headers that it could not read, a collector's token among them."""
    stream = written()
    logging.getLogger("" if logger == "root" else logger).warning("said %s", "hunter2")
    (line,) = lines(stream)
    assert (logger, message) == (line["logger"], line["message"])


def test_level_is_a_threshold(written):
    """Below it nothing comes out."""
    stream = written(level="WARNING")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert ["loud"] == [line["event"] for line in lines(stream)]


def test_exception_becomes_fields(written):
    """What, which type, where; no variables of any frame."""
    stream = written()
    secret = "hunter2"
    try:
        raise ValueError("no such thing")
    except ValueError:
        structlog.get_logger().exception("task.failed", name="x")
        logging.getLogger("asyncio").exception("boom")
    assert [("no such thing", "ValueError")] * 2 == [(line["error"], line["error_type"]) for line in lines(stream)]
    assert secret not in stream.getvalue()
    assert "test_exception_becomes_fields" in lines(stream)[0]["where"][-1]


class RequestFailed(Exception):
    """As an HTTP library's: its text quotes what it sent."""

    __module__ = "aiohttp.client_exceptions"


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("line", ["structlog", "asyncio"])
def test_an_error_that_may_quote_a_request_loses_its_words(written, form, line):
    """Its type and place stay: an HTTP library's error knows the headers it sent."""
    stream = written(form)
    failure = RequestFailed("RequestInfo(headers={'API-Sign': 'hunter2'})")
    if line == "structlog":
        structlog.get_logger().error("task.failed", name="x", exc_info=failure)
    else:
        logging.getLogger("asyncio").error("boom", exc_info=failure)
    assert "hunter2" not in stream.getvalue()
    assert "RequestFailed" in stream.getvalue()
    assert logs.HIDDEN in stream.getvalue()


async def test_what_asyncio_says_of_a_lost_error_shows_no_repr(written):
    """It puts the task and the error's repr below its sentence; the sentence is enough."""
    stream = written()

    async def lost():
        raise RequestFailed("hunter2")

    task = asyncio.get_running_loop().create_task(lost())
    await asyncio.wait([task])
    asyncio.get_running_loop().call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": task.exception(), "future": task}
    )
    (line,) = lines(stream)
    assert "Task exception was never retrieved…" == line["message"]
    assert ("RequestFailed", logs.HIDDEN) == (line["error_type"], line["error"])
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (ValueError("no such thing"), "no such thing"),
        (OSError(2, "No such file", "f"), "[Errno 2] No such file: 'f'"),
        (Declined(Fault(Reason.INTERNAL, "ours")), "ours"),
        (sqlite3.OperationalError("disk I/O error"), "disk I/O error"),
        (ValueError("first\nsecond"), "first…"),
        (ValueError("x" * 5000), "x" * 2000 + "…"),
        (RequestFailed("hunter2"), logs.HIDDEN),
    ],
)
def test_the_words_of_an_error_are_one_line_of_a_kind_that_quotes_nothing(failure, words):
    """Ours, Python's and the store's; bounded, so that an answer of Kraken's cannot fill a log."""
    assert words == logs.words_of(failure)


def test_line_inside_a_span_names_it(written):
    """trace_id and span_id of the current span."""
    stream = written()
    with TracerProvider().get_tracer("t").start_as_current_span("s") as span:
        structlog.get_logger().info("order.ack")
    (line,) = lines(stream)
    assert f"{span.get_span_context().trace_id:032x}" == line["trace_id"]
    assert len(line["span_id"]) == 16


def test_odd_values_do_not_break_the_line(written):
    """What JSON does not know is printed as text."""
    stream = written()
    structlog.get_logger().info("order.ack", reason={1, 2}.__class__, outcome=object)
    assert len(lines(stream)) == 1
