"""What both clients ask of the gateway itself: its kill switch, and who is listening."""

from execsvc_api.v1 import admin_service_pb2 as admin_pb

from execsvc_client import _methods as methods
from execsvc_client._admin import ModeChange, StreamInfo, read_mode_change, read_stream_info, set_trading_mode
from execsvc_client._enums import ModeLike
from execsvc_client._link import Link
from execsvc_client._sync_link import SyncLink


class Administration:
    """These methods of Client."""

    link: Link

    async def set_trading_mode(
        self,
        mode: ModeLike,
        *,
        comment: str,
        account: str = "",
        caller: str = "",
        symbol: str = "",
        everything: bool = False,
        timeout: float | None = None,
    ) -> ModeChange:
        """The kill switch: what may be done from now on with the orders that match every field given; durable.

        "halted" also cancels every open order in scope that the gateway placed; "normal" takes the entry away. Needs the
        permission kill, and admin besides to allow more than before. Cancels pass in every mode. May be repeated.
        """
        request = set_trading_mode(mode, comment, account=account, caller=caller, symbol=symbol, everything=everything)
        return read_mode_change(await self.link.call(methods.SET_TRADING_MODE, request, timeout=timeout))

    async def list_streams(self, *, timeout: float | None = None) -> tuple[StreamInfo, ...]:
        """The streams open now, of all callers, oldest first; needs the permission admin."""
        answer = await self.link.call(methods.LIST_STREAMS, admin_pb.ListStreamsRequest(), timeout=timeout)
        return tuple(map(read_stream_info, answer.streams))


class SyncAdministration:
    """These methods of SyncClient."""

    link: SyncLink

    def set_trading_mode(
        self,
        mode: ModeLike,
        *,
        comment: str,
        account: str = "",
        caller: str = "",
        symbol: str = "",
        everything: bool = False,
        timeout: float | None = None,
    ) -> ModeChange:
        """The kill switch: what may be done from now on with the orders that match every field given; durable.

        "halted" also cancels every open order in scope that the gateway placed; "normal" takes the entry away. Needs the
        permission kill, and admin besides to allow more than before. Cancels pass in every mode. May be repeated.
        """
        request = set_trading_mode(mode, comment, account=account, caller=caller, symbol=symbol, everything=everything)
        return read_mode_change(self.link.call(methods.SET_TRADING_MODE, request, timeout=timeout))

    def list_streams(self, *, timeout: float | None = None) -> tuple[StreamInfo, ...]:
        """The streams open now, of all callers, oldest first; needs the permission admin."""
        answer = self.link.call(methods.LIST_STREAMS, admin_pb.ListStreamsRequest(), timeout=timeout)
        return tuple(map(read_stream_info, answer.streams))
