"""Logs: events, not sentences. JSON lines for machines, plain text for a person, one allow-list of fields for both.

A field that is not on the list keeps its name and loses its value, and so does the text of an error whose kind is not on
the list of those that quote nothing: no secret reaches a log by accident (promises.md P9). The standard library's loggers
(aiohttp, grpc, asyncio) are bridged in as the event `log`, a library's that is not listed without its words. Where the lines
go is the caller's choice. Audit is not a log: it is the journal.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec
import structlog
from opentelemetry import trace

FIELDS = frozenset({
    "ts", "level", "event", "trace_id", "span_id", "mode", "version",
    "caller", "account", "method", "client_order_id", "order_id", "symbol", "reason", "code", "request_id", "peer",
    "dur_ms", "outcome", "status", "attempt", "sequence", "count", "depth", "lane", "name", "state", "address",
    "problem", "problems", "error", "error_type", "where", "why", "restart_in_s", "wait_s", "age_s", "offset_s",
    "key_label", "permission", "scope", "filter", "venue", "venue_error", "topic", "stream", "path", "url", "signal",
    "logger", "message", "settled",
})  # fmt: skip
HIDDEN = "[hidden]"
# Packages whose errors say what is wrong without quoting a request, a header or an answer. An HTTP library's do not qualify.
TOLD_OF = frozenset(
    {"execsvc", "execsvc_client", "builtins", "asyncio", "concurrent", "socket", "ssl", "sqlite3", "msgspec", "grpc"}
)
# Libraries whose log lines say what happened; another's may quote a setting (OpenTelemetry's reader of headers does).
HEARD_OF = ("asyncio", "aiohttp", "grpc", "concurrent", "opentelemetry.exporter", "opentelemetry.sdk")
TEXT_MAX = 2000

_ORDER = ("ts", "level", "event")
_ENCODER = msgspec.json.Encoder(enc_hook=str)

Format = Literal["json", "text"]
_Event = MutableMapping[str, Any]


def configure(*, form: Format, level: str, stream: TextIO, mode: str) -> None:
    """Sets up structlog and the standard library's logging for the whole process. `level` is a name such as INFO."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ExtraAdder(allow=()),
        _stamped(mode),
        _traced,
        _failure_in_fields,
        hide_unlisted,
    ]
    render = _text_line(stream) if form == "text" else _json_line
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_bridged, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def hide_unlisted(_logger: Any, _method: str, event: _Event) -> _Event:
    """The allow-list: values of unknown fields are hidden; structlog's own underscore fields pass."""
    for name in event:
        if name not in FIELDS and not name.startswith("_"):
            event[name] = HIDDEN
    return event


def _stamped(mode: str) -> structlog.types.Processor:
    def stamp(_logger: Any, method: str, event: _Event) -> _Event:
        now = datetime.now(UTC)
        event["ts"] = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
        event["level"] = "warning" if method == "warn" else "error" if method == "exception" else method
        event["mode"] = mode
        return event

    return stamp


def _traced(_logger: Any, _method: str, event: _Event) -> _Event:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = format(context.trace_id, "032x")
        event["span_id"] = format(context.span_id, "016x")
    return event


def words_of(failure: BaseException) -> str:
    """What an error says, where its kind may say it, on one line of bounded length."""
    if type(failure).__module__.partition(".")[0] not in TOLD_OF:
        return HIDDEN
    return _first_line(str(failure))


def _first_line(text: str) -> str:
    """The standard library puts the repr of what failed below its sentence: an error of any kind, with all it holds."""
    line, more, _ = text.partition("\n")
    return f"{line[:TEXT_MAX]}…" if more or len(line) > TEXT_MAX else line


def _failure_in_fields(_logger: Any, _method: str, event: _Event) -> _Event:
    """An exception becomes three fields: what, its type, where; no frame's variables, no raw traceback."""
    told = event.pop("exc_info", None)
    failure = sys.exc_info()[1] if told is True else told[1] if isinstance(told, tuple) else told
    if isinstance(failure, BaseException):
        frames = traceback.extract_tb(failure.__traceback__)
        event["error"] = words_of(failure)
        event["error_type"] = type(failure).__name__
        event["where"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
    return event


def _bridged(_logger: Any, _method: str, event: _Event) -> _Event:
    """A line of the standard library: its text is a field, so that the event name stays one of a closed list."""
    record: logging.LogRecord = event["_record"]
    heard = any(record.name == name or record.name.startswith(f"{name}.") for name in HEARD_OF)
    event["message"] = _first_line(str(event.get("event", ""))) if heard else HIDDEN
    event["event"] = "log"
    event["logger"] = record.name
    if record.exc_info:
        event["exc_info"] = record.exc_info
    return event


def _json_line(_logger: Any, _method: str, event: _Event) -> str:
    first = {name: event.pop(name) for name in _ORDER if name in event}
    return _ENCODER.encode({**first, **event}).decode()


def _text_line(stream: TextIO) -> structlog.types.Processor:
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), pad_event_to=24, timestamp_key="ts", exception_formatter=structlog.dev.plain_traceback
    )
