"""Balances, the server and the exchange's state as values.

`mode` of ServerInfo is what the whole client turns on: anything that is not plainly paper counts as live money.
`wire` is the message each value was read from, for fields that this version does not know.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from execsvc_api.v1 import account_service_pb2, admin_service_pb2, limits_pb2

from execsvc_client._amounts import when
from execsvc_client._enums import BreakerState, FeedState, TradingMode, VenueMode
from execsvc_client._orders import Times, read_times


@dataclass(frozen=True)
class Balance:
    """The balance of one asset, in its units; available = total + credit - credit_used - held."""

    asset: str
    total: Decimal
    held: Decimal
    available: Decimal
    credit: Decimal
    credit_used: Decimal
    times: Times
    wire: account_service_pb2.Balance = field(repr=False, compare=False)


@dataclass(frozen=True)
class Grant:
    """What the caller may do on one account; empty `symbols` means every pair."""

    account: str
    is_default: bool
    permissions: frozenset[str]
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class ModeEntry:
    """A trading mode in force, for the orders that match every field of its scope that is not empty."""

    account: str
    caller: str
    symbol: str
    everything: bool
    mode: TradingMode
    comment: str
    set_by: str
    set_time: datetime | None
    wire: limits_pb2.TradingModeEntry = field(repr=False, compare=False)


@dataclass(frozen=True)
class ServerInfo:
    """The server and the caller's place in it. `mode` is "paper" or "live"; `venue` "paper" or "kraken".

    `least_place_timeout` is the least number of seconds a placement needs.
    """

    version: str
    contract_digest: str
    venue: str
    mode: str
    server_epoch: str
    server_time: datetime | None
    start_time: datetime | None
    caller: str
    grants: tuple[Grant, ...]
    trading_modes: tuple[ModeEntry, ...]
    least_place_timeout: float
    unimplemented_methods: frozenset[str]
    settings: Mapping[str, str]
    wire: admin_service_pb2.GetServerInfoResponse = field(repr=False, compare=False)


@dataclass(frozen=True)
class LaneHealth:
    """One lane (cancel, trade, read) of one key, named by its label."""

    key_label: str
    lane: str
    breaker: BreakerState
    blocked_until: datetime | None
    queue_depth: int


@dataclass(frozen=True)
class AccountHealth:
    """Health of one account; `problems` in words, worst first."""

    account: str
    private_feed: FeedState
    in_doubt_count: int
    locked_out_until: datetime | None
    problems: tuple[str, ...]
    lanes: tuple[LaneHealth, ...]


@dataclass(frozen=True)
class VenueStatus:
    """How the exchange and the server's link to it fare; spans are None until measured."""

    mode: VenueMode
    public_feed: FeedState
    clock_offset: timedelta | None
    round_trip: timedelta | None
    accounts: tuple[AccountHealth, ...]
    wire: admin_service_pb2.GetVenueStatusResponse = field(repr=False, compare=False)


def read_balance(wire: account_service_pb2.Balance) -> Balance:
    """A balance from the wire."""
    return Balance(
        asset=wire.asset,
        total=Decimal(wire.total),
        held=Decimal(wire.held),
        available=Decimal(wire.available),
        credit=Decimal(wire.credit or 0),
        credit_used=Decimal(wire.credit_used or 0),
        times=read_times(wire.times),
        wire=wire,
    )


def read_mode(wire: limits_pb2.TradingModeEntry) -> ModeEntry:
    """A trading mode from the wire."""
    return ModeEntry(
        account=wire.scope.account,
        caller=wire.scope.caller,
        symbol=wire.scope.symbol,
        everything=wire.scope.everything,
        mode=TradingMode(wire.mode),
        comment=wire.comment,
        set_by=wire.set_by,
        set_time=when(wire.set_time, present=wire.HasField("set_time")),
        wire=wire,
    )


def read_server_info(wire: admin_service_pb2.GetServerInfoResponse, mode: str) -> ServerInfo:
    """The server from the wire and the mode that its trailers told."""
    return ServerInfo(
        version=wire.version,
        contract_digest=wire.contract_digest,
        venue=wire.venue,
        mode=mode,
        server_epoch=wire.server_epoch,
        server_time=when(wire.server_time, present=wire.HasField("server_time")),
        start_time=when(wire.start_time, present=wire.HasField("start_time")),
        caller=wire.caller,
        grants=tuple(
            Grant(grant.account, grant.is_default, frozenset(grant.permissions), tuple(grant.symbols))
            for grant in wire.grants
        ),
        trading_modes=tuple(map(read_mode, wire.trading_modes)),
        least_place_timeout=wire.least_place_timeout.ToTimedelta().total_seconds(),
        unimplemented_methods=frozenset(wire.unimplemented_methods),
        settings={setting.name: setting.value for setting in wire.settings},
        wire=wire,
    )


def read_venue_status(wire: admin_service_pb2.GetVenueStatusResponse) -> VenueStatus:
    """The exchange's state from the wire."""
    return VenueStatus(
        mode=VenueMode(wire.mode),
        public_feed=FeedState(wire.public_feed),
        clock_offset=wire.clock_offset.ToTimedelta() if wire.HasField("clock_offset") else None,
        round_trip=wire.round_trip.ToTimedelta() if wire.HasField("round_trip") else None,
        accounts=tuple(map(_read_account_health, wire.accounts)),
        wire=wire,
    )


def _read_account_health(wire: admin_service_pb2.AccountHealth) -> AccountHealth:
    return AccountHealth(
        account=wire.account,
        private_feed=FeedState(wire.private_feed),
        in_doubt_count=wire.in_doubt_count,
        locked_out_until=when(wire.locked_out_until_time, present=wire.HasField("locked_out_until_time")),
        problems=tuple(wire.problems),
        lanes=tuple(
            LaneHealth(
                key_label=lane.key_label,
                lane=lane.lane,
                breaker=BreakerState(lane.breaker),
                blocked_until=when(lane.blocked_until_time, present=lane.HasField("blocked_until_time")),
                queue_depth=lane.queue_depth,
            )
            for lane in wire.lanes
        ),
    )
