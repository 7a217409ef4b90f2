"""The kill switch and the open streams, for both clients: arguments to requests, answers to values.

A scope is always spelled out: the account a client was made for is not put into it, so that what a halt covers stands where
it is called.
"""

from dataclasses import dataclass, field
from datetime import datetime

from execsvc_api.v1 import admin_service_pb2 as admin_pb
from execsvc_api.v1 import limits_pb2

from execsvc_client._account import ModeEntry, read_mode
from execsvc_client._amounts import when
from execsvc_client._enums import ModeLike, mode_of


@dataclass(frozen=True, slots=True)
class ModeChange:
    """What the kill switch was at and is now; `previous` None: nothing was set for this scope.

    cancel_requested_count: how many open orders a halt asked to go; they are pursued until they are gone. caller_unknown:
    nobody of the caller's name is known there, which may be mistyped; the mode is set all the same.
    """

    previous: ModeEntry | None
    current: ModeEntry
    cancel_requested_count: int
    caller_unknown: bool = False


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream open at the gateway. `queue_depth` is what waits for its reader: one that grows is one that lags."""

    stream_id: str
    method: str
    caller: str
    queue_depth: int
    sent_count: int
    conflated_count: int
    open_time: datetime | None
    wire: admin_pb.StreamInfo = field(repr=False, compare=False)


def set_trading_mode(
    mode: ModeLike, comment: str, *, account: str, caller: str, symbol: str, everything: bool
) -> admin_pb.SetTradingModeRequest:
    """The request. Raises ValueError for a scope that names nothing, or everything and something, and without a comment."""
    if everything and (account or caller or symbol):
        raise ValueError("everything=True stands alone: it covers every account, caller and symbol")
    if not (everything or account or caller or symbol):
        raise ValueError("whose orders? Name an account, a caller or a symbol, or say everything=True")
    if not comment.strip():
        raise ValueError("comment: say why, for whoever finds it halted")
    return admin_pb.SetTradingModeRequest(
        scope=limits_pb2.TradingScope(account=account, caller=caller, symbol=symbol, everything=everything),
        mode=limits_pb2.TradingMode.ValueType(mode_of(mode)),
        comment=comment,
    )


def read_mode_change(wire: admin_pb.SetTradingModeResponse) -> ModeChange:
    """The change from the wire."""
    return ModeChange(
        previous=read_mode(wire.previous) if wire.HasField("previous") else None,
        current=read_mode(wire.current),
        cancel_requested_count=wire.cancel_requested_count,
        caller_unknown=wire.caller_unknown,
    )


def read_stream_info(wire: admin_pb.StreamInfo) -> StreamInfo:
    """A stream from the wire."""
    return StreamInfo(
        stream_id=wire.stream_id,
        method=wire.method,
        caller=wire.caller,
        queue_depth=wire.queue_depth,
        sent_count=wire.sent_count,
        conflated_count=wire.conflated_count,
        open_time=when(wire.open_time, present=wire.HasField("open_time")),
        wire=wire,
    )
