"""AdminService: what the server is, how the venue fares, which streams are open.

The digest of the contract is worked out once from the descriptors in use, so that it names what is served and not what some
file says.
"""

import hashlib
from functools import cache

from execsvc_api.v1 import (
    account_service_pb2,
    admin_service_pb2,
    common_pb2,
    error_reason_pb2,
    limits_pb2,
    market_data_pb2,
    market_data_service_pb2,
    order_pb2,
    order_service_pb2,
)
from execsvc_api.v1 import admin_service_pb2 as wire
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from execsvc.app.modes import TradingModes
from execsvc.app.overview import Overview
from execsvc.domain.caller import Caller, Permission
from execsvc.ports import Clock
from execsvc.rpc.call import Call
from execsvc.rpc.callers import Callers
from execsvc.rpc.convert import admin as convert
from execsvc.rpc.convert import modes as convert_modes
from execsvc.rpc.openstreams import OpenStreams
from execsvc.rpc.permits import UNBUILT
from execsvc.rpc.scalars import duration, timestamp

VENUE_SHARE = 0.8
FILES = (
    account_service_pb2,
    admin_service_pb2,
    common_pb2,
    error_reason_pb2,
    limits_pb2,
    market_data_pb2,
    market_data_service_pb2,
    order_pb2,
    order_service_pb2,
)


class AdminService:
    """Every built method, by its name in snake case."""

    def __init__(
        self, overview: Overview, callers: Callers, streams: OpenStreams, clock: Clock, modes: TradingModes
    ) -> None:
        self._overview = overview
        self._callers = callers
        self._streams = streams
        self._clock = clock
        self._modes = modes

    async def get_server_info(self, call: Call, _: wire.GetServerInfoRequest) -> wire.GetServerInfoResponse:
        """Who and what this is, and the caller's place in it."""
        about = self._overview.about
        figures = {**dict(about.settings), **self._figures_of(call.who), "callers": self._callers.describe()}
        settings = sorted(figures.items())
        return wire.GetServerInfoResponse(
            version=about.version,
            contract_digest=contract_digest(),
            venue=about.venue,
            server_epoch=about.server_epoch,
            server_time=timestamp(self._clock.wall_ns()),
            start_time=timestamp(about.start_ns),
            caller=call.who.name,
            grants=convert.grants(call.who),
            trading_modes=map(convert_modes.entry, self._modes.touching(call.who)),
            least_place_timeout=duration(about.least_place_timeout_s),
            unimplemented_methods=UNBUILT,
            settings=[wire.ServerSetting(name=name, value=value) for name, value in settings],
        )

    async def get_venue_status(self, call: Call, _: wire.GetVenueStatusRequest) -> wire.GetVenueStatusResponse:
        """The venue as it answers now; it is asked with less time than there is, so that its silence can be told too."""
        by = call.arrived + VENUE_SHARE * (call.answer_by - call.arrived)
        readable = [name for name in call.who.accounts if call.who.may(Permission.ACCOUNT, name)]
        return convert.venue_status(await self._overview.venue(by, readable), self._callers.problems)

    async def list_streams(self, _: Call, __: wire.ListStreamsRequest) -> wire.ListStreamsResponse:
        """The streams of every caller, the longest open first."""
        return wire.ListStreamsResponse(streams=map(convert.stream, self._streams.all()))

    def _figures_of(self, who: Caller) -> dict[str, str]:
        """Of the accounts the caller is granted; where they are several, each name begins with its account's."""
        known = [name for name in who.accounts if name in self._overview.accounts]
        return {
            f"{account}.{name}" if len(known) > 1 else name: value
            for account in known
            for name, value in self._overview.accounts[account].figures()
        }


@cache
def contract_digest() -> str:
    """SHA-256, in hex, of the serialized file descriptors of the package, files by name."""
    files = [FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb) for module in FILES]
    whole = FileDescriptorSet(file=sorted(files, key=lambda each: each.name))
    return hashlib.sha256(whole.SerializeToString(deterministic=True)).hexdigest()
