"""What the service knows of itself and of the venue, into the contract's messages.

Health of lanes is told as closed or open: the breakers' own states come with the breakers.
"""

from execsvc_api.v1 import admin_service_pb2 as admin

from execsvc.app.overview import VenueReport
from execsvc.domain.caller import Caller, Permission
from execsvc.domain.market import VenueMode
from execsvc.ports import LaneState
from execsvc.rpc.scalars import FEED_STATES, duration, timestamp_or_none

MODES: dict[VenueMode, admin.VenueMode.ValueType] = {
    mode: admin.VenueMode.Value(f"VENUE_MODE_{mode.name}") for mode in VenueMode
}
UNBOUND = frozenset({Permission.MARKET, Permission.ADMIN})


def grants(who: Caller) -> list[admin.AccountGrant]:
    """First the permissions bound to no account, then one entry an account; the first account is the default."""
    return [
        admin.AccountGrant(permissions=_words(who.permissions & UNBOUND)),
        *(
            admin.AccountGrant(account=name, is_default=index == 0, permissions=_words(who.permissions - UNBOUND))
            for index, name in enumerate(who.accounts)
        ),
    ]


def _words(permissions: frozenset[Permission]) -> list[str]:
    return [each.value for each in Permission if each in permissions]


def venue_status(value: VenueReport, now_ns: int) -> admin.GetVenueStatusResponse:
    """Venue, clock and the one account."""
    reading = value.clock
    return admin.GetVenueStatusResponse(
        mode=admin.VENUE_MODE_UNSPECIFIED if value.mode is None else MODES[value.mode],
        public_feed=FEED_STATES[value.public_feed],
        clock_offset=None if reading is None else duration(reading.offset_s),
        round_trip=None if reading is None else duration(reading.round_trip_s),
        accounts=[
            admin.AccountHealth(
                account=value.account,
                private_feed=FEED_STATES[value.private_feed],
                in_doubt_count=value.in_doubt,
                problems=value.problems,
                lanes=[lane(each, now_ns) for each in value.lanes],
            )
        ],
    )


def lane(value: LaneState, now_ns: int) -> admin.LaneHealth:
    """One lane; OPEN when no call is made on it now."""
    blocked = value.stopped or (value.blocked_until_ns is not None and value.blocked_until_ns > now_ns)
    return admin.LaneHealth(
        key_label=value.key_label,
        lane=value.lane,
        breaker=admin.BREAKER_STATE_OPEN if blocked else admin.BREAKER_STATE_CLOSED,
        blocked_until_time=timestamp_or_none(value.blocked_until_ns),
        queue_depth=value.queue_depth,
    )
