"""What the service knows of itself and of the venue, into the contract's messages.

A lane's breaker goes by the same words on both sides; what opens one is the adapter's to say.
"""

from collections.abc import Iterable
from dataclasses import replace

from execsvc_api.v1 import admin_service_pb2 as admin

from execsvc.app.overview import VenueReport
from execsvc.app.standing import AccountReport
from execsvc.domain.caller import Caller, Permission
from execsvc.domain.market import VenueMode
from execsvc.ports import LaneState
from execsvc.rpc.openstreams import OpenStream
from execsvc.rpc.scalars import FEED_STATES, duration, timestamp, timestamp_or_none

MODES: dict[VenueMode, admin.VenueMode.ValueType] = {
    mode: admin.VenueMode.Value(f"VENUE_MODE_{mode.name}") for mode in VenueMode
}
BREAKERS: dict[str, admin.BreakerState.ValueType] = {
    "closed": admin.BREAKER_STATE_CLOSED,
    "open": admin.BREAKER_STATE_OPEN,
    "probing": admin.BREAKER_STATE_PROBING,
}


def grants(who: Caller) -> list[admin.AccountGrant]:
    """First the permissions bound to no account, if any, then one entry an account, the default one first."""
    return [
        *((admin.AccountGrant(permissions=_words(who.unbound)),) if who.unbound else ()),
        *(
            admin.AccountGrant(
                account=name,
                is_default=name == who.default,
                permissions=_words(who.grant(name).permissions),
                symbols=sorted(who.grant(name).symbols),
            )
            for name in who.accounts
        ),
    ]


def _words(permissions: frozenset[Permission]) -> list[str]:
    return [each.value for each in Permission if each in permissions]


def venue_status(value: VenueReport, problems: Iterable[str] = ()) -> admin.GetVenueStatusResponse:
    """Venue, clock and accounts; `problems` of the service itself are told with each account."""
    reading = value.clock
    return admin.GetVenueStatusResponse(
        mode=admin.VENUE_MODE_UNSPECIFIED if value.mode is None else MODES[value.mode],
        public_feed=FEED_STATES[value.public_feed],
        clock_offset=None if reading is None else duration(reading.offset_s),
        round_trip=None if reading is None else duration(reading.round_trip_s),
        accounts=[account_health(replace(each, problems=(*each.problems, *problems))) for each in value.accounts],
    )


def account_health(value: AccountReport) -> admin.AccountHealth:
    """One account."""
    return admin.AccountHealth(
        account=value.account,
        private_feed=FEED_STATES[value.private_feed],
        in_doubt_count=value.in_doubt,
        locked_out_until_time=timestamp_or_none(value.locked_out_until_ns),
        key_valid_until_time=timestamp_or_none(value.key_valid_until_ns),
        problems=value.problems,
        lanes=map(lane, value.lanes),
    )


def stream(value: OpenStream) -> admin.StreamInfo:
    """One open stream, as it fares now."""
    call, flow = value.call, value.call.tally.look()
    return admin.StreamInfo(
        stream_id=call.stream_id,
        method=call.permit.short,
        caller=call.who.name,
        queue_depth=flow.queue_depth,
        sent_count=flow.sent,
        conflated_count=flow.conflated,
        open_time=timestamp(value.open_ns),
    )


def lane(value: LaneState) -> admin.LaneHealth:
    """One lane; one that is open without an end waits for a person."""
    return admin.LaneHealth(
        key_label=value.key_label,
        lane=value.lane,
        breaker=BREAKERS[value.breaker],
        blocked_until_time=timestamp_or_none(value.blocked_until_ns),
        queue_depth=value.queue_depth,
    )
